"""What people do: type commands, press buttons, fill forms, write messages; builds what the bot receives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.attachments import Attachments, Upload
from bot.sandbox.commands import CHAT_INPUT, MESSAGE_COMMAND, Commands, Option, check_value, descend, find_command, nest
from bot.sandbox.components import LINK, SELECTS, Kind, walk
from bot.sandbox.interactions import Interaction, Interactions, InteractionType, require_modal
from bot.sandbox.messages import Messages, Origin, Stamps
from bot.sandbox.permissions import Permission
from bot.sandbox.places import Places
from bot.sandbox.refusals import Json, NotPossible
from bot.sandbox.rules import Flag
from bot.sandbox.scene import DIRECT, Scene

Files = Mapping[str, Upload]


class People:
    """Acts as a person's own Discord client would; raises NotPossible where it would not let them."""

    def __init__(
        self,
        scene: Scene,
        places: Places,
        attachments: Attachments,
        messages: Messages,
        commands: Commands,
        interactions: Interactions,
        stamps: Stamps,
    ) -> None:
        self._scene = scene
        self._places = places
        self._attachments = attachments
        self._messages = messages
        self._commands = commands
        self._interactions = interactions
        self._stamps = stamps

    def commands_for(self, actor_id: str, channel: Json) -> list[Json]:
        """Give the commands a person is offered in a channel."""
        guild_id = channel.get("guild_id")
        context = 1 if channel["type"] == DIRECT else 0
        installed = {int(kind) for kind in self._owners(actor_id, channel)}
        return self._commands.usable(guild_id, context, installed, self._places.permissions(actor_id, channel))

    def command(
        self, actor_id: str, channel: Json, text: str, options: Mapping[str, Any], files: Files, age_seconds: float = 0
    ) -> Interaction:
        """Run a slash command; `text` is its name with subcommands, `age_seconds` makes the interaction look old."""
        name, *path = text.removeprefix("/").split()
        command = find_command(self.commands_for(actor_id, channel), CHAT_INPUT, name)
        resolved: Json = {}
        known = descend(command, path)
        filled = self._fill(known, options, files, channel, resolved)
        missing = [item["name"] for item in known if item.get("required") and item["name"] not in {*options, *files}]
        if missing:
            raise NotPossible(f"This option is required. Specify a value: {', '.join(missing)}.")
        data: Json = {"id": command["id"], "name": name, "type": CHAT_INPUT, "options": nest(path, filled, command)}
        if resolved:
            data["resolved"] = resolved
        if "guild_id" in command:
            data["guild_id"] = command["guild_id"]
        return self._begin(InteractionType.COMMAND, actor_id, channel, data, age_seconds=age_seconds)

    def complete(
        self, actor_id: str, channel: Json, text: str, options: Mapping[str, Any], focused: str
    ) -> Interaction:
        """Ask for suggestions while a person types the option `focused`."""
        name, *path = text.removeprefix("/").split()
        command = find_command(self.commands_for(actor_id, channel), CHAT_INPUT, name)
        known = {item["name"]: item for item in descend(command, path)}
        if not known.get(focused, {}).get("autocomplete"):
            raise NotPossible(f"{focused} has no suggestions.")
        filled = [{"type": known[key]["type"], "name": key, "value": value} for key, value in options.items()]
        for item in filled:
            if item["name"] == focused:
                item["focused"] = True
        data = {"id": command["id"], "name": name, "type": CHAT_INPUT, "options": nest(path, filled, command)}
        return self._begin(InteractionType.AUTOCOMPLETE, actor_id, channel, data)

    def message_command(self, actor_id: str, channel: Json, message_id: str, name: str) -> Interaction:
        """Pick an entry of a message's context menu."""
        command = find_command(self.commands_for(actor_id, channel), MESSAGE_COMMAND, name)
        message = self._visible(actor_id, channel, message_id)
        data = {"id": command["id"], "name": name, "type": MESSAGE_COMMAND, "target_id": message_id}
        data["resolved"] = {"messages": {message_id: message}}
        return self._begin(InteractionType.COMMAND, actor_id, channel, data)

    def press(
        self, actor_id: str, channel: Json, message_id: str, custom_id: str, values: list[str] | None
    ) -> Interaction:
        """Press a button or pick from a select menu."""
        message = self._visible(actor_id, channel, message_id)
        component = next((item for item in walk(message["components"]) if item.get("custom_id") == custom_id), None)
        if component is None or component.get("style") == LINK:
            raise NotPossible("There is no such button.")
        if component.get("disabled"):
            raise NotPossible("This button is disabled.")
        data: Json = {"component_type": component["type"], "custom_id": custom_id, "id": component["id"]}
        if component["type"] in SELECTS:
            data |= {"values": _pick(component, values or [])}
        return self._begin(InteractionType.COMPONENT, actor_id, channel, data, message=message)

    def submit(self, actor_id: str, interaction_id: str, custom_id: str, values: Mapping[str, Any]) -> Interaction:
        """Send a form; `values` are by custom id: a text, a list of picks, or a list of Uploads."""
        opened = self._interactions.get(interaction_id)
        modal = require_modal(opened, custom_id)
        if opened.actor["id"] != actor_id:
            raise NotPossible("This is somebody else's form.")
        resolved: Json = {}
        rows = [self._fill_row(row, values, opened.channel, resolved) for row in modal["components"]]
        data: Json = {"custom_id": custom_id, "components": rows}
        if resolved:
            data["resolved"] = resolved
        message = opened.payload.get("message")
        return self._begin(InteractionType.MODAL_SUBMIT, actor_id, opened.channel, data, message=message)

    def post(self, actor_id: str, channel: Json, content: str, files: list[Upload]) -> Json:
        """Write an ordinary message."""
        held = self._places.permissions(actor_id, channel)
        if not held & self._places.may_speak(channel) or (files and not held & Permission.ATTACH_FILES):
            raise NotPossible("You do not have permission to do that here.")
        self._places.require_open(channel, reopen=True)
        limit = self._places.upload_limit(channel)
        origin = Origin(self._scene.users[actor_id], max_file_bytes=limit)
        return self._messages.create(channel, {"content": content}, dict(enumerate(files)), origin)

    def delete_message(self, actor_id: str, channel: Json, message_id: str) -> None:
        """Delete a message: one's own, or anybody's with Manage Messages; dismissing an ephemeral one works too."""
        message = self._visible(actor_id, channel, message_id)
        mine = message["author"]["id"] == actor_id or message["flags"] & Flag.EPHEMERAL
        if not mine and not self._places.permissions(actor_id, channel) & Permission.MANAGE_MESSAGES:
            raise NotPossible("You do not have permission to delete this message.")
        self._messages.delete(channel, message_id)

    def _visible(self, actor_id: str, channel: Json, message_id: str) -> Json:
        for message in self._messages.seen_by(actor_id, channel["id"]):
            if message["id"] == message_id:
                return message
        raise NotPossible("This message is gone.")

    def _fill(
        self, known: list[Json], options: Mapping[str, Any], files: Files, channel: Json, resolved: Json
    ) -> list[Json]:
        by_name = {item["name"]: item for item in known}
        unknown = [name for name in [*options, *files] if name not in by_name]
        if unknown:
            raise NotPossible(f"There is no option {', '.join(unknown)}.")
        filled = []
        for name, value in {**options, **files}.items():
            option = by_name[name]
            if option["type"] == Option.ATTACHMENT:
                sent: Any = self._upload(value, channel, resolved)
            else:
                sent = check_value(option, value)
                self._resolve(option, sent, channel, resolved)
            filled.append({"type": option["type"], "name": name, "value": sent})
        return filled

    def _upload(self, upload: Any, channel: Json, resolved: Json) -> str:
        if not isinstance(upload, Upload):
            raise NotPossible("Choose a file for this option.")
        if len(upload.data) > self._places.upload_limit(channel):
            raise NotPossible("Your files are too powerful. They are over the upload limit here.")
        attachment = self._attachments.add(upload, self._places.bot_id, ephemeral=True)
        resolved.setdefault("attachments", {})[attachment["id"]] = attachment
        return str(attachment["id"])

    def _resolve(self, option: Json, value: Any, channel: Json, resolved: Json) -> None:
        if option["type"] == Option.USER:
            if value not in self._scene.users:
                raise NotPossible("There is no such person.")
            resolved.setdefault("users", {})[value] = self._scene.users[value]
            member = self._places.member(channel.get("guild_id", ""), value)
            if member:
                shown = {key: item for key, item in member.items() if key not in ("user", "deaf", "mute")}
                shown["permissions"] = str(self._places.permissions(value, channel))
                resolved.setdefault("members", {})[value] = shown
        elif option["type"] == Option.CHANNEL:
            resolved.setdefault("channels", {})[value] = self._places.channel(value)
        elif option["type"] in (Option.ROLE, Option.MENTIONABLE):
            raise NotPossible("The sandbox does not implement role and mentionable options.")

    def _fill_row(self, row: Json, values: Mapping[str, Any], channel: Json, resolved: Json) -> Json:
        if row["type"] == Kind.ACTION_ROW:
            return {
                "type": 1,
                "components": [self._field(item, values, channel, resolved) for item in row["components"]],
            }
        if row["type"] == 18:
            return {"type": 18, "component": self._field(row["component"], values, channel, resolved)}
        return {"type": row["type"]}

    def _field(self, item: Json, values: Mapping[str, Any], channel: Json, resolved: Json) -> Json:
        value = values.get(item["custom_id"])
        if value in (None, "", []) and item.get("required", True):
            raise NotPossible("This field is required.")
        filled = {"type": item["type"], "custom_id": item["custom_id"]}
        if isinstance(value, list):
            chosen = [self._upload(one, channel, resolved) if isinstance(one, Upload) else one for one in value]
            return filled | {"values": chosen}
        return filled | ({"values": []} if item["type"] in {*SELECTS, 19} else {"value": value})

    def _owners(self, actor_id: str, channel: Json) -> dict[str, str]:
        """Say who installed the app for this place: {"0": guild id} the server, {"1": user id} the person."""
        guild_id = channel.get("guild_id")
        if guild_id is None:
            return {"0": "0", "1": actor_id}
        if self._places.member(guild_id, self._places.bot_id):
            return {"0": guild_id}
        return {"1": actor_id}

    def _begin(
        self,
        kind: InteractionType,
        actor_id: str,
        channel: Json,
        data: Json,
        message: Json | None = None,
        age_seconds: float = 0,
    ) -> Interaction:
        held = self._places.permissions(actor_id, channel)
        if not held & Permission.VIEW_CHANNEL:
            raise NotPossible("You cannot see this channel.")
        interaction_id = (
            self._stamps.snowflakes.backdated(age_seconds) if age_seconds else self._stamps.snowflakes.next()
        )
        now, timing = self._stamps.clock.now(), self._stamps.timing
        interaction = Interaction(
            id=interaction_id,
            type=kind,
            actor=self._scene.users[actor_id],
            channel=channel,
            answer_by=now + timing.acknowledge,
            token_until=now - age_seconds + timing.token_life,
        )
        interaction.payload = self._payload(interaction, data, message)
        self._interactions.begin(interaction)
        return interaction

    def _payload(self, interaction: Interaction, data: Json, message: Json | None) -> Json:
        channel, actor = interaction.channel, interaction.actor
        payload: Json = {
            "id": interaction.id,
            "application_id": self._scene.application["id"],
            "type": int(interaction.type),
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": channel["id"],
            "channel": channel | {"permissions": str(self._places.permissions(actor["id"], channel))},
            "context": 1 if channel["type"] == DIRECT else 0,
            "authorizing_integration_owners": self._owners(actor["id"], channel),
            "app_permissions": str(self._app_permissions(channel)),
            "attachment_size_limit": self._places.upload_limit(channel),
            "locale": "en-US",
            "entitlements": [],
        }
        if message:
            payload["message"] = message
        if "guild_id" not in channel:
            return payload | {"user": actor}
        guild = self._scene.guilds[channel["guild_id"]]
        member = self._places.member(guild["id"], actor["id"]) or {}
        payload["member"] = member | {"permissions": str(self._places.permissions(actor["id"], channel))}
        partial = {"id": guild["id"], "locale": guild["preferred_locale"], "features": guild["features"]}
        return payload | {"guild_id": guild["id"], "guild_locale": guild["preferred_locale"], "guild": partial}

    def _app_permissions(self, channel: Json) -> int:
        held = self._places.permissions(self._places.bot_id, channel)
        if held or "guild_id" not in channel:
            return held
        return int(Permission.ATTACH_FILES | Permission.EMBED_LINKS)


def _pick(select: Json, values: list[str]) -> list[str]:
    if not select["min_values"] <= len(values) <= select["max_values"]:
        raise NotPossible(f"Pick {select['min_values']} to {select['max_values']}.")
    offered = [option["value"] for option in select.get("options", [])]
    if offered and not set(values) <= set(offered):
        raise NotPossible("Pick one of the options.")
    return values
