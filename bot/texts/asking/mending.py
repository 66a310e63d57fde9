"""A refused request that its person may mend: the button under the refusal, and the form behind it. No Discord.

Tested in tests/bot/edge/commands/submission/choosing/test_mending.py.
"""

from __future__ import annotations

from bot.texts.languages.sentences import N_, _, pgettext
from bot.texts.limits import SENTENCE_LETTERS, shorten

LABEL_LETTERS = 45
"""of a form's title, and of the name of a field in it"""
HINT_LETTERS = 100
"""of the sentence under a field's name"""
_OTHER_LABELS = {
    "rest": N_("All other options"),
    "picture": N_("Another picture"),
    "channel": N_("Another channel"),
}
"""of the fields that are no option of the command"""


def mend_label() -> str:
    """Name the button."""
    return _("Mend and try again")


def mend_until_text(until_ms: int) -> str:
    """Say until when what was chosen is kept."""
    when = f"<t:{until_ms // 1000}:t>"
    # Translators: {when} is a time of the day.
    return _("-# I keep the picture and what you chose until {when}, for you alone, to mend it.", when=when)


def mend_title() -> str:
    """Name the form."""
    return _("Mend and try again")


def refused_field_text(value: str) -> str:
    """Mark the field whose value was refused; empty: nothing was chosen there. The whole refusal stands above."""
    if not value:
        return _("Refused as it was: please choose something here")
    return shorten(_("Refused: {value}", value=shorten(value, HINT_LETTERS)), HINT_LETTERS)


def refused_picture_text() -> str:
    """Mark the field for another picture, where the picture was refused."""
    return _("Refused: your picture. Choose another one, or leave this empty to try the same again")


def refused_channel_text() -> str:
    """Mark the field for another channel, where this one was refused."""
    return _("Refused: this channel. The clip is made in the one that you choose; without one I try again here")


def usual_choice_text() -> str:
    """Say in a menu that nothing is chosen."""
    return _("As usual")


def motion_hint() -> str:
    """Say what the field for the motion takes."""
    return _("gentle, medium, strong, wild, or a whole number from 0 to 255; empty: as usual")


def rest_hint() -> str:
    """Say what the field for all other options takes."""
    return _("One option in a line, such as loop: boomerang")


def field_label(option: str) -> str:
    """Name a field of the form."""
    if option in _OTHER_LABELS:
        return shorten(_(_OTHER_LABELS[option]), LABEL_LETTERS)
    name = pgettext("option name", option)  # as the command calls it, whose texts are in the catalogue already
    return shorten(name.replace("_", " ").capitalize(), LABEL_LETTERS)


def moving_text() -> str:
    """Hold the place of a card in another channel."""
    return _("One moment: a picture is coming in.")


def moved_text(link: str) -> str:
    """Say in which other channel the card is."""
    return _("It is in the queue over there: {link}", link=shorten(link, SENTENCE_LETTERS))


def not_kept_text() -> str:
    """Say that what was chosen is no longer kept."""
    return _("I no longer keep what you chose. Nothing was queued. Please use /animate again.")
