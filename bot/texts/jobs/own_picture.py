"""What people read when they make a recipe with their own picture. No Discord.

Tested in tests/bot/edge/commands/jobs/test_own_picture.py.
"""

from __future__ import annotations

from bot.texts.languages.sentences import _
from bot.texts.limits import shorten


def own_picture_form_title() -> str:
    """Return the form's title."""
    return _("The same with your picture")


def own_picture_button_label() -> str:
    """Return the label of the button that opens the form."""
    return _("With your picture")


def own_picture_field_label() -> str:
    """Return the label of the field for the picture."""
    return _("Your picture")


def own_picture_hint(settings: str) -> str:
    """Say what the clip will be made with."""
    return _(
        "It is made with: {settings}. Its shape follows your picture; the model is today's.",
        settings=shorten(settings, 300),
    )
