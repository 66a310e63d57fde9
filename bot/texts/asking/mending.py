"""A refused request that its person may mend: the button under the refusal, and the form behind it. No Discord.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

from bot.texts.explanations import NOTHING_QUEUED
from bot.texts.limits import SENTENCE_LETTERS, shorten

LABEL_LETTERS = 45
"""of a form's title, and of the name of a field in it"""
HINT_LETTERS = 100
"""of the sentence under a field's name"""


def mend_label() -> str:
    """Name the button."""
    return "Mend and try again"


def mend_until_text(until_ms: int) -> str:
    """Say until when what was chosen is kept."""
    return f"-# I keep the picture and what you chose until <t:{until_ms // 1000}:t>, for you alone, to mend it."


def mend_title() -> str:
    """Name the form."""
    return "Mend and try again"


def refused_field_text(value: str) -> str:
    """Mark the field whose value was refused; empty: nothing was chosen there. The whole refusal stands above."""
    if not value:
        return "Refused as it was: please choose something here"
    return shorten(f"Refused: {value}", HINT_LETTERS)


def refused_picture_text() -> str:
    """Mark the field for another picture, where the picture was refused."""
    return "Refused: your picture. Choose another one, or leave this empty to try the same again"


def refused_channel_text() -> str:
    """Mark the field for another channel, where this one was refused."""
    return "Refused: this channel. The clip is made in the one that you choose; without one I try again here"


def usual_choice_text() -> str:
    """Say in a menu that nothing is chosen."""
    return "As usual"


def motion_hint() -> str:
    """Say what the field for the motion takes."""
    return "gentle, medium, strong, wild, or a whole number from 0 to 255; empty: as usual"


def rest_hint() -> str:
    """Say what the field for all other options takes."""
    return "One option in a line, such as loop: boomerang"


def field_label(option: str) -> str:
    """Name a field of the form."""
    names = {"rest": "All other options", "picture": "Another picture", "channel": "Another channel"}
    return shorten(names.get(option, option.replace("_", " ").capitalize()), LABEL_LETTERS)


def moving_text() -> str:
    """Hold the place of a card in another channel."""
    return "One moment: a picture is coming in."


def moved_text(link: str) -> str:
    """Say in which other channel the card is."""
    return f"It is in the queue over there: {shorten(link, SENTENCE_LETTERS)}"


def not_kept_text() -> str:
    """Say that what was chosen is no longer kept."""
    return f"I no longer keep what you chose. {NOTHING_QUEUED} Please use /animate again."
