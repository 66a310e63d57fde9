"""The application's commands: what the bot registered, who sees it where, and options checked as a client does."""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Any

from bot.sandbox.rules.clock import Snowflakes
from bot.sandbox.rules.errors import Json, NotPossible, invalid_form, unknown


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


class Commands:
    """What is registered, globally (guild id None) and per guild."""

    def __init__(self, application_id: str, snowflakes: Snowflakes) -> None:
        self._application_id = application_id
        self._snowflakes = snowflakes
        self._scopes: dict[str | None, list[Json]] = {}
        self.overwrites = 0
        """how often a bot synced"""

    def overwrite(self, guild_id: str | None, definitions: Any) -> list[Json]:
        """Replace a scope's commands; unchanged ones keep their id."""
        for definition in definitions:
            _check_definition(definition)
        names = [(item.get("type", CHAT_INPUT), item["name"]) for item in definitions]
        if len(names) != len(set(names)):
            raise invalid_form(
                "name", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
        old = {(item["type"], item["name"]): item for item in self.all(guild_id)}
        self._scopes[guild_id] = [self._register(item, guild_id, old) for item in definitions]
        self.overwrites += 1
        return self.all(guild_id)

    def all(self, guild_id: str | None) -> list[Json]:
        """Give one scope's commands."""
        return list(self._scopes.get(guild_id, []))

    def get(self, guild_id: str | None, command_id: str) -> Json:
        """Give one command; Refusal if there is none."""
        for command in self.all(guild_id):
            if command["id"] == command_id:
                return command
        raise unknown("application command")

    def delete(self, guild_id: str | None, command_id: str) -> None:
        """Remove one command."""
        self._scopes[guild_id].remove(self.get(guild_id, command_id))

    def usable(self, guild_id: str | None, context: int, installed: set[int], permissions: int) -> list[Json]:
        """Give what a person is offered: right context, installed that way, default permissions held."""
        own = self.all(guild_id) if guild_id and 0 in installed else []
        return [
            command
            for command in [*own, *self.all(None)]
            if (command["contexts"] is None or context in command["contexts"])
            and installed & set(command["integration_types"])
            and (guild_id is None or _holds(permissions, command["default_member_permissions"]))
        ]

    def _register(self, definition: Json, guild_id: str | None, old: dict[Any, Json]) -> Json:
        kind = definition.get("type", CHAT_INPUT)
        previous = old.get((kind, definition["name"]))
        command: Json = {
            "id": previous["id"] if previous else self._snowflakes.next(),
            "application_id": self._application_id,
            "version": self._snowflakes.next(),
            "type": kind,
            "name": definition["name"],
            "description": definition.get("description") or "",
            "name_localizations": definition.get("name_localizations"),
            "description_localizations": definition.get("description_localizations"),
            "default_member_permissions": _text(definition.get("default_member_permissions")),
            "nsfw": definition.get("nsfw", False),
            "contexts": definition.get("contexts"),
            "integration_types": definition.get("integration_types") or [0],
            "dm_permission": definition.get("dm_permission", True),
        }
        if command["contexts"] is None and definition.get("dm_permission") is False:
            command["contexts"] = [0]
        if definition.get("options"):
            command["options"] = definition["options"]
        if guild_id:
            command["guild_id"] = guild_id
        return command


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _holds(permissions: int, wanted: str | None) -> bool:
    return wanted is None or permissions & int(wanted) == int(wanted)


def _check_definition(definition: Json, depth: int = 0) -> None:
    name, kind = definition["name"], definition.get("type", CHAT_INPUT)
    if depth or kind == CHAT_INPUT:
        if not _NAME.match(name) or name != name.lower():
            raise invalid_form("name", "APPLICATION_COMMAND_INVALID_NAME", f"Command name {name!r} is invalid")
        if not 1 <= len(definition.get("description") or "") <= 100:
            raise invalid_form("description", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
    options = definition.get("options") or []
    if len(options) > 25:
        raise invalid_form("options", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
    required = [bool(option.get("required")) for option in options if option["type"] not in _NESTED]
    if required != sorted(required, reverse=True):
        text = "Required options must be placed before non-required options"
        raise invalid_form("options", "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", text)
    for option in options:
        _check_definition(option, depth + 1)
        if len(option.get("choices") or []) > 25:
            raise invalid_form("options.choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")


def find_command(commands: list[Json], kind: int, name: str) -> Json:
    """Give the command a person picked from what they are offered."""
    for command in commands:
        if command["type"] == kind and command["name"] == name:
            return command
    raise NotPossible(f"There is no command {name!r} here for you.")


def descend(command: Json, path: list[str]) -> list[Json]:
    """Give the options of a (sub)command; NotPossible when the path leads nowhere or stops at a group."""
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
    """Give a value as the client would send it; NotPossible where it would not let the person send."""
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
    """Wrap filled options into their subcommand and group, as an interaction carries them."""
    if not path:
        return options
    found = next(item for item in command["options"] if item["name"] == path[0])
    return [{"type": found["type"], "name": path[0], "options": nest(path[1:], options, found)}]
