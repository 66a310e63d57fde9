"""Message components: which component may contain which, and what the server adds to them (ids, media).

Tested in tests/sandbox/rules/test_message_bodies.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

from bot.sandbox.rules.errors import Refusal, invalid_form
from bot.sandbox.rules.payloads import Json


class Kind(IntEnum):
    """Discord's component types."""

    ACTION_ROW = 1
    BUTTON = 2
    STRING_SELECT = 3
    TEXT_INPUT = 4
    USER_SELECT = 5
    ROLE_SELECT = 6
    MENTIONABLE_SELECT = 7
    CHANNEL_SELECT = 8
    SECTION = 9
    TEXT_DISPLAY = 10
    THUMBNAIL = 11
    MEDIA_GALLERY = 12
    FILE = 13
    SEPARATOR = 14
    CONTAINER = 17
    LABEL = 18
    FILE_UPLOAD = 19
    RADIO_GROUP = 21
    CHECKBOX_GROUP = 22
    CHECKBOX = 23


SELECTS = {Kind.STRING_SELECT, Kind.USER_SELECT, Kind.ROLE_SELECT, Kind.MENTIONABLE_SELECT, Kind.CHANNEL_SELECT}
LINK, PREMIUM = 5, 6
_IN_CONTAINER = {
    Kind.ACTION_ROW,
    Kind.SECTION,
    Kind.TEXT_DISPLAY,
    Kind.MEDIA_GALLERY,
    Kind.FILE,
    Kind.SEPARATOR,
}
MAX_V2 = 40
Media = Callable[[str], Json]
"""returns Discord's media object for a URL (attachment://name or https)"""


def walk(components: list[Json]) -> Iterator[Json]:
    """Return every component, nested ones and accessories included, in reading order."""
    for component in components:
        yield component
        yield from walk(component.get("components", []))
        yield from walk([component[key] for key in ("accessory", "component") if key in component])


def check_components(components: Any, *, v2: bool) -> None:
    """Check the components of a message. Raises Refusal for bad nesting, counts, lengths or a custom id used twice."""
    if not isinstance(components, list):
        raise invalid_form("components", "BASE_TYPE_BAD_TYPE", "Only lists are accepted.")
    top = {Kind.CONTAINER, *_IN_CONTAINER} if v2 else {Kind.ACTION_ROW}
    for component in components:
        _check(component, top)
    everything = list(walk(components))
    if v2 and len(everything) > MAX_V2:
        raise bad_component(
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"The total number of components exceeds {MAX_V2}"
        )
    if not v2 and len(components) > 5:
        raise bad_component("BASE_TYPE_MAX_LENGTH", "Must be 5 or fewer in length.")
    custom_ids = [component["custom_id"] for component in everything if component.get("custom_id")]
    if len(custom_ids) != len(set(custom_ids)):
        raise bad_component("COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
    if sum(len(item.get("content", "")) for item in everything if item["type"] == Kind.TEXT_DISPLAY) > 4000:
        raise bad_component("COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", "Total displayable text size exceeds 4000")


def _check(component: Json, allowed: set[Kind]) -> None:
    if component.get("type") not in allowed:
        raise bad_component(
            "UNION_TYPE_CHOICES", f"Value of field 'type' must be one of {sorted(int(item) for item in allowed)}."
        )
    kind = Kind(component["type"])
    if kind is Kind.CONTAINER:
        _check_children(component, _IN_CONTAINER, 1, MAX_V2)
    elif kind is Kind.ACTION_ROW:
        children = component.get("components") or []
        one_select = bool(children) and children[0].get("type") in SELECTS
        _check_children(component, SELECTS if one_select else {Kind.BUTTON}, 1, 1 if one_select else 5)
    elif kind is Kind.SECTION:
        _check_children(component, {Kind.TEXT_DISPLAY}, 1, 3)
        _check(component.get("accessory", {}), {Kind.BUTTON, Kind.THUMBNAIL})
    elif kind is Kind.BUTTON:
        _check_button(component)
    elif kind is Kind.TEXT_DISPLAY:
        check_length("content", component.get("content", ""), 1, 4000)
    elif kind is Kind.MEDIA_GALLERY:
        check_length("items", component.get("items", []), 1, 10)
    if kind in SELECTS:
        check_select(kind, component)


def _check_children(component: Json, allowed: set[Kind], least: int, most: int) -> None:
    children = component.get("components") or []
    check_length("components", children, least, most)
    for child in children:
        _check(child, allowed)


def _check_button(button: Json) -> None:
    if not (button.get("label") or button.get("emoji") or button.get("style") == PREMIUM):
        raise bad_component("BUTTON_COMPONENT_INVALID_LABEL", "A button must have a label or emoji.")
    if len(button.get("label") or "") > 80:
        raise bad_component("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 80 in length.")
    if button.get("style") == LINK:
        if not button.get("url") or button.get("custom_id"):
            raise bad_component("COMPONENT_BUTTON_URL_REQUIRED", "A link button must have a url and no custom id.")
    elif button.get("style") != PREMIUM:
        check_length("custom_id", button.get("custom_id", ""), 1, 100)


_DEFAULTS = {
    Kind.USER_SELECT: {"user"},
    Kind.ROLE_SELECT: {"role"},
    Kind.MENTIONABLE_SELECT: {"user", "role"},
    Kind.CHANNEL_SELECT: {"channel"},
}


def check_select(kind: Kind, select: Json) -> None:
    """Check a menu: its custom id, how many may be chosen, its options or what is chosen before. Raises Refusal."""
    check_length("custom_id", select.get("custom_id", ""), 1, 100)
    least, most = select.get("min_values", 1), select.get("max_values", 1)
    if not 0 <= least <= 25 or not 1 <= most <= 25 or least > most:
        raise bad_component(
            "BASE_TYPE_MIN_MAX", "min_values lies between 0 and 25, max_values between 1 and 25 and above it."
        )
    if len(select.get("placeholder") or "") > 150:
        raise bad_component("BASE_TYPE_BAD_LENGTH", "A placeholder has 150 letters at most.")
    if kind is Kind.STRING_SELECT:
        check_options(select, most)
        return
    defaults = select.get("default_values") or []
    if len(defaults) > most or any(item.get("type") not in _DEFAULTS[kind] for item in defaults):
        raise bad_component(
            "SELECT_COMPONENT_INVALID_DEFAULT_VALUES", "default_values are too many, or of another type."
        )


def check_options(select: Json, most: int, least_options: int = 1, most_options: int = 25) -> None:
    """Check the options of a menu or a group of which `most` may be chosen. Raises Refusal."""
    options = select.get("options", [])
    check_length("options", options, least_options, most_options)
    values = [option.get("value", "") for option in options]
    for option in options:
        check_length("options.label", option.get("label", ""), 1, 100)
        check_length("options.value", option.get("value", ""), 1, 100)
        check_length("options.description", option.get("description") or "", 0, 100)
    if len(set(values)) != len(values):
        raise bad_component("SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used")
    if most > len(options) or sum(bool(option.get("default")) for option in options) > most:
        raise bad_component(
            "SELECT_COMPONENT_MAX_VALUES", "max_values is more than the options, or fewer than the defaults."
        )


def check_length(field: str, value: Any, least: int, most: int) -> None:
    """Check how long a text or a list is. Raises Refusal."""
    if not least <= len(value) <= most:
        raise invalid_form(
            f"components.{field}", "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length."
        )


def bad_component(code: str, message: str) -> Refusal:
    """Return the refusal of a body because of its components."""
    return invalid_form("components", code, message)


def complete(components: list[Json], media: Media) -> list[Json]:
    """Return the components as the server answers them: with ids, resolved media and defaults."""
    done = [_complete(component, media) for component in components]
    taken = {component["id"] for component in walk(done) if component.get("id")}
    number = 0
    for component in walk(done):
        if not component.get("id"):
            number += 1
            while number in taken:
                number += 1
            component["id"] = number
    return done


def _complete(component: Json, media: Media) -> Json:
    done = {"type": component["type"], "id": component.get("id")} | component
    kind = component["type"]
    if "components" in component:
        done["components"] = [_complete(child, media) for child in component["components"]]
    for key in ("accessory", "component"):
        if key in component:
            done[key] = _complete(component[key], media)
    if kind == Kind.CONTAINER:
        done = {"accent_color": None, "spoiler": False} | done
    elif kind == Kind.SEPARATOR:
        done = {"spacing": 1, "divider": True} | done
    elif kind in SELECTS:
        done = {"min_values": 1, "max_values": 1} | done
        if "default_values" in done:
            done["default_values"] = [item | {"id": str(item["id"])} for item in done["default_values"]]
    elif kind == Kind.THUMBNAIL:
        done = {"description": None, "spoiler": False} | done | {"media": _picture(component["media"]["url"], media)}
    elif kind == Kind.MEDIA_GALLERY:
        done["items"] = [
            {"description": None, "spoiler": False} | item | {"media": _picture(item["media"]["url"], media)}
            for item in component["items"]
        ]
    elif kind == Kind.FILE:
        resolved = media(component["file"]["url"])
        facts = {"file": resolved, "name": resolved.pop("name", None), "size": resolved.pop("size", None)}
        done = {"spoiler": False} | done | facts
    return done


def _picture(url: str, media: Media) -> Json:
    """Return the media object without name and size, which only a file component has."""
    return {key: value for key, value in media(url).items() if key not in ("name", "size")}
