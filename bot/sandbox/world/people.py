"""What people do: type commands, press buttons, fill in forms, write messages. Builds what the bot receives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.rules.callbacks import InteractionType
from bot.sandbox.rules.clock import Stamps
from bot.sandbox.rules.commands import CHAT_INPUT, MESSAGE_COMMAND, descend, find_command, nest
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.layout.components import LINK, SELECTS, Kind, walk
from bot.sandbox.rules.locales import USUAL_LOCALE
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.attachments import Attachments
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.commands import Commands
from bot.sandbox.world.directory import DIRECT, Directory
from bot.sandbox.world.inputs import Inputs, pick
from bot.sandbox.world.interactions import Interaction, Interactions
from bot.sandbox.world.messages import Messages, Origin

Files = Mapping[str, Upload]


@dataclass(frozen=True, kw_only=True)
class People:
    """Acts as a person's own Discord client would, and raises NotPossible where that client would not let them."""

    directory: Directory
    channels: Channels
    attachments: Attachments
    messages: Messages
    commands: Commands
    interactions: Interactions
    stamps: Stamps

    def commands_for(self, actor_id: str, channel: Json) -> list[Json]:
        """Return the commands a person is offered in a channel."""
        guild_id = channel.get("guild_id")
        context = 1 if channel["type"] == DIRECT else 0
        installed = {int(kind) for kind in self._owners(actor_id, channel)}
        return self.commands.usable(guild_id, context, installed, self.channels.permissions(actor_id, channel))

    def command(
        self, actor_id: str, channel: Json, text: str, options: Mapping[str, Any], files: Files, age_seconds: float
    ) -> Interaction:
        """Run a slash command. `text` is its name with subcommands; the interaction looks `age_seconds` old."""
        name, *path = text.removeprefix("/").split()
        command = find_command(self.commands_for(actor_id, channel), CHAT_INPUT, name)
        known = descend(command, path)
        inputs = self._inputs(channel)
        filled = inputs.options(known, {**options, **files})
        missing = [item["name"] for item in known if item.get("required") and item["name"] not in {*options, *files}]
        if missing:
            raise NotPossible(f"This option is required. Specify a value: {', '.join(missing)}.")
        data: Json = {"id": command["id"], "name": name, "type": CHAT_INPUT, "options": nest(path, filled, command)}
        if inputs.resolved:
            data["resolved"] = inputs.resolved
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
        """Choose an entry of a message's context menu."""
        command = find_command(self.commands_for(actor_id, channel), MESSAGE_COMMAND, name)
        message = self._visible(actor_id, channel, message_id)
        data = {"id": command["id"], "name": name, "type": MESSAGE_COMMAND, "target_id": message_id}
        data["resolved"] = {"messages": {message_id: message}}
        return self._begin(InteractionType.COMMAND, actor_id, channel, data)

    def press(
        self, actor_id: str, channel: Json, message_id: str, custom_id: str, values: list[str] | None
    ) -> Interaction:
        """Press a button or choose from a select menu."""
        message = self._visible(actor_id, channel, message_id)
        component = next((item for item in walk(message["components"]) if item.get("custom_id") == custom_id), None)
        if component is None or component.get("style") == LINK:
            raise NotPossible("There is no such button.")
        if component.get("disabled"):
            raise NotPossible("This button is disabled.")
        data: Json = {"component_type": component["type"], "custom_id": custom_id, "id": component["id"]}
        if component["type"] in SELECTS:
            data |= {"values": pick(component, values or [])}
            inputs = self._inputs(channel)
            inputs.chosen(component, data["values"])
            if component["type"] != Kind.STRING_SELECT:
                data["resolved"] = inputs.resolved
        return self._begin(InteractionType.COMPONENT, actor_id, channel, data, message=message)

    def submit(self, actor_id: str, interaction_id: str, custom_id: str, values: Mapping[str, Any]) -> Interaction:
        """Send a form. `values` maps a custom id to a text, a list of chosen values, or a list of Uploads."""
        opened = self.interactions.get(interaction_id)
        modal = opened.open_modal(custom_id)
        if opened.actor["id"] != actor_id:
            raise NotPossible("This is somebody else's form.")
        inputs = self._inputs(opened.channel)
        rows = [inputs.row(row, values) for row in modal["components"]]
        data: Json = {"custom_id": custom_id, "components": rows}
        if inputs.resolved:
            data["resolved"] = inputs.resolved
        message = opened.payload.get("message")
        sent = self._begin(InteractionType.MODAL_SUBMIT, actor_id, opened.channel, data, message=message)
        sent.opened_by = opened
        return sent

    def post(self, actor_id: str, channel: Json, content: str, files: list[Upload]) -> Json:
        """Write an ordinary message."""
        held = self.channels.permissions(actor_id, channel)
        if not held & self.channels.permission_to_send(channel) or (files and not held & Permission.ATTACH_FILES):
            raise NotPossible("You do not have permission to do that here.")
        self.channels.require_open(channel, actor_id, reopen=True)
        limit = self.channels.upload_limit(channel)
        origin = Origin(self.directory.users[actor_id], max_file_bytes=limit)
        return self.messages.create(channel, {"content": content}, dict(enumerate(files)), origin)

    def post_link(self, actor_id: str, channel: Json, content: str, embeds: list[Json]) -> Json:
        """Write a message whose links Discord has turned into embeds."""
        origin = Origin(self.directory.users[actor_id], extra={"embeds": embeds})
        return self.messages.create(channel, {"content": content}, {}, origin)

    def forward(self, actor_id: str, channel: Json, message: Json) -> Json:
        """Forward a message: a snapshot of it in an otherwise empty message."""
        keys = ("type", "content", "embeds", "attachments", "components", "timestamp", "edited_timestamp", "flags")
        reference = {"type": 1, "channel_id": message["channel_id"], "message_id": message["id"]}
        snapshots = [{"message": {key: message[key] for key in (*keys, "mentions", "mention_roles")}}]
        extra = {"message_snapshots": snapshots, "message_reference": reference}
        return self.messages.create(channel, {}, {}, Origin(self.directory.users[actor_id], extra=extra))

    def delete_message(self, actor_id: str, channel: Json, message_id: str) -> None:
        """Delete the person's own message, or anybody's with Manage Messages; also dismiss an ephemeral one."""
        message = self._visible(actor_id, channel, message_id)
        mine = message["author"]["id"] == actor_id or message["flags"] & Flag.EPHEMERAL
        if not mine and not self.channels.permissions(actor_id, channel) & Permission.MANAGE_MESSAGES:
            raise NotPossible("You do not have permission to delete this message.")
        self.messages.delete(channel, message_id)

    def _visible(self, actor_id: str, channel: Json, message_id: str) -> Json:
        for message in self.messages.seen_by(actor_id, channel["id"]):
            if message["id"] == message_id:
                return message
        raise NotPossible("This message is gone.")

    def _inputs(self, channel: Json) -> Inputs:
        return Inputs(self.directory, self.channels, self.attachments, channel)

    def _owners(self, actor_id: str, channel: Json) -> dict[str, str]:
        """Return who installed the app for this channel: {"0": guild id} its server, {"1": user id} only the person.

        In the bot's direct messages Discord writes "0" for the guild.
        """
        guild_id = channel.get("guild_id")
        if guild_id is None:
            return {"0": "0"}
        if self.channels.member(guild_id, self.channels.bot_id) or guild_id in self.directory.commands_only:
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
        held = self.channels.permissions(actor_id, channel)
        if not held & Permission.VIEW_CHANNEL:
            raise NotPossible("You cannot see this channel.")
        interaction_id = self.stamps.snowflakes.backdated(age_seconds) if age_seconds else self.stamps.snowflakes.next()
        now, timing = self.stamps.clock.now(), self.stamps.timing
        interaction = Interaction(
            id=interaction_id,
            type=kind,
            actor=self.directory.users[actor_id],
            channel=channel,
            sent_at=now,
            answer_by=now + timing.acknowledge,
            token_until=now - age_seconds + timing.token_life,
        )
        interaction.payload = self._payload(interaction, data, message)
        self.interactions.begin(interaction)
        return interaction

    def _payload(self, interaction: Interaction, data: Json, message: Json | None) -> Json:
        channel, actor = interaction.channel, interaction.actor
        payload: Json = {
            "id": interaction.id,
            "application_id": self.directory.application["id"],
            "type": int(interaction.type),
            "token": interaction.token,
            "version": 1,
            "data": data,
            "channel_id": channel["id"],
            "channel": channel | {"permissions": str(self.channels.permissions(actor["id"], channel))},
            "context": 1 if channel["type"] == DIRECT else 0,
            "authorizing_integration_owners": self._owners(actor["id"], channel),
            "app_permissions": str(self._app_permissions(channel)),
            "attachment_size_limit": self.channels.upload_limit(channel),
            "locale": self.directory.locales.get(actor["id"], USUAL_LOCALE),
            "entitlements": [],
        }
        if message:
            payload["message"] = message
        if "guild_id" not in channel:
            return payload | {"user": actor}
        guild = self.directory.guilds[channel["guild_id"]]
        member = self.channels.member(guild["id"], actor["id"]) or {}
        payload["member"] = member | {"permissions": str(self.channels.permissions(actor["id"], channel))}
        partial = {"id": guild["id"], "locale": guild["preferred_locale"], "features": guild["features"]}
        return payload | {"guild_id": guild["id"], "guild_locale": guild["preferred_locale"], "guild": partial}

    def _app_permissions(self, channel: Json) -> int:
        held = self.channels.inherited_permissions(self.channels.bot_id, channel)
        if held or "guild_id" not in channel:
            return held
        return int(Permission.ATTACH_FILES | Permission.EMBED_LINKS)
