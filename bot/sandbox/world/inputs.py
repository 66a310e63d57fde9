"""What a person put into a command or a form, checked and sent as their client would send it.

Tested in tests/sandbox/world/test_people.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.rules.commands import Option, check_value
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.layout.components import SELECTS, Kind
from bot.sandbox.rules.layout.modals import LISTS, check_answer, untouched
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.attachments import Attachments
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.directory import Directory


class Inputs:
    """The inputs of one interaction; `resolved` collects what they refer to."""

    def __init__(self, directory: Directory, channels: Channels, attachments: Attachments, channel: Json) -> None:
        self._directory = directory
        self._channels = channels
        self._attachments = attachments
        self._channel = channel
        self.resolved: Json = {}

    def options(self, known: list[Json], given: Mapping[str, Any]) -> list[Json]:
        """Return the given values as an interaction's options. Raises NotPossible when one is not allowed."""
        by_name = {item["name"]: item for item in known}
        unknown = [name for name in given if name not in by_name]
        if unknown:
            raise NotPossible(f"There is no option {', '.join(unknown)}.")
        filled = []
        for name, value in given.items():
            option = by_name[name]
            if option["type"] == Option.ATTACHMENT:
                sent: Any = self._upload(value)
            else:
                sent = check_value(option, value)
                self._resolve(option, sent)
            filled.append({"type": option["type"], "name": name, "value": sent})
        return filled

    def _upload(self, upload: Any) -> str:
        if not isinstance(upload, Upload):
            raise NotPossible("Choose a file for this option.")
        if len(upload.data) > self._channels.upload_limit(self._channel):
            raise NotPossible("Your files are too powerful. They are over the upload limit here.")
        attachment = self._attachments.add(upload, self._channels.bot_id, ephemeral=True)
        self.resolved.setdefault("attachments", {})[attachment["id"]] = attachment
        return str(attachment["id"])

    def _resolve(self, option: Json, value: Any) -> None:
        if option["type"] == Option.USER:
            if value not in self._directory.users:
                raise NotPossible("There is no such person.")
            self.resolved.setdefault("users", {})[value] = self._directory.users[value]
            member = self._channels.member(self._channel.get("guild_id", ""), value)
            if member:
                shown = {key: item for key, item in member.items() if key not in ("user", "deaf", "mute")}
                shown["permissions"] = str(self._channels.permissions(value, self._channel))
                self.resolved.setdefault("members", {})[value] = shown
        elif option["type"] == Option.CHANNEL:
            self.resolved.setdefault("channels", {})[value] = self._channels.get(value)
        elif option["type"] in (Option.ROLE, Option.MENTIONABLE):
            raise NotPossible("The sandbox does not implement role and mentionable options.")

    def chosen(self, select: Json, values: list[str]) -> None:
        """Resolve what was chosen in a menu of people, roles or channels. Raises NotPossible for anything else."""
        for value in values:
            kind = select["type"]
            if kind == Kind.CHANNEL_SELECT:
                self._choose_channel(select, value)
            elif kind == Kind.ROLE_SELECT or (kind == Kind.MENTIONABLE_SELECT and value not in self._directory.users):
                self._choose_role(value)
            elif kind in (Kind.USER_SELECT, Kind.MENTIONABLE_SELECT):
                self._resolve({"type": Option.USER}, value)

    def _choose_channel(self, select: Json, value: str) -> None:
        channel = self._directory.channels.get(value)
        here = channel is not None and channel.get("guild_id") == self._channel.get("guild_id")
        if channel is None or not here or channel["type"] not in select.get("channel_types", [channel["type"]]):
            raise NotPossible("There is no such channel to choose.")
        keys = ("id", "type", "name", "parent_id", "permissions", "thread_metadata")
        shown = {key: channel[key] for key in keys if key in channel}
        self.resolved.setdefault("channels", {})[value] = shown | {"permissions": "0"}

    def _choose_role(self, value: str) -> None:
        guild = self._directory.guilds.get(self._channel.get("guild_id", ""), {"roles": []})
        role = next((item for item in guild["roles"] if item["id"] == value), None)
        if role is None:
            raise NotPossible("There is no such role.")
        self.resolved.setdefault("roles", {})[value] = role

    def row(self, row: Json, values: Mapping[str, Any]) -> Json:
        """Return one row of a form, filled from `values` by custom id.

        A value is a text, a list of chosen values, a list of Uploads, or whether a box is ticked. What is not among
        them was left as it was.
        """
        filled: Json = {"type": row["type"], "id": row["id"]}
        if row["type"] == Kind.ACTION_ROW:
            return filled | {"components": [self._field(item, values) for item in row["components"]]}
        if row["type"] == Kind.LABEL:
            return filled | {"component": self._field(row["component"], values)}
        return filled

    def _field(self, item: Json, values: Mapping[str, Any]) -> Json:
        value = values[item["custom_id"]] if item["custom_id"] in values else untouched(item)
        check_answer(item, value)
        filled = {"type": item["type"], "id": item["id"], "custom_id": item["custom_id"]}
        if item["type"] not in LISTS:
            empty = "" if item["type"] == Kind.TEXT_INPUT else None
            return filled | {"value": empty if value in (None, "") else value}
        chosen = value or []
        if item["type"] == Kind.FILE_UPLOAD:
            chosen = [self._upload(one) for one in chosen]
        elif item["type"] in SELECTS:
            self.chosen(item, chosen)
        return filled | {"values": chosen}


def pick(select: Json, values: list[str]) -> list[str]:
    """Return the chosen values of a select menu. Raises NotPossible for too few, too many or unknown ones."""
    if not select["min_values"] <= len(values) <= select["max_values"]:
        raise NotPossible(f"Pick {select['min_values']} to {select['max_values']}.")
    offered = [option["value"] for option in select.get("options", [])]
    if offered and not set(values) <= set(offered):
        raise NotPossible("Pick one of the options.")
    return values
