"""One thing a person did with the bot: what it was, how it may be answered, and what became of it."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.payloads import Json


class InteractionType(IntEnum):
    """What the person did."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class Callback(IntEnum):
    """The ways to answer first."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    CHOICES = 8
    MODAL = 9


class State(StrEnum):
    """Where an interaction stands, as the person sees it."""

    WAITING = "waiting"
    THINKING = "thinking"
    """deferred: "Vivant is thinking..." """
    ANSWERED = "answered"
    MODAL = "modal"
    FAILED = "failed"
    """"The application did not respond" """


@dataclass
class Interaction:
    """One thing a person did with the bot, and what became of it. Moments are seconds since 1970."""

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
    choices: list[Json] | None = None
    acknowledged_after: float | None = None
    """seconds between sending it to the bot and the bot's first answer"""
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def in_guild_with_bot(self) -> bool:
        """Tell whether the app is installed where this happened (else only for the person)."""
        return "0" in self.payload["authorizing_integration_owners"]

    async def acknowledged(self, timeout: float = 5.0) -> Interaction:
        """Wait until the bot answered or the person saw the failure, and give the interaction."""
        async with asyncio.timeout(timeout):
            await self.answered.wait()
        return self

    def open_modal(self, custom_id: str) -> Json:
        """Give the form this interaction opened; NotPossible if it was another or none."""
        if not self.modal or self.modal["custom_id"] != custom_id:
            raise NotPossible("This form is no longer open.")
        return self.modal

    def public(self) -> Json:
        """Give what a person's client needs to know, without the token."""
        return {
            "id": self.id,
            "type": int(self.type),
            "state": str(self.state),
            "channel_id": self.channel["id"],
            "message_id": self.message_id,
            "modal": self.modal,
        }
