"""Interactions from the bot's side: the three seconds, the fifteen minutes, and every way to answer."""

from __future__ import annotations

import asyncio

from bot.sandbox.rules.clock import Stamps
from bot.sandbox.rules.components import check_modal
from bot.sandbox.rules.errors import (
    Refusal,
    already_acknowledged,
    invalid_form,
    invalid_token,
    too_many_followups,
    unknown,
)
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.channels import Channels
from bot.sandbox.world.directory import Directory
from bot.sandbox.world.events import Events
from bot.sandbox.world.interactions import Callback, Interaction, InteractionType, State
from bot.sandbox.world.messages import Messages, Origin

_ALLOWED = {
    InteractionType.COMMAND: {Callback.MESSAGE, Callback.DEFERRED_MESSAGE, Callback.MODAL},
    InteractionType.COMPONENT: set(Callback) - {Callback.CHOICES},
    InteractionType.AUTOCOMPLETE: {Callback.CHOICES},
    InteractionType.MODAL_SUBMIT: set(Callback) - {Callback.CHOICES, Callback.MODAL},
}
MAX_USER_INSTALL_FOLLOWUPS = 5


class Interactions:
    """All interactions by id and by token."""

    def __init__(
        self, directory: Directory, channels: Channels, messages: Messages, events: Events, stamps: Stamps
    ) -> None:
        self._directory = directory
        self._channels = channels
        self._messages = messages
        self._events = events
        self._stamps = stamps
        self._by_id: dict[str, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}

    def begin(self, interaction: Interaction) -> None:
        """Send an interaction to the bot and start its three seconds."""
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        self._tell(interaction)
        self._events.dispatch("INTERACTION_CREATE", interaction.payload)
        wait = interaction.answer_by - self._stamps.clock.now()
        asyncio.get_running_loop().call_later(max(wait, 0), self._expire, interaction)

    def get(self, interaction_id: str) -> Interaction:
        """Give an interaction; Refusal if there is none."""
        if interaction_id not in self._by_id:
            raise unknown("Interaction")
        return self._by_id[interaction_id]

    def all(self) -> list[Interaction]:
        """Give every interaction so far, oldest first."""
        return list(self._by_id.values())

    def respond(
        self, interaction_id: str, token: str, body: Json, uploads: dict[int, Upload]
    ) -> tuple[Interaction, Json]:
        """Take the bot's first answer; give the interaction and, where there is one, the message."""
        interaction = self.get(interaction_id)
        if interaction.token != token:
            raise unknown("Interaction")
        now = self._stamps.clock.now()
        if interaction.state is State.FAILED or (interaction.state is State.WAITING and now > interaction.answer_by):
            self._expire(interaction)
            raise unknown("Interaction")
        if interaction.state is not State.WAITING:
            raise already_acknowledged()
        callback = self._callback(interaction, body)
        message = self._answer(interaction, callback, body.get("data") or {}, uploads)
        interaction.acknowledged_after = now - interaction.sent_at
        interaction.answered.set()
        self._tell(interaction)
        return interaction, message

    def by_token(self, application_id: str, token: str) -> Interaction:
        """Give the interaction of a living token; Refusal for a foreign, unanswered or expired one."""
        if application_id != self._directory.application["id"] or token not in self._by_token:
            raise unknown("Webhook")
        interaction = self._by_token[token]
        if self._stamps.clock.now() > interaction.token_until:
            raise invalid_token()
        if interaction.state in (State.WAITING, State.FAILED):
            raise unknown("Webhook")
        return interaction

    def get_message(self, interaction: Interaction, message_id: str) -> Json:
        """Give one of the interaction's messages; "@original" is the response."""
        return self._messages.get(interaction.channel["id"], self._own(interaction, message_id), by_token=True)

    def edit(self, interaction: Interaction, message_id: str, body: Json, uploads: dict[int, Upload]) -> Json:
        """Edit one of the interaction's messages."""
        self._channels.require_open(self._channels.get(interaction.channel["id"]), reopen=False)
        own = self._own(interaction, message_id)
        message = self._messages.edit(interaction.channel, own, body, uploads, self._limit(interaction))
        if own == interaction.message_id and interaction.state is State.THINKING:
            interaction.state = State.ANSWERED
            self._tell(interaction)
        return message

    def delete(self, interaction: Interaction, message_id: str) -> None:
        """Delete one of the interaction's messages; without its "thinking" one, a followup is a message of its own."""
        own = self._own(interaction, message_id)
        self._messages.delete(interaction.channel, own)
        if own == interaction.message_id and interaction.state is State.THINKING:
            interaction.state = State.ANSWERED
            self._tell(interaction)

    def follow_up(self, interaction: Interaction, body: Json, uploads: dict[int, Upload]) -> Json:
        """Post another message; the first one after a defer resolves the defer instead."""
        if interaction.state is State.THINKING:
            return self.edit(interaction, "@original", body, uploads)
        if not interaction.in_guild_with_bot and interaction.followups >= MAX_USER_INSTALL_FOLLOWUPS:
            raise too_many_followups()
        self._channels.require_open(self._channels.get(interaction.channel["id"]), reopen=True)
        message = self._post(interaction, body, uploads)
        interaction.followups += 1
        return message

    def _callback(self, interaction: Interaction, body: Json) -> Callback:
        kind = body.get("type")
        if kind not in set(Callback):
            raise Refusal(501, 0, f"The sandbox does not implement interaction callback type {kind}")
        callback = Callback(kind)
        on_message = "message" in interaction.payload
        if callback in (Callback.DEFERRED_UPDATE, Callback.UPDATE_MESSAGE) and not on_message:
            raise invalid_form("type", "INTERACTION_TYPE_INVALID", "There is no message to update.")
        if callback not in _ALLOWED[interaction.type]:
            raise invalid_form("type", "INTERACTION_TYPE_INVALID", f"Type {kind} cannot answer this interaction.")
        return callback

    def _answer(self, interaction: Interaction, callback: Callback, data: Json, uploads: dict[int, Upload]) -> Json:
        if callback is Callback.MODAL:
            check_modal(data)
            interaction.modal, interaction.state = data, State.MODAL
            return {}
        if callback is Callback.CHOICES:
            choices = data.get("choices") or []
            if len(choices) > 25:
                raise invalid_form("choices", "BASE_TYPE_MAX_LENGTH", "Must be 25 or fewer in length.")
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
        """Give the fields by which a message says what it answers."""
        payload = interaction.payload
        metadata: Json = {
            "id": interaction.id,
            "type": int(interaction.type),
            "user": interaction.actor,
            "authorizing_integration_owners": payload["authorizing_integration_owners"],
        }
        kind = {1: 20}.get(payload["data"].get("type"), 23) if interaction.type is InteractionType.COMMAND else 0
        if interaction.type is InteractionType.COMPONENT:
            metadata["interacted_message_id"] = payload["message"]["id"]
        if interaction.message_id:
            metadata["original_response_message_id"] = interaction.message_id
        if "target_id" in payload["data"]:
            metadata["target_message_id"] = payload["data"]["target_id"]
        application = self._directory.application["id"]
        return {
            "type": kind,
            "application_id": application,
            "webhook_id": application,
            "interaction_metadata": metadata,
        }

    def _own(self, interaction: Interaction, message_id: str) -> str:
        self._channels.get(interaction.channel["id"])  # 10003 once it is deleted: its messages went with it
        own = interaction.message_id if message_id == "@original" else message_id
        if own is None or own not in interaction.own_messages:
            raise unknown("Message")
        return own

    def _limit(self, interaction: Interaction) -> int:
        return int(interaction.payload["attachment_size_limit"])

    def _expire(self, interaction: Interaction) -> None:
        if interaction.state is State.WAITING:
            interaction.state = State.FAILED
            interaction.answered.set()
            self._tell(interaction)

    def _tell(self, interaction: Interaction) -> None:
        self._events.show("INTERACTION_STATE", interaction.public(), interaction.actor["id"])
