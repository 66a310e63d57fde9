"""What the choices for a clip are called and do, in a form and while somebody types. No Discord.

Tested in tests/bot/edge/commands/submission/choosing/test_suggestions.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.policy.motion import Motion
from bot.texts.limits import NAME_LETTERS, shorten
from generator.clip import Format, Framing, Loop, Quality, Shape

_WORDS: Mapping[StrEnum, tuple[str, str]] = {
    Motion.GENTLE: ("Gentle", "still camera, only small things move"),
    Motion.MEDIUM: ("Medium", "things move, and the camera a little"),
    Motion.STRONG: ("Strong", "the camera moves too"),
    Motion.WILD: ("Wild", "everything moves, and the clip departs further from the picture"),
    Format.MP4: ("MP4 video", "sharpest and small, plays when it is pressed"),
    Format.GIF: ("GIF", "loops by itself everywhere, large, with few colours"),
    Format.WEBP: ("Animated WebP", "loops by itself, with all colours"),
    Quality.FAST: ("fast", "for a try"),
    Quality.BALANCED: ("balanced", "between the two"),
    Quality.QUALITY: ("quality", "for keeping"),
    Shape.AUTO: ("As the picture", ""),
    Shape.LANDSCAPE: ("Landscape", ""),
    Shape.PORTRAIT: ("Portrait", ""),
    Shape.SQUARE: ("Square", ""),
    Framing.CROP: ("Keep the centre", ""),
    Framing.SMART: ("Keep the most interesting part", ""),
    Framing.PAD: ("Keep everything", "blurred edges instead of a crop"),
    Loop.NONE: ("No loop", "the end differs from the beginning"),
    Loop.BOOMERANG: ("Boomerang", "forwards and back, twice as long"),
    Loop.CROSSFADE: ("Cross-fade", "the end fades into the beginning"),
    Loop.SEAM: ("Best matching cut", "shorter, cut where end and beginning look alike"),
}
"""what each word that an option takes is called, and what it does; empty: its name says it"""


def choice_label(choice: StrEnum) -> str:
    """Name one of the words that an option takes."""
    return _WORDS[choice][0]


def choice_hint(choice: StrEnum) -> str:
    """Say under its name what one of the words does; empty: its name says it."""
    hint = _WORDS[choice][1]
    return hint[:1].upper() + hint[1:]


def motion_text(motion: Motion) -> str:
    """Say what a named motion does."""
    return f"{motion}: {_WORDS[motion][1]}"


def motion_number_text(bucket: int, level: Motion) -> str:
    """Say to which named motion a number comes closest."""
    return f"{bucket}: {level}"


def usual_motion_text(bucket: int, level: Motion, variant: str) -> str:
    """Say which motion a clip has for which nobody chose one."""
    return f"{bucket}: {level}, as usual with {shorten(variant, NAME_LETTERS)}"


def most_motion_text(bucket: int, level: Motion) -> str:
    """Say that no stronger motion is taken here."""
    return f"{bucket}: {level}, the most that is taken here"


def choice_text(choice: StrEnum) -> str:
    """Name one of the words that an option takes, and say what it does."""
    label, hint = _WORDS[choice]
    return f"{label}: {hint}" if hint else label


def usual_text(number: float, variant: str) -> str:
    """Say which number a clip has for which nobody chose one."""
    return f"{number:g}: as usual with {shorten(variant, NAME_LETTERS)}"


def least_text(number: float) -> str:
    """Say that no smaller number is taken here."""
    return f"{number:g}: the least that is taken here"


def most_text(number: float) -> str:
    """Say that no larger number is taken here."""
    return f"{number:g}: the most that is taken here"
