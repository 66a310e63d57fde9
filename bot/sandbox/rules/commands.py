"""What a command may be, and how a person's client checks the options in it."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

from bot.sandbox.rules.errors import NotPossible, invalid_form
from bot.sandbox.rules.locales import localizations, names_in_each, total_letters
from bot.sandbox.rules.payloads import Json


class Option(IntEnum):
    """Command option types."""

    SUB_COMMAND = 1
    SUB_COMMAND_GROUP = 2
    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


CHAT_INPUT, USER_COMMAND, MESSAGE_COMMAND = 1, 2, 3
_NESTED = {Option.SUB_COMMAND, Option.SUB_COMMAND_GROUP}
_NAME = re.compile(r"^[-_'\w]{1,32}$")
MOST_LETTERS = 8000
"""of a command with all that is in it"""


def check_definition(definition: Json, depth: int = 0) -> None:
    """Check what a bot wants to register. Raises Refusal when it breaks one of Discord's rules."""
    kind = definition.get("type", CHAT_INPUT)
    if depth == 0 and total_letters(definition) > MOST_LETTERS:
        raise invalid_form("", "APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
    if depth or kind == CHAT_INPUT:
        for name in (definition["name"], *localizations(definition, "name").values()):
            if not _NAME.match(name) or name != name.lower():
                raise invalid_form("name", "APPLICATION_COMMAND_INVALID_NAME", f"Command name {name!r} is invalid")
        for text in (definition.get("description") or "", *localizations(definition, "description").values()):
            check_length("description", text, 100)
    else:
        for name in (definition["name"], *localizations(definition, "name").values()):
            check_length("name", name, 32)
    _check_options(definition.get("options") or [], depth)


def _check_options(options: list[Json], depth: int) -> None:
    if len(options) > 25:
        raise invalid_form("options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options if option["type"] not in _NESTED]
    if required != sorted(required, reverse=True):
        text = "Required options must be placed before non-required options"
        raise invalid_form("options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
    check_unique("options", options, "APPLICATION_COMMAND_OPTIONS_NAME_INVALID")
    for option in options:
        check_definition(option, depth + 1)
        choices = option.get("choices") or []
        if len(choices) > 25:
            raise invalid_form("options.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
        for choice in choices:
            for name in (choice["name"], *localizations(choice, "name").values()):
                check_length("options.choices.name", name, 100)


def check_length(key: str, text: str, most: int) -> None:
    """Refuse a text that is empty or longer than Discord takes. Raises Refusal."""
    if not 1 <= len(text) <= most:
        raise invalid_form(key, "BASE_TYPE_BAD_LENGTH", f"Must be between 1 and {most} in length.")


def check_unique(key: str, definitions: list[Json], code: str) -> None:
    """Refuse what is called the same as something beside it, in any language. Raises Refusal."""
    for names in names_in_each(definitions):
        if len(names) != len(set(names)):
            raise invalid_form(key, code, "Application command names must be unique")


def find_command(commands: list[Json], kind: int, name: str) -> Json:
    """Return the command of this kind and name. Raises NotPossible when the person is not offered it."""
    for command in commands:
        if command["type"] == kind and command["name"] == name:
            return command
    raise NotPossible(f"There is no command {name!r} here for you.")


def descend(command: Json, path: list[str]) -> list[Json]:
    """Return the options of a command or subcommand. Raises NotPossible when `path` names no (sub)command."""
    options: list[Json] = command.get("options", [])
    for name in path:
        found = [item for item in options if item["name"] == name and item["type"] in _NESTED]
        if not found:
            raise NotPossible(f"/{command['name']} has no subcommand {name!r}.")
        options = found[0].get("options", [])
    if any(item["type"] in _NESTED for item in options):
        raise NotPossible(f"Pick a subcommand of /{command['name']}.")
    return options


def check_value(option: Json, value: Any) -> Any:
    """Return a value as the client would send it. Raises NotPossible when the client would not send it."""
    kind = Option(option["type"])
    name = option["name"]
    if kind in (Option.INTEGER, Option.NUMBER):
        value = _number(name, value, kind)
        if value < option.get("min_value", value) or value > option.get("max_value", value):
            raise NotPossible(f"{name}: enter a number from {option.get('min_value')} to {option.get('max_value')}.")
    elif kind is Option.BOOLEAN and not isinstance(value, bool):
        raise NotPossible(f"{name}: pick true or false.")
    elif kind is Option.STRING:
        value = str(value)
        if not option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000):
            raise NotPossible(f"{name}: the text is too short or too long.")
    choices = option.get("choices")
    if choices and value not in [choice["value"] for choice in choices]:
        raise NotPossible(f"{name}: pick one of the choices.")
    return value


def _number(name: str, value: Any, kind: Option) -> float:
    try:
        return int(str(value)) if kind is Option.INTEGER else float(value)
    except ValueError:
        raise NotPossible(f"{name}: enter a number.") from None


def nest(path: list[str], options: list[Json], command: Json) -> list[Json]:
    """Return filled options inside their subcommand and group, as an interaction carries them."""
    if not path:
        return options
    found = next(item for item in command["options"] if item["name"] == path[0])
    return [{"type": found["type"], "name": path[0], "options": nest(path[1:], options, found)}]
