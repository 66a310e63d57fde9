"""What is suggested while somebody types the options of a clip. No Discord.

Tested in tests/bot/edge/commands/submission/choosing/test_suggestions.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.policy.motion import Motion
from bot.texts.limits import NAME_LETTERS, shorten
from generator.clip import Format, Framing, Loop, Quality, Shape

_MOTIONS: Mapping[Motion, str] = {
    Motion.GENTLE: "gentle: still camera, only small things move",
    Motion.MEDIUM: "medium: things move, and the camera a little",
    Motion.STRONG: "strong: the camera moves too",
    Motion.WILD: "wild: everything moves, and the clip departs further from the picture",
}
_WORDS: Mapping[StrEnum, str] = {
    Format.MP4: "MP4 video: sharpest",
    Format.GIF: "GIF: loops by itself",
    Format.WEBP: "Animated WebP: loops by itself",
    Quality.FAST: "fast: for a try",
    Quality.BALANCED: "balanced: between the two",
    Quality.QUALITY: "quality: for keeping",
    Shape.AUTO: "As the picture",
    Shape.LANDSCAPE: "Landscape",
    Shape.PORTRAIT: "Portrait",
    Shape.SQUARE: "Square",
    Framing.CROP: "Keep the centre",
    Framing.SMART: "Keep the most interesting part",
    Framing.PAD: "Keep everything, blurred edges",
    Loop.NONE: "No loop",
    Loop.BOOMERANG: "Boomerang: forwards and back",
    Loop.CROSSFADE: "Cross-fade",
    Loop.SEAM: "Best matching cut",
}


def motion_text(motion: Motion) -> str:
    """Say what a named motion does."""
    return _MOTIONS[motion]


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
    """Say what one of the words that an option takes is good for."""
    return _WORDS[choice]


def usual_text(number: float, variant: str) -> str:
    """Say which number a clip has for which nobody chose one."""
    return f"{number:g}: as usual with {shorten(variant, NAME_LETTERS)}"


def least_text(number: float) -> str:
    """Say that no smaller number is taken here."""
    return f"{number:g}: the least that is taken here"


def most_text(number: float) -> str:
    """Say that no larger number is taken here."""
    return f"{number:g}: the most that is taken here"
