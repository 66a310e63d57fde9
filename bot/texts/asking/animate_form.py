"""The form to ask for a clip with: its labels, and what each choice does. No Discord.

Tested in tests/bot/edge/commands/form/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.policy.motion import Motion
from bot.texts.asking.choosing import choice_hint, choice_label
from bot.texts.languages.sentences import N_, _
from generator.clip import Format, Loop, Shape

FORM_TITLE = N_("Animate a picture")
PICTURE_LABEL = N_("Picture")
PICTURE_ABOUT = N_("JPEG, PNG, WebP, GIF, AVIF, TIFF or HEIC")
WHICH_ABOUT = N_("That message has several")

LABELS: Mapping[str, str] = {
    "motion": N_("Motion"),
    "shape": N_("Shape"),
    "loop": N_("Loop"),
    "format": N_("Format"),
    "extras": N_("Also"),
}
"""by field, in the form's order"""

ABOUT: Mapping[str, str] = {
    "motion": N_("How much shall move"),
    "shape": N_("Landscape is wide, portrait is tall"),
    "loop": N_("How the end meets the beginning"),
    "format": N_("GIF and WebP loop by themselves; MP4 is sharpest"),
    "extras": N_("Tick what you want"),
}


_KINDS: Mapping[str, type[StrEnum]] = {"motion": Motion, "shape": Shape, "loop": Loop, "format": Format}
_EXTRAS: Mapping[str, tuple[str, str]] = {
    "smooth": (N_("Smooth"), N_("Fill in frames for smoother motion")),
    "fast": (N_("Quick try"), N_("Fewer steps: sooner there, a little rougher")),
    "pad": (N_("Keep the whole picture"), N_("Blurred edges instead of a crop")),
}


def form_choices() -> dict[str, dict[str, tuple[str, str]]]:
    """Return, by field and value, what each choice is called and what it does."""
    usual = {"usual": (_("As usual"), _("What suits the model, or what this server prefers"))}
    choices = {name: (usual if name == "motion" else {}) | _named(kind) for name, kind in _KINDS.items()}
    return choices | {"extras": {value: (_(name), _(hint)) for value, (name, hint) in _EXTRAS.items()}}


def _named(words: type[StrEnum]) -> dict[str, tuple[str, str]]:
    return {str(word): (choice_label(word), choice_hint(word)) for word in words}


def unnamed_picture_text() -> str:
    """Name a picture that has no name."""
    return _("picture")


def form_gone_text(*, remembers: bool) -> str:
    """Say that an open form is known no more; `remembers` tells whether a new one begins with the last choices."""
    if not remembers:
        return _(
            "I no longer know that form: it was open for more than an hour, or I was restarted since. "
            "Nothing was queued or changed. Please open it again."
        )
    return _(
        "I no longer know that form: it was open for more than an hour, or I was restarted since. Nothing was queued. "
        "Please open it again; I begin with what you chose last time."
    )


def no_file_text() -> str:
    """Say that a form came without its picture."""
    return _("There was no picture in the form. Nothing was queued. Please open it again and choose one.")
