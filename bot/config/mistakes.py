"""What is wrong with a configuration: a sentence for each mistake, which names the key, its source and the nearest one.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from generator.errors import did_you_mean

PREFIX = "VIVANT_"
"""how each variable begins that is a setting"""

_LIST = "Lists are written as [1, 2]"
_TABLE = 'Tables are written as [name] with keys below, or as {"key": 1} in a variable'
_SHAPES = {
    **dict.fromkeys(("list_type", "set_type", "frozen_set_type", "tuple_type"), _LIST),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), _TABLE),
}
"""by pydantic's kinds of errors: what was written instead of a list or a table"""


def mend(values: dict[str, Any], item: Any) -> None:
    """Take a wrong value out, so that the default stands in; an empty text stands in for what is missing."""
    for part in _place(item):
        child = values.get(part)
        if isinstance(child, dict) and part != _place(item)[-1]:
            values = child
        elif item["type"] == "missing":
            values[part] = ""
        else:
            values.pop(part, None)
            return


def _place(item: Any) -> tuple[str, ...]:
    """Return the keys that lead to a mistake."""
    if item["type"] == "unknown_variant":
        return ("generator", "variant")
    return tuple(part for part in item["loc"] if isinstance(part, str))  # without positions in a list


def sentence(model: type[BaseModel], file: Path | None, item: Any) -> str:
    """Say what is wrong with one key. `item` is one of pydantic's errors; `file` is where it was read, if anywhere."""
    place = _place(item)
    key = ".".join(place)
    where = _variable(place, os.environ) or (str(file) if file is not None else "environment")
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no setting {key!r}.{_nearest(model, place)} config.example.toml lists them all."
    if item["type"] == "unknown_variant":
        return f"{where}: {key} {item['msg']}"
    said = _SHAPES.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    end = "" if said.endswith(("?", ".")) else "."
    return ": ".join(filter(None, (where, key, said))) + end


def _variable(place: tuple[str, ...], environment: Iterable[str]) -> str | None:
    """Return the variable that sets a key, or a table around it; None where the file does."""
    names = {name.upper() for name in environment}
    for length in range(len(place), 0, -1):
        variable = PREFIX + "__".join(place[:length]).upper()
        if variable in names:
            return variable
    return None


def _nearest(model: type[BaseModel], place: tuple[str, ...]) -> str:
    """Return "Did you mean ...?" for a key that does not exist, or nothing: a sibling, or the same key elsewhere."""
    *above, last = place
    if len(above) == 2:  # in a table of which there may be many: [variants.NAME]
        return did_you_mean(last, _keys(get_args(model.model_fields[above[0]].annotation)[1]))
    known = _keys(model)
    elsewhere = [name for name in known if name.rpartition(".")[2] == last]
    return did_you_mean(elsewhere[0] if elsewhere else ".".join(place), known)


def _keys(model: type[BaseModel]) -> list[str]:
    """Return the names of all settings, those in a section with its name before a dot."""
    found: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        inside = _keys(kind) if isinstance(kind, type) and issubclass(kind, BaseModel) else []
        found += [name, *(f"{name}.{key}" for key in inside)]
    return found


def foreign_variables(model: type[BaseModel], environment: Iterable[str]) -> list[str]:
    """Return a sentence for each VIVANT_* variable that is nearly a setting.

    Others are not ours: Kubernetes makes VIVANT_PORT and the like for a service of that name.
    """
    known = [PREFIX + name.upper() for name in ("config", *model.model_fields)]
    found = []
    for name in sorted(environment):
        root = name.upper().partition("__")[0]
        nearest = did_you_mean(root, known, likeness=0.85)
        if root.startswith(PREFIX) and root not in known and nearest:
            found.append(f"environment: {name} sets nothing.{nearest}")
    return found
