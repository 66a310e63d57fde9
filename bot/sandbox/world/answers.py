"""What the bot answers to an interaction: first within three seconds, then by its token for fifteen minutes."""

from __future__ import annotations

from bot.sandbox.rules.callbacks import Callback, InteractionType, check_callback
from bot.sandbox.rules.errors import invalid_form, too_many_followups, unknown
from bot.sandbox.rules.layout.modals import check_modal, complete_modal
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.directory import Directory
from bot.sandbox.world.interactions import Interaction, Interactions, State
from bot.sandbox.world.messages import Messages, Origin

MAX_USER_INSTALL_FOLLOWUPS = 5


class Answers:
    """The bot's answers to interactions: messages, updates, forms and choices."""

    def __init__(
        self, directory: Directory, channels: Channels, messages: Messages, interactions: Interactions
    ) -> None:
        self._directory = directory
        self._channels = channels
        self._messages = messages
        self._interactions = interactions

    def respond(
        self, interaction_id: str, token: str, body: Json, uploads: dict[int, Upload]
    ) -> tuple[Interaction, Json]:
        """Accept the bot's first answer. Return the interaction and the message ({} where there is none)."""
        interaction = self._interactions.waiting(interaction_id, token)
        callback = check_callback(body.get("type"), interaction.type, on_message="message" in interaction.payload)
        message = self._answer(interaction, callback, body.get("data") or {}, uploads)
        self._interactions.acknowledge(interaction)
        return interaction, message

    def get_message(self, interaction: Interaction, message_id: str) -> Json:
        """Return one of the interaction's messages; "@original" is the response."""
        return self._messages.get(interaction.channel["id"], self._own(interaction, message_id), by_token=True)

    def edit(self, interaction: Interaction, message_id: str, body: Json, uploads: dict[int, Upload]) -> Json:
        """Edit one of the interaction's messages."""
        self._channels.require_open(self._channels.get(interaction.channel["id"]), None, reopen=False)
        own = self._own(interaction, message_id)
        message = self._messages.edit(interaction.channel, own, body, uploads, self._limit(interaction))
        if own == interaction.message_id and interaction.state is State.THINKING:
            interaction.state = State.ANSWERED
            self._interactions.announce(interaction)
        return message

    def delete(self, interaction: Interaction, message_id: str) -> None:
        """Delete one of the interaction's messages. After its deferred message is gone, a followup is a new message."""
        own = self._own(interaction, message_id)
        self._messages.delete(interaction.channel, own)
        if own == interaction.message_id and interaction.state is State.THINKING:
            interaction.state = State.ANSWERED
            self._interactions.announce(interaction)

    def follow_up(self, interaction: Interaction, body: Json, uploads: dict[int, Upload]) -> Json:
        """Post another message. The first one after a deferred answer fills the deferred message instead."""
        if interaction.state is State.THINKING:
            return self.edit(interaction, "@original", body, uploads)
        if not interaction.in_guild_with_bot and interaction.followups >= MAX_USER_INSTALL_FOLLOWUPS:
            raise too_many_followups()
        self._channels.require_open(self._channels.get(interaction.channel["id"]), None, reopen=True)
        message = self._post(interaction, body, uploads)
        interaction.followups += 1
        return message

    def _answer(self, interaction: Interaction, callback: Callback, data: Json, uploads: dict[int, Upload]) -> Json:
        if callback is Callback.MODAL:
            check_modal(data)
            interaction.modal, interaction.state = complete_modal(data), State.MODAL
            return {}
        if callback is Callback.CHOICES:
            choices = data.get("choices") or []
            if len(choices) > 25:
                raise invalid_form("choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
            for choice in choices:
                if not all(1 <= len(str(choice[key])) <= 100 for key in ("name", "value")):
                    raise invalid_form("choices", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.")
            interaction.choices, interaction.state = choices, State.ANSWERED
            return {}
        if callback in (Callback.DEFERRED_UPDATE, Callback.UPDATE_MESSAGE):
            return self._update(interaction, callback, data, uploads)
        deferred = callback is Callback.DEFERRED_MESSAGE
        interaction.ephemeral = bool((data.get("flags") or 0) & Flag.EPHEMERAL)
        body = {"flags": (data.get("flags") or 0) & Flag.EPHEMERAL} if deferred else data
        message = self._post(interaction, body, {} if deferred else uploads, Flag.LOADING if deferred else 0)
        interaction.message_id = message["id"]
        interaction.state = State.THINKING if deferred else State.ANSWERED
        return message

    def _update(self, interaction: Interaction, callback: Callback, data: Json, uploads: dict[int, Upload]) -> Json:
        message_id = interaction.payload["message"]["id"]
        message: Json = {}
        if callback is Callback.UPDATE_MESSAGE:
            message = self._messages.edit(interaction.channel, message_id, data, uploads, self._limit(interaction))
        interaction.message_id = message_id
        interaction.own_messages.add(message_id)
        interaction.state = State.ANSWERED
        return message

    def _post(self, interaction: Interaction, body: Json, uploads: dict[int, Upload], flags: int = 0) -> Json:
        ephemeral = bool((body.get("flags") or 0) & Flag.EPHEMERAL)
        extra = self._provenance(interaction)
        kind = 0 if interaction.message_id else extra.pop("type")
        extra.pop("type", None)
        origin = Origin(
            author=self._directory.bot,
            type=kind,
            seen_by=interaction.actor["id"] if ephemeral else None,
            extra=extra,
            max_file_bytes=self._limit(interaction),
            flags=flags,
        )
        message = self._messages.create(interaction.channel, body, uploads, origin)
        interaction.own_messages.add(message["id"])
        return message

    def _provenance(self, interaction: Interaction) -> Json:
        """Return the fields that say which interaction a message answers."""
        kind = 0
        if interaction.type is InteractionType.COMMAND:
            kind = {1: 20}.get(interaction.payload["data"].get("type"), 23)
        application = self._directory.application["id"]
        return {
            "type": kind,
            "application_id": application,
            "webhook_id": application,
            "interaction_metadata": _metadata(interaction),
        }

    def _own(self, interaction: Interaction, message_id: str) -> str:
        self._channels.get(interaction.channel["id"])  # a deleted channel took its messages with it: 10003
        own = interaction.message_id if message_id == "@original" else message_id
        if own is None or own not in interaction.own_messages:
            raise unknown("Message")
        return own

    def _limit(self, interaction: Interaction) -> int:
        return int(interaction.payload["attachment_size_limit"])


def _metadata(interaction: Interaction) -> Json:
    """Return how a message tells of the interaction that it answers, and of what opened the form that was sent."""
    payload = interaction.payload
    metadata: Json = {
        "id": interaction.id,
        "type": int(interaction.type),
        "user": interaction.actor,
        "authorizing_integration_owners": payload["authorizing_integration_owners"],
    }
    if interaction.type is InteractionType.COMPONENT:
        metadata["interacted_message_id"] = payload["message"]["id"]
    if interaction.message_id:
        metadata["original_response_message_id"] = interaction.message_id
    if "target_id" in payload["data"]:
        metadata["target_message_id"] = payload["data"]["target_id"]
    if interaction.opened_by is not None:
        metadata["triggering_interaction_metadata"] = _metadata(interaction.opened_by)
    return metadata
