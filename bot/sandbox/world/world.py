"""The whole local Discord as one object. All data is Discord's own JSON.

Tested in tests/sandbox/world/test_people.py and tests/sandbox/world/test_channels.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.sandbox.rules.clock import Clock, Snowflakes, Stamps, Timing
from bot.sandbox.rules.errors import unknown
from bot.sandbox.rules.locales import USUAL_LOCALE, check_locale
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.session_starts import SessionStarts
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.answers import Answers
from bot.sandbox.world.attachments import Attachments
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.commands import Commands
from bot.sandbox.world.directory import DIRECT
from bot.sandbox.world.events import Events, Subscription
from bot.sandbox.world.interactions import Interaction, Interactions
from bot.sandbox.world.messages import Messages
from bot.sandbox.world.people import People
from bot.sandbox.world.standard import DirectoryBuilder


class World:
    """One Discord. Methods that act as a person raise NotPossible where their client would not let them."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.timing = Timing()
        self.snowflakes = Snowflakes(self.clock)
        self.directory = DirectoryBuilder(self.clock).build()
        self.events = Events()
        self.identifies = 0
        """how often a bot identified"""
        self.session_starts = SessionStarts(self.clock)
        stamps = Stamps(self.clock, self.snowflakes, self.timing)
        self.channels = Channels(self.directory, self.events, self.clock, self.snowflakes)
        self.attachments = Attachments(self.clock, self.snowflakes, self.timing)
        self.messages = Messages(self.directory, self.channels, self.attachments, self.events, stamps)
        self.interactions = Interactions(self.directory.application["id"], self.events, self.clock)
        self.answers = Answers(self.directory, self.channels, self.messages, self.interactions)
        self.commands = Commands(self.directory.application["id"], self.snowflakes)
        self._people = People(
            directory=self.directory,
            channels=self.channels,
            attachments=self.attachments,
            messages=self.messages,
            commands=self.commands,
            interactions=self.interactions,
            stamps=stamps,
        )

    # Reading

    def actors(self) -> list[Json]:
        """Return the people: Ada, Ben (members), Mia (moderator), Olga (owner)."""
        return [user for user in self.directory.users.values() if not user.get("bot")]

    def actor(self, name: str) -> str:
        """Return the id of the person with that name ("Ada")."""
        return next(str(user["id"]) for user in self.actors() if user["global_name"] == name)

    def channel(self, name: str) -> str:
        """Return the id of a channel ("pictures") or of somebody's direct messages ("@Ada"). Raises KeyError."""
        for channel in self.directory.channels.values():
            direct = channel["type"] == DIRECT and f"@{channel['recipients'][0]['global_name']}" == name
            if direct or channel.get("name") == name.removeprefix("#"):
                return str(channel["id"])
        raise KeyError(name)

    def direct_channel(self, actor_id: str) -> Json:
        """Return the direct message channel of the bot and a person. Raises Refusal when there is none."""
        for channel in self.directory.channels.values():
            if channel["type"] == DIRECT and channel["recipients"][0]["id"] == actor_id:
                return channel
        raise unknown("User")

    def locale(self, actor_id: str) -> str:
        """Return the language that a person's client is set to."""
        return self.directory.locales.get(actor_id, USUAL_LOCALE)

    def set_locale(self, actor_id: str, locale: str) -> None:
        """Set a person's client to a language. Raises NotPossible for one that Discord does not have."""
        self.directory.locales[actor_id] = check_locale(locale)

    def channels_for(self, actor_id: str) -> list[Json]:
        """Return the channels, threads and direct messages a person sees."""
        channels = self.directory.channels.values()
        return [item for item in channels if self.channels.permissions(actor_id, item) & Permission.VIEW_CHANNEL]

    def messages_for(self, actor_id: str, channel_id: str) -> list[Json]:
        """Return the messages that a person sees in a channel, oldest first, without others' ephemeral ones."""
        return self.messages.seen_by(actor_id, channel_id)

    def commands_for(self, actor_id: str, channel_id: str | None = None) -> list[Json]:
        """Return the commands a person is offered in a channel (#general when none is named)."""
        channel = self.channels.get(channel_id or self.channel("general"))
        return self._people.commands_for(actor_id, channel)

    def attachment_bytes(self, attachment_id: str | int) -> bytes:
        """Return an uploaded file's content. Raises KeyError when there is none."""
        upload = self.attachments.read(str(attachment_id))
        if upload is None:
            raise KeyError(attachment_id)
        return upload.data

    def subscribe(self) -> Subscription:
        """Return an async iterator of events {"t", "d", "visible_to"}. Close it (or use `with`) when done."""
        return self.events.subscribe()

    # Acting as a person

    async def invoke(
        self,
        actor_id: str,
        channel_id: str,
        command: str,
        options: Mapping[str, Any] | None = None,
        files: Mapping[str, Upload] | None = None,
        *,
        age_seconds: float = 0,
    ) -> Interaction:
        """Run a slash command ("animate", "admin variant"). Its token is already `age_seconds` old."""
        channel = self.channels.get(channel_id)
        return self._people.command(actor_id, channel, command, options or {}, files or {}, age_seconds)

    async def autocomplete(
        self, actor_id: str, channel_id: str, command: str, options: Mapping[str, Any], focused: str
    ) -> list[Json]:
        """Return the suggestions for the option `focused` while it is typed; [] if the bot does not answer."""
        channel = self.channels.get(channel_id)
        interaction = self._people.complete(actor_id, channel, command, options, focused)
        await interaction.acknowledged(self.timing.acknowledge + 2)
        return interaction.choices or []

    async def invoke_on_message(
        self, actor_id: str, channel_id: str, message_id: str, command_name: str
    ) -> Interaction:
        """Choose an entry of a message's context menu."""
        return self._people.message_command(actor_id, self.channels.get(channel_id), message_id, command_name)

    async def press(
        self, actor_id: str, channel_id: str, message_id: str, custom_id: str, values: list[str] | None = None
    ) -> Interaction:
        """Press a button, or choose `values` from a select menu."""
        return self._people.press(actor_id, self.channels.get(channel_id), message_id, custom_id, values)

    async def submit_modal(
        self, actor_id: str, interaction_id: str, custom_id: str, components: Mapping[str, Any]
    ) -> Interaction:
        """Send the form that an interaction opened. `components` maps a custom id to text, chosen values or Uploads."""
        return self._people.submit(actor_id, interaction_id, custom_id, components)

    def post(self, actor_id: str, channel_id: str, content: str = "", files: list[Upload] | None = None) -> Json:
        """Write an ordinary message."""
        return self._people.post(actor_id, self.channels.get(channel_id), content, files or [])

    def post_link(self, actor_id: str, channel_id: str, url: str, picture: Upload) -> Json:
        """Write a message that is a link to a picture, which Discord has copied and shows."""
        return self.post_embeds(actor_id, channel_id, url, [self.attachments.link(url, picture)])

    def post_embeds(self, actor_id: str, channel_id: str, content: str, embeds: list[Json]) -> Json:
        """Write a message with embeds as Discord makes them of links."""
        return self._people.post_link(actor_id, self.channels.get(channel_id), content, embeds)

    def forward(self, actor_id: str, channel_id: str, message: Json) -> Json:
        """Forward a message to a channel."""
        return self._people.forward(actor_id, self.channels.get(channel_id), message)

    def delete_message(self, actor_id: str, channel_id: str, message_id: str) -> None:
        """Delete a message as a person, or dismiss an ephemeral one."""
        self._people.delete_message(actor_id, self.channels.get(channel_id), message_id)
