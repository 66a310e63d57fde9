"""The page of settings: their types, bounds and defaults from the model, their sentences from config.example.toml.

Tested in tests/test_written.py.
"""

from __future__ import annotations

import enum
import json
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from bot.config import Config
from bot.config.mistakes import PREFIX
from scripts.site.written import row

_HEAD = f"""# Settings

Every setting of `config.toml`. A key that is left out has its default. Environment variables win over the file:
`{PREFIX}` and the key in capitals, with two underscores after a section's name: `{PREFIX}TOKEN`,
`{PREFIX}GENERATOR__DEVICE`. `{PREFIX}CONFIG` names another file. What is wrong in the file is said in one sentence for
each mistake, all at once, by `python -m bot doctor`.

This page is written from the code by `make reference`.
"""
_KEY = re.compile(r"^(?:# )?(?P<key>\w+) = .*?(?:\s# (?P<says>.*))?$")


@dataclass(frozen=True)
class Setting:
    """One key: `path` leads to it, as in ("queue", "max_attempts")."""

    path: tuple[str, ...]
    kind: str
    default: str


def settings_of(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Yield every key of a model and of the sections in it."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        path = (*above, name)
        if (section := section_of(field)) is not None:
            yield from settings_of(section, path)
        else:
            yield Setting(path, kind_of(field), default_of(field))


def section_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a section; None for a key, and for a table whose names the operator chooses."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    inner = typing.get_args(kind)
    return inner[1] if len(inner) == 2 and isinstance(inner[1], type) and issubclass(inner[1], BaseModel) else None


_NAMED = {
    ("variants",): ("NAME", "A section for each variant of your own; a built-in one's name changes that one."),
    ("quota", "roles"): ("ID", "What the holders of a role have instead of `quota.person`."),
}
"""tables that the owner names, with what stands for a name and what they are for"""


def kind_of(field: FieldInfo) -> str:
    """Say what a key holds, with its bounds."""
    bounds = {type(item).__name__.lower(): item for item in field.metadata}
    low, high = (getattr(bounds.get(name), name, None) for name in ("ge", "le"))
    kind = _say(field.annotation)
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return kind if low is None else f"{kind}, at least {low}"


def _say(kind: Any) -> str:
    plain = {bool: "true or false", int: "whole number", str: "text", float: "number", Path: "path", SecretStr: "text"}
    if kind in plain:
        return plain[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f"`{item.value}`" for item in kind)
    origin, inner = typing.get_origin(kind), [item for item in typing.get_args(kind) if item is not type(None)]
    if origin is typing.Annotated:
        return _say(inner[0])
    if origin is typing.Literal:
        return " or ".join(f"`{item}`" for item in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_say, inner))
    if origin in (list, frozenset):
        return f"list: {_say(inner[0])}"
    if origin is dict:
        return f"table: {_say(inner[0])} = {_say(inner[1])}"
    if origin is tuple:
        return f"list of {len(inner)}: {_say(inner[0])}"
    return "address"


def default_of(field: FieldInfo) -> str:
    """Return a key's default as the file writes it; nothing when there is none."""
    value = field.get_default(call_default_factory=True) if not field.is_required() else None
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, frozenset):
        value = sorted(value)
    if value is None:
        return ""
    if value == {}:
        return "none"
    if isinstance(value, bool | int | float | str | list | tuple):
        return f"`{json.dumps(value)}`"
    return f'`"{value}"`'


def said_by_example(example: str) -> dict[tuple[str, ...], str]:
    """Return the sentence that stands beside each key of the example, by its path. Of several the first one counts."""
    section: tuple[str, ...] = ()
    found: dict[tuple[str, ...], str] = {}
    for line in example.splitlines():
        if head := re.match(r"^(?:# )?\[([\w.-]+)\](?:\s+# (.*))?", line):
            section = tuple(head[1].split("."))
            found.setdefault(section, head[2] or "")
        elif key := _KEY.match(line):
            found.setdefault((*section, key["key"]), key["says"] or "")
    return found


def settings_page(example: str) -> str:
    """Return the page."""
    said, text, section = said_by_example(example), [_HEAD], None
    for setting in settings_of(Config):
        if setting.path[:-1] != section:
            section = setting.path[:-1]
            text += ["", *_section_head(section, said), "", row("key", "holds", "default", "what it does")]
            text.append("|---|---|---|---|")
        text.append(row(f"`{setting.path[-1]}`", setting.kind, setting.default, _sentence(setting, said)))
    return "\n".join(text) + "\n"


def _section_head(section: tuple[str, ...], said: dict[tuple[str, ...], str]) -> list[str]:
    if not section:
        return ["## Of the bot", "", "At the top of the file, before every section."]
    if section in _NAMED:
        return [f"## `[{'.'.join(section)}.{_NAMED[section][0]}]`", "", _NAMED[section][1]]
    says = said.get(section, "")
    return [f"## `[{'.'.join(section)}]`", *(["", says[0].upper() + says[1:] + "."] if says else [])]


def _sentence(setting: Setting, said: dict[tuple[str, ...], str]) -> str:
    """Return the example's sentence for a key; where the owner names the tables, that of any in the example."""
    *section, key = setting.path
    if tuple(section) not in _NAMED:
        return said.get(setting.path, "")
    keys = [path for path in said if path[:-2] == tuple(section) and path[-1] == key]
    return next((said[path] for path in keys if said[path]), "")
