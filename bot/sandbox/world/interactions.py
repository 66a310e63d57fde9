"""Interactions: what people did with the bot, found by id or by token, and the state of each."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from bot.sandbox.rules.callbacks import InteractionType
from bot.sandbox.rules.clock import Clock
from bot.sandbox.rules.errors import NotPossible, already_acknowledged, invalid_token, unknown
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.events import Events


class State(StrEnum):
    """The state of an interaction, as the person sees it."""

    WAITING = "waiting"
    THINKING = "thinking"
    """deferred: "Vivant is thinking..." """
    ANSWERED = "answered"
    MODAL = "modal"
    FAILED = "failed"
    """"The application did not respond" """


@dataclass
class Interaction:
    """One thing that a person did with the bot, and its state. Times are in seconds since 1970."""

    id: str
    type: InteractionType
    actor: Json
    channel: Json
    sent_at: float
    answer_by: float
    token_until: float
    payload: Json = field(default_factory=dict)
    """what the gateway sends"""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(48))
    state: State = State.WAITING
    message_id: str | None = None
    """the response (@original)"""
    own_messages: set[str] = field(default_factory=set)
    """what the token may edit"""
    followups: int = 0
    ephemeral: bool = False
    modal: Json | None = None
    opened_by: Interaction | None = None
    """of a form that was sent: what opened the form"""
    choices: list[Json] | None = None
    acknowledged_after: float | None = None
    """seconds between sending it to the bot and the bot's first answer"""
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def in_guild_with_bot(self) -> bool:
        """Whether the app is installed in the guild where this happened; else it is installed only for the person."""
        return "0" in self.payload["authorizing_integration_owners"]

    async def acknowledged(self, timeout: float = 5.0) -> Interaction:
        """Wait until the bot answered or the person saw the failure. Return the interaction. Raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await self.answered.wait()
        return self

    def open_modal(self, custom_id: str) -> Json:
        """Return the form that this interaction opened. Raises NotPossible when it opened another one or none."""
        if not self.modal or self.modal["custom_id"] != custom_id:
            raise NotPossible("This form is no longer open.")
        return self.modal

    def public(self) -> Json:
        """Return what the person's client needs: everything but the token."""
        return {
            "id": self.id,
            "type": int(self.type),
            "state": str(self.state),
            "channel_id": self.channel["id"],
            "message_id": self.message_id,
            "modal": self.modal,
        }


class Interactions:
    """Every interaction so far, by id and by token."""

    def __init__(self, application_id: str, events: Events, clock: Clock) -> None:
        self._application_id = application_id
        self._events = events
        self._clock = clock
        self._by_id: dict[str, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}

    def begin(self, interaction: Interaction) -> None:
        """Send an interaction to the bot; it fails when no answer comes in time."""
        self._by_id[interaction.id] = interaction
        self._by_token[interaction.token] = interaction
        self.announce(interaction)
        self._events.dispatch("INTERACTION_CREATE", interaction.payload)
        wait = interaction.answer_by - self._clock.now()
        asyncio.get_running_loop().call_later(max(wait, 0), self._expire, interaction)

    def get(self, interaction_id: str) -> Interaction:
        """Return an interaction. Raises Refusal when there is none."""
        if interaction_id not in self._by_id:
            raise unknown("Interaction")
        return self._by_id[interaction_id]

    def waiting(self, interaction_id: str, token: str) -> Interaction:
        """Return the interaction that a first answer is for.

        Raises Refusal when there is none with this token, when the time is over, or when it was answered already.
        """
        interaction = self.get(interaction_id)
        if interaction.token != token:
            raise unknown("Interaction")
        late = self._clock.now() > interaction.answer_by
        if interaction.state is State.FAILED or (interaction.state is State.WAITING and late):
            self._expire(interaction)
            raise unknown("Interaction")
        if interaction.state is not State.WAITING:
            raise already_acknowledged()
        return interaction

    def by_token(self, application_id: str, token: str) -> Interaction:
        """Return the interaction of a token. Raises Refusal for an unknown, unanswered or expired one."""
        if application_id != self._application_id or token not in self._by_token:
            raise unknown("Webhook")
        interaction = self._by_token[token]
        if self._clock.now() > interaction.token_until:
            raise invalid_token()
        if interaction.state in (State.WAITING, State.FAILED):
            raise unknown("Webhook")
        return interaction

    def acknowledge(self, interaction: Interaction) -> None:
        """Note that the bot's first answer came, and tell the person's client."""
        interaction.acknowledged_after = self._clock.now() - interaction.sent_at
        interaction.answered.set()
        self.announce(interaction)

    def announce(self, interaction: Interaction) -> None:
        """Send the person's client the state of the interaction."""
        self._events.show("INTERACTION_STATE", interaction.public(), interaction.actor["id"])

    def _expire(self, interaction: Interaction) -> None:
        if interaction.state is State.WAITING:
            interaction.state = State.FAILED
            interaction.answered.set()
            self.announce(interaction)
