"""The form to ask for a clip with: its labels, and what each choice does. No Discord.

Tested in tests/bot/edge/commands/form/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.policy.motion import Motion
from bot.texts.asking.choosing import choice_hint, choice_label
from generator.clip import Format, Loop, Shape

FORM_TITLE = "Animate a picture"
PICTURE_LABEL = "Picture"
PICTURE_ABOUT = "JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC"
WHICH_ABOUT = "That message has several"

LABELS: Mapping[str, str] = {
    "motion": "Motion",
    "shape": "Shape",
    "loop": "Loop",
    "format": "Format",
    "extras": "Also",
}
"""by field, in the form's order"""

ABOUT: Mapping[str, str] = {
    "motion": "How much shall move",
    "shape": "Landscape is wide, portrait is tall",
    "loop": "How the end meets the beginning",
    "format": "GIF and WebP loop by themselves; MP4 is sharpest",
    "extras": "Tick what you want",
}


def _named(words: type[StrEnum]) -> dict[str, tuple[str, str]]:
    return {str(word): (choice_label(word), choice_hint(word)) for word in words}


CHOICES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "motion": {"usual": ("As usual", "What suits the model, or what this server prefers"), **_named(Motion)},
    "shape": _named(Shape),
    "loop": _named(Loop),
    "format": _named(Format),
    "extras": {
        "smooth": ("Smooth", "Fill in frames for smoother motion"),
        "fast": ("Quick try", "Fewer steps: sooner there, a little rougher"),
        "pad": ("Keep the whole picture", "Blurred edges instead of a crop"),
    },
}
"""by field and value: what it is called, and what it does"""


def form_gone_text() -> str:
    """Say that an open form is known no more."""
    return (
        "I no longer know that form: it was open for more than an hour, or I was restarted since. Nothing was queued. "
        "Please open it again; I begin with what you chose last time."
    )


def no_file_text() -> str:
    """Say that a form came without its picture."""
    return "There was no picture in the form. Nothing was queued. Please open it again and choose one."
