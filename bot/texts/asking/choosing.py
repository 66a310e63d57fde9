"""What the choices for a clip are called and do, in a form and while somebody types. No Discord.

Tested in tests/bot/edge/commands/submission/choosing/test_suggestions.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from bot.policy.motion import Motion
from bot.texts.languages.numbers import shortest, whole
from bot.texts.languages.sentences import N_, _, pgettext, pN_
from bot.texts.limits import NAME_LETTERS, shorten
from generator.clip import Format, Framing, Loop, Quality, Shape

_WORDS: Mapping[StrEnum, tuple[tuple[str, str], str]] = {
    Motion.GENTLE: (pN_("choice", "Gentle"), N_("still camera, only small things move")),
    Motion.MEDIUM: (pN_("choice", "Medium"), N_("things move, and the camera a little")),
    Motion.STRONG: (pN_("choice", "Strong"), N_("the camera moves too")),
    Motion.WILD: (pN_("choice", "Wild"), N_("everything moves, and the clip departs further from the picture")),
    Format.MP4: (pN_("choice", "MP4 video"), N_("sharpest and small, plays when it is pressed")),
    Format.GIF: (pN_("choice", "GIF"), N_("loops by itself everywhere, large, with few colours")),
    Format.WEBP: (pN_("choice", "Animated WebP"), N_("loops by itself, with all colours")),
    Quality.FAST: (pN_("choice", "fast"), N_("for a try")),
    Quality.BALANCED: (pN_("choice", "balanced"), N_("between the two")),
    Quality.QUALITY: (pN_("choice", "quality"), N_("for keeping")),
    Shape.AUTO: (pN_("choice", "As the picture"), ""),
    Shape.LANDSCAPE: (pN_("choice", "Landscape"), ""),
    Shape.PORTRAIT: (pN_("choice", "Portrait"), ""),
    Shape.SQUARE: (pN_("choice", "Square"), ""),
    Framing.CROP: (pN_("choice", "Keep the centre"), ""),
    Framing.SMART: (pN_("choice", "Keep the most interesting part"), ""),
    Framing.PAD: (pN_("choice", "Keep everything"), N_("blurred edges instead of a crop")),
    Loop.NONE: (pN_("choice", "No loop"), N_("the end differs from the beginning")),
    Loop.BOOMERANG: (pN_("choice", "Boomerang"), N_("forwards and back, twice as long")),
    Loop.CROSSFADE: (pN_("choice", "Cross-fade"), N_("the end fades into the beginning")),
    Loop.SEAM: (pN_("choice", "Best matching cut"), N_("shorter, cut where end and beginning look alike")),
}
"""what each word that an option takes is called, and what it does; empty: its name says it"""


def choice_label(choice: StrEnum) -> str:
    """Name one of the words that an option takes."""
    return pgettext(*_WORDS[choice][0])


def typed_word(choice: StrEnum) -> str:
    """Return what people type for one of the words: a motion's or a quality's name, else the word as it is."""
    return choice_label(choice).lower() if isinstance(choice, Motion | Quality) else str(choice)


def choice_hint(choice: StrEnum) -> str:
    """Say under its name what one of the words does; empty: its name says it."""
    hint = _hint(choice)
    return hint[:1].upper() + hint[1:]


def motion_text(motion: Motion) -> str:
    """Say what a named motion does."""
    return _with_hint(typed_word(motion), _hint(motion))


def motion_number_text(bucket: int, level: Motion) -> str:
    """Say to which named motion a number comes closest."""
    return _with_hint(str(bucket), typed_word(level))


def usual_motion_text(bucket: int, level: Motion, variant: str) -> str:
    """Say which motion a clip has for which nobody chose one."""
    # Translators: {motion} is a word that people type, such as gentle; {variant} is a model's name.
    return _(
        "{number}: {motion}, as usual with {variant}",
        number=whole(bucket),
        motion=typed_word(level),
        variant=shorten(variant, NAME_LETTERS),
    )


def most_motion_text(bucket: int, level: Motion) -> str:
    """Say that no stronger motion is taken here."""
    return _("{number}: {motion}, the most that is taken here", number=whole(bucket), motion=typed_word(level))


def choice_text(choice: StrEnum) -> str:
    """Name one of the words that an option takes, and say what it does."""
    return _with_hint(choice_label(choice), _hint(choice))


def usual_text(number: float, variant: str) -> str:
    """Say which number a clip has for which nobody chose one."""
    return _("{number}: as usual with {variant}", number=shortest(number), variant=shorten(variant, NAME_LETTERS))


def least_text(number: float) -> str:
    """Say that no smaller number is taken here."""
    return _("{number}: the least that is taken here", number=shortest(number))


def most_text(number: float) -> str:
    """Say that no larger number is taken here."""
    return _("{number}: the most that is taken here", number=shortest(number))


def _hint(choice: StrEnum) -> str:
    hint = _WORDS[choice][1]
    return _(hint) if hint else ""


def _with_hint(name: str, hint: str) -> str:
    # Translators: {choice} is what may be chosen, such as "MP4 video"; {hint} is what it does, beginning small.
    return _("{choice}: {hint}", choice=name, hint=hint) if hint else name
