"""The commands that the bot registered, and who is offered them in which channel."""

from __future__ import annotations

from typing import Any

from bot.sandbox.rules.clock import Snowflakes
from bot.sandbox.rules.commands import CHAT_INPUT, check_definition, check_unique
from bot.sandbox.rules.errors import unknown
from bot.sandbox.rules.payloads import Json


class Commands:
    """The registered commands: global ones (guild id None) and those of each guild."""

    def __init__(self, application_id: str, snowflakes: Snowflakes) -> None:
        self._application_id = application_id
        self._snowflakes = snowflakes
        self._scopes: dict[str | None, list[Json]] = {}

    def overwrite(self, guild_id: str | None, definitions: Any) -> list[Json]:
        """Replace the commands of a guild or the global ones. A command of the same type and name keeps its id."""
        for definition in definitions:
            check_definition(definition)
        for kind in {item.get("type", CHAT_INPUT) for item in definitions}:
            alike = [item for item in definitions if item.get("type", CHAT_INPUT) == kind]
            check_unique("name", alike, "APPLICATION_COMMANDS_DUPLICATE_NAME")
        old = {(item["type"], item["name"]): item for item in self.all(guild_id)}
        self._scopes[guild_id] = [self._register(item, guild_id, old) for item in definitions]
        return self.all(guild_id)

    def all(self, guild_id: str | None) -> list[Json]:
        """Return the commands of a guild, or the global ones."""
        return list(self._scopes.get(guild_id, []))

    def get(self, guild_id: str | None, command_id: str) -> Json:
        """Return one command. Raises Refusal when there is none."""
        for command in self.all(guild_id):
            if command["id"] == command_id:
                return command
        raise unknown("application command")

    def delete(self, guild_id: str | None, command_id: str) -> None:
        """Remove one command."""
        self._scopes[guild_id].remove(self.get(guild_id, command_id))

    def usable(self, guild_id: str | None, context: int, installed: set[int], permissions: int) -> list[Json]:
        """Return the commands for this context, these kinds of installation and these permissions."""
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
