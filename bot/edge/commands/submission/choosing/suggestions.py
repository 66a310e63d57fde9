"""What is suggested for an option while somebody types: only what would be taken, with what it does. Pure; no Discord.

A value is tried: with what else was typed it has to resolve, and the server's rules about settings must not refuse it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from bot.config.generator import GeneratorConfig
from bot.edge.commands.submission.choosing.reading import OPTIONS, WORDS, Typed, bounds_of, read_options
from bot.edge.commands.submission.options import Setting
from bot.policy.admission import OF_SETTINGS, decide
from bot.policy.facts import Entrance, Facts
from bot.policy.motion import Motion, level_of
from bot.texts.asking.choosing import (
    choice_text,
    least_text,
    most_motion_text,
    most_text,
    motion_number_text,
    motion_text,
    typed_word,
    usual_motion_text,
    usual_text,
)
from bot.texts.languages.numbers import shortest
from generator.clip import ClipSettings
from generator.errors import SettingsError

NUMBERS = ("noise_augmentation", "conditioning_fps", "playback_fps", "steps", "frames", "guidance")
"""the options that take a number and have a usual one"""
SUGGESTED = ("motion", "format", "quality", *NUMBERS)
"""the options with suggestions"""
Suggestion = tuple[str, Any]
"""what a person reads, and the value"""


def range_of(option: str, config: GeneratorConfig) -> tuple[float, float]:
    """Return between which numbers an option lies for this operator."""
    low, high = bounds_of(option)
    return (low, min(high, config.max_steps)) if option == "steps" else (low, high)


def suggest(option: str, current: str, typed: Typed, setting: Setting) -> list[Suggestion]:
    """Return what to suggest for an option of which `current` is typed so far; `typed` has the other options."""
    others = {name: value for name, value in typed.items() if name in OPTIONS and name != option}
    return _suggest(option, current.strip(), others, setting) or _suggest(option, current.strip(), {}, setting)


def _suggest(option: str, current: str, others: Typed, setting: Setting) -> list[Suggestion]:
    """Return what to suggest beside what else was typed, each value once; nothing when that is wrong already."""
    suggestions = _motions if option == "motion" else _words if option in WORDS else _numbers
    found: dict[Any, Suggestion] = {}
    for text, value in suggestions(option, current, others, setting):
        found.setdefault(value, (text, value))
    return list(found.values())


def taken_settings(typed: Typed, setting: Setting) -> ClipSettings | None:
    """Return what would be made of the options; None when that would be refused."""
    try:
        settings = setting.resolve(read_options(typed))
    except SettingsError:
        return None
    facts = Facts(entrance=Entrance.COMMAND, server=setting.server, settings=settings)
    return None if decide(facts, OF_SETTINGS) else settings


def _motions(option: str, current: str, others: Typed, setting: Setting) -> Iterator[Suggestion]:
    def is_taken(value: object) -> bool:
        return taken_settings({**others, option: value}, setting) is not None

    numbers = [number for number in _whole(option, setting.config) if is_taken(number)]
    names = [motion for motion in Motion if is_taken(motion)]
    start = current.casefold()
    chosen = [motion for motion in names if motion.startswith(start) or typed_word(motion).startswith(start)]
    typed = _read_number(option, current)
    if typed is not None and numbers:
        number = int(max(numbers[0], min(numbers[-1], typed)))
        text = motion_number_text if number == typed else most_motion_text
        yield text(number, level_of(number)), str(number)
    usual = taken_settings(others, setting)
    if not current and usual is not None:
        bucket = usual.motion_bucket
        yield usual_motion_text(bucket, level_of(bucket), setting.variant.name), str(bucket)
    for motion in chosen or names:
        yield motion_text(motion), str(motion)


def _words(option: str, current: str, others: Typed, setting: Setting) -> Iterator[Suggestion]:
    taken = [item for item in WORDS[option] if taken_settings({**others, option: item}, setting) is not None]
    chosen = [item for item in taken if current.casefold() in f"{item} {choice_text(item)}".casefold()]
    for item in chosen or taken:
        yield choice_text(item), str(item)


def _numbers(option: str, current: str, others: Typed, setting: Setting) -> Iterator[Suggestion]:
    taken = [
        number
        for number in _tried(option, setting.config)
        if taken_settings({**others, option: number}, setting) is not None
    ]
    typed, usual = _read_number(option, current), taken_settings(others, setting)
    if not taken:
        return
    least, most = taken[0], taken[-1]
    if typed is not None and least <= typed <= most and taken_settings({**others, option: typed}, setting) is not None:
        yield shortest(typed), typed
    if usual is not None:
        number = _usual(option, usual)
        yield usual_text(number, setting.variant.name), number
    if typed is None or typed < least:
        yield least_text(least), least
    if typed is None or typed > most:
        yield most_text(most), most


def _usual(option: str, settings: ClipSettings) -> float:
    found = settings.max_guidance if option == "guidance" else getattr(settings, option)
    assert isinstance(found, int | float)
    return found


def _whole(option: str, config: GeneratorConfig) -> Iterable[int]:
    low, high = range_of(option, config)
    return range(int(low), int(high) + 1)


def _tried(option: str, config: GeneratorConfig) -> Iterable[float]:
    """Return the numbers to try for the least and the most that is taken."""
    low, high = range_of(option, config)
    return (low, high) if option in ("noise_augmentation", "guidance") else _whole(option, config)


def _read_number(option: str, current: str) -> float | None:
    """Return the number that was typed, also one out of range; None for anything else."""
    text = current.replace(",", ".")
    try:
        number = float(text) if option in ("noise_augmentation", "guidance") else int(text)
    except ValueError:
        return None
    return number if abs(number) < 1e9 else None
