"""Forms (modals): which component may stand where, with Discord's numbers, and what a person may answer.

The numbers are those of Discord's reference of components; where its OpenAPI description is looser (40 rows), the
reference counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bot.sandbox.rules.errors import NotPossible, Refusal, invalid_form
from bot.sandbox.rules.layout.components import (
    SELECTS,
    Kind,
    bad_component,
    check_length,
    check_options,
    check_select,
    complete,
    walk,
)
from bot.sandbox.rules.payloads import Json

MOST_ROWS = 5
MOST_TEXT = 4000
_TOP = (Kind.ACTION_ROW, Kind.TEXT_DISPLAY, Kind.LABEL)
_GROUPS = (Kind.RADIO_GROUP, Kind.CHECKBOX_GROUP)
_IN_LABEL = (*sorted(SELECTS), Kind.TEXT_INPUT, Kind.FILE_UPLOAD, *_GROUPS, Kind.CHECKBOX)
LISTS = {*SELECTS, Kind.FILE_UPLOAD, Kind.CHECKBOX_GROUP}
"""what is answered with a list"""
_LARGEST_ID = 2**31 - 1
_TYPES: dict[str, type] = {
    **dict.fromkeys(("title", "custom_id", "label", "description", "content", "value", "placeholder"), str),
    **dict.fromkeys(("id", "min_values", "max_values", "min_length", "max_length"), int),
    **dict.fromkeys(("required", "disabled", "default"), bool),
    **dict.fromkeys(("components", "options", "default_values", "channel_types"), list),
    "component": dict,
}
"""of a form, and of whatever is in it"""


def check_modal(modal: Json) -> None:
    """Check a form. Raises Refusal for a bad type, title, nesting, count, length or an id used twice."""
    _check_types(modal)
    for field, most in (("title", 45), ("custom_id", 100), ("components", MOST_ROWS)):
        if not 1 <= len(modal.get(field) or "") <= most:
            raise invalid_form(field, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")
    for row in modal["components"]:
        _check_row(row)
    everything = list(walk(modal["components"]))
    for item in everything:
        _check_number(item, "id", 0, _LARGEST_ID)
    for name, code in (("custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED"), ("id", "COMPONENT_ID_DUPLICATED")):
        used = [item[name] for item in everything if item.get(name)]
        if len(used) != len(set(used)):
            raise bad_component(code, f"Component {name.replace('_', ' ')} cannot be duplicated")


def complete_modal(modal: Json) -> Json:
    """Return the form as the person's client gets it: with ids and everything that was left out."""
    done = modal | {"components": complete(modal["components"], _no_media)}
    for item in walk(done["components"]):
        if item["type"] in _IN_LABEL and item["type"] != Kind.CHECKBOX:
            item["required"] = item.get("required") is not False
        if item["type"] in LISTS:
            item["min_values"], item["max_values"] = extent(item)
    return done


def extent(item: Json) -> tuple[int, int]:
    """Return how many things are to be chosen in a menu, a group or an upload: at least, and at most."""
    most = len(item["options"]) if item["type"] == Kind.CHECKBOX_GROUP else 1
    return _given(item, "min_values", 1), _given(item, "max_values", most)


def check_answer(item: Json, value: Any) -> None:
    """Check what a person answers, as their client does. Raises NotPossible with what it would say."""
    if item["type"] == Kind.CHECKBOX:
        return
    if not value:
        if item["required"]:
            raise NotPossible("This field is required.")
        return
    if item["type"] in LISTS:
        least, most = extent(item)
        if not least <= len(value) <= most:
            raise NotPossible(f"Pick {least} to {most}.")
    if item["type"] == Kind.TEXT_INPUT:
        least, most = _given(item, "min_length", 0), _given(item, "max_length", MOST_TEXT)
        if not least <= len(value) <= most:
            raise NotPossible(f"Must be between {least} and {most} in length.")
    if "options" in item:
        chosen = set(value) if isinstance(value, list) else {value}
        if not chosen <= {option["value"] for option in item["options"]}:
            raise NotPossible("Pick one of the options.")


def untouched(item: Json) -> Any:
    """Return what is sent of a field that the person leaves as it was."""
    if item["type"] == Kind.CHECKBOX:
        return bool(item.get("default"))
    if item["type"] == Kind.TEXT_INPUT:
        return item.get("value") or ""
    chosen = [option["value"] for option in item.get("options", []) if option.get("default")]
    chosen += [default["id"] for default in item.get("default_values") or []]
    return next(iter(chosen), None) if item["type"] == Kind.RADIO_GROUP else chosen


def _check_types(item: Any) -> None:
    if not isinstance(item, dict):
        raise invalid_form("components", "MODEL_TYPE_CONVERT", "Only dictionaries may be used in a ModelType.")
    for name, kind in _TYPES.items():
        if item.get(name) is not None and type(item[name]) is not kind:
            raise invalid_form(name, "BASE_TYPE_BAD_TYPE", f"Value of field {name!r} must be of type {kind.__name__}.")
    inside = [*(item.get("components") or []), *(item.get("options") or [])]
    for child in [*inside, item["component"]] if item.get("component") else inside:
        _check_types(child)


def _check_row(row: Json) -> None:
    kind = _kind(row, _TOP)
    if kind is Kind.TEXT_DISPLAY:
        check_length("content", row.get("content") or "", 1, MOST_TEXT)
    elif kind is Kind.ACTION_ROW:
        check_length("components", row.get("components") or [], 1, 1)
        field = row["components"][0]
        _check_field(field, (Kind.TEXT_INPUT,))
        check_length("label", field.get("label") or "", 1, 45)
    else:
        check_length("label", row.get("label") or "", 1, 45)
        if row.get("description") is not None:
            check_length("description", row["description"], 1, 100)
        _check_field(row.get("component") or {}, _IN_LABEL)


def _check_field(field: Json, allowed: tuple[Kind, ...]) -> None:
    kind = _kind(field, allowed)
    check_length("custom_id", field.get("custom_id") or "", 1, 100)
    if field.get("disabled"):
        raise bad_component("COMPONENT_DISABLED_IN_MODAL", "Modals can not have disabled components in them.")
    if kind in SELECTS:
        check_select(kind, {key: value for key, value in field.items() if value is not None})
    else:
        _CHECKS[kind](field)
    if kind in LISTS and field.get("required") is not False and _given(field, "min_values", 1) < 1:
        raise bad_component("NUMBER_TYPE_MIN", "min_values must be at least 1 if required is omitted or true.")


def _check_text(field: Json) -> None:
    if field.get("label") is not None:  # its own; a label around it has one, too
        check_length("label", field["label"], 1, 45)
    if field.get("style") not in (1, 2):
        raise bad_component("BASE_TYPE_CHOICES", "Value of field 'style' must be one of (1, 2).")
    _check_number(field, "min_length", 0, MOST_TEXT)
    _check_number(field, "max_length", 1, MOST_TEXT)
    check_length("value", field.get("value") or "", 0, MOST_TEXT)
    check_length("placeholder", field.get("placeholder") or "", 0, 100)


def _check_files(field: Json) -> None:
    _check_number(field, "min_values", 0, 10)
    _check_number(field, "max_values", 1, 10)
    least, most = extent(field)
    if least > most:
        raise bad_component("BASE_TYPE_MIN_MAX", "min_values must not be above max_values.")


def _check_radios(field: Json) -> None:
    check_options(field, 1, least_options=2, most_options=10)


def _check_boxes(field: Json) -> None:
    _check_files(field | {"options": field.get("options") or []})
    check_options(field, extent(field)[1], most_options=10)


def _check_number(field: Json, name: str, least: int, most: int) -> None:
    number = _given(field, name, least)
    if not least <= number <= most:
        code = "NUMBER_TYPE_MIN" if number < least else "NUMBER_TYPE_MAX"
        raise invalid_form(f"components.{name}", code, f"int value should be between {least} and {most}.")


def _kind(component: Json, allowed: tuple[Kind, ...]) -> Kind:
    if component.get("type") not in allowed:
        numbers = tuple(sorted(int(item) for item in allowed))
        raise bad_component("UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {numbers}.")
    return Kind(component["type"])


def _given(item: Json, name: str, otherwise: int) -> int:
    """Return a number of a component; null counts as left out."""
    value = item.get(name)
    return otherwise if value is None else int(value)


def _no_media(url: str) -> Json:
    raise Refusal(400, 50035, f"A form shows no media: {url}")


_CHECKS: dict[Kind, Callable[[Json], None]] = {
    Kind.TEXT_INPUT: _check_text,
    Kind.FILE_UPLOAD: _check_files,
    Kind.RADIO_GROUP: _check_radios,
    Kind.CHECKBOX_GROUP: _check_boxes,
    Kind.CHECKBOX: lambda _field: None,
}
