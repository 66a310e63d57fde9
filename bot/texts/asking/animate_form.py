"""The form to ask for a clip with: its labels, and what each choice does. No Discord.

Tested in tests/bot/edge/commands/form/test_fields.py.
"""

from __future__ import annotations

from collections.abc import Mapping

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

CHOICES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "motion": {
        "usual": ("As usual", "What suits the model, or what this server prefers"),
        "gentle": ("Gentle", "The camera hardly moves, small things do"),
        "medium": ("Medium", "Calm movement, good for most pictures"),
        "strong": ("Strong", "Clear movement of the camera and of what it sees"),
        "wild": ("Wild", "As much as the model can; departs further from the picture"),
    },
    "shape": {
        "auto": ("As the picture", ""),
        "landscape": ("Landscape", ""),
        "portrait": ("Portrait", ""),
        "square": ("Square", ""),
    },
    "loop": {
        "none": ("No loop", "It ends somewhere else than it began"),
        "boomerang": ("Boomerang", "Forwards and back, twice as long"),
        "crossfade": ("Cross-fade", "The end fades into the beginning"),
        "seam": ("Best matching cut", "Shorter: cut where end and beginning look alike"),
    },
    "format": {
        "mp4": ("MP4 video", "Sharpest, small; one presses play"),
        "gif": ("GIF", "Moves by itself everywhere; large, few colours"),
        "webp": ("Animated WebP", "Moves by itself; sharper than GIF"),
    },
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
