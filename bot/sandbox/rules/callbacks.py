"""The types of a first answer to an interaction, and which of them Discord allows to which interaction.

Tested in tests/sandbox/world/test_answers.py.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from bot.sandbox.rules.errors import Refusal, invalid_form


class InteractionType(IntEnum):
    """What the person did."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class Callback(IntEnum):
    """The types of a first answer."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    CHOICES = 8
    MODAL = 9


_ALLOWED = {
    InteractionType.COMMAND: {Callback.MESSAGE, Callback.DEFERRED_MESSAGE, Callback.MODAL},
    InteractionType.COMPONENT: set(Callback) - {Callback.CHOICES},
    InteractionType.AUTOCOMPLETE: {Callback.CHOICES},
    InteractionType.MODAL_SUBMIT: set(Callback) - {Callback.CHOICES, Callback.MODAL},
}


def check_callback(kind: Any, interaction: InteractionType, *, on_message: bool) -> Callback:
    """Return the callback type of a first answer; `on_message` says whether the interaction came from a message.

    Raises Refusal when this interaction cannot be answered like that.
    """
    if kind not in set(Callback):
        raise Refusal(501, 0, f"The sandbox does not implement interaction callback type {kind}")
    callback = Callback(kind)
    if callback in (Callback.DEFERRED_UPDATE, Callback.UPDATE_MESSAGE) and not on_message:
        raise invalid_form("type", "INTERACTION_TYPE_INVALID", "There is no message to update.")
    if callback not in _ALLOWED[interaction]:
        raise invalid_form("type", "INTERACTION_TYPE_INVALID", f"Type {kind} cannot answer this interaction.")
    return callback
