"""What a person typed for each option of a clip, read into Options, and written back. Pure; no Discord."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from functools import partial
from typing import Any, TypeVar

from bot.edge.commands.submission.options import Options
from bot.edge.connection.kept_requests import shown
from bot.policy.motion import Motion
from bot.texts.asking.choosing import choice_label
from bot.texts.languages.sentences import pgettext
from generator.clip import BOUNDS, SMOOTH_FPS, Format, Framing, Loop, Quality, Shape
from generator.errors import SettingsError

Typed = Mapping[str, Any]
"""the name of an option -> what was typed or chosen for it"""

WORDS: dict[str, type[StrEnum]] = {
    "shape": Shape,
    "loop": Loop,
    "format": Format,
    "quality": Quality,
    "framing": Framing,
}
"""the options that take one of some words"""
_SETTINGS = {"guidance": "max_guidance", "motion": "motion_bucket"}
"""options whose setting has another name"""
_OPTIONS = {setting: option for option, setting in _SETTINGS.items()} | {"min_guidance": "guidance"}
_WHOLE = ("conditioning_fps", "playback_fps", "steps", "frames", "decode_chunk", "seed")
_BROKEN = ("noise_augmentation", "guidance")
_SWITCHES = tuple(field.name for field in fields(Options) if field.type == "bool")
OPTIONS = ("motion", *WORDS, *_SWITCHES, *_WHOLE, *_BROKEN, "description")
"""what may be typed beside the picture"""
_FLAGS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_LINE = re.compile(r"\s*([\w\N{FULLWIDTH LOW LINE}-]+)\s*[:\N{FULLWIDTH COLON}=\N{FULLWIDTH EQUALS SIGN}\s]\s*(.+?)\s*")
_MOST_DIGITS = 30
"""of a number that is read; Python reads no more than 4300"""
T = TypeVar("T", bound=StrEnum)


def option_of(setting: str) -> str:
    """Return the option that decides a setting, by whose name a person knows it."""
    return _OPTIONS.get(setting, setting)


def bounds_of(option: str) -> tuple[float, float]:
    """Return between which numbers an option lies, whatever the operator allows."""
    return BOUNDS[_SETTINGS.get(option, option)]


def read_options(typed: Typed) -> Options:
    """Read what was typed; recipes' names of settings are understood too. Raises SettingsError."""
    values: dict[str, Any] = {}
    for name, value in typed.items():
        option = option_of(name)
        if option == "motion":
            values |= _motion(value)
        elif (read := _READERS.get(option)) is None:
            raise SettingsError("", setting=name, is_unknown=True)
        else:
            values[option] = read(value)
    options = Options(**values)
    if options.smooth and options.playback_fps is not None and options.playback_fps >= SMOOTH_FPS:
        raise SettingsError("", setting="smooth", contradicts="playback_fps", most=SMOOTH_FPS)
    return options


def write_options(options: Options) -> dict[str, Any]:
    """Return what to type for the options; what was left to the bot is left out."""
    usual = Options()
    found = {
        field.name: getattr(options, field.name)
        for field in fields(options)
        if getattr(options, field.name) != getattr(usual, field.name)
    }
    bucket = found.pop("motion_bucket", None)
    if bucket is not None:
        found["motion"] = bucket
    return found


def write_lines(typed: Typed) -> str:
    """Return a line for each option, by its name in the language that is spoken."""
    return "\n".join(f"{pgettext('option name', name)}: {shown(value)}" for name, value in typed.items())


def read_lines(text: str) -> dict[str, str]:
    """Return the option and the value in each line, whether apart by a colon or as a recipe shows them.

    An option may be called as in the language that is spoken, or by its English name.
    """
    english = {_plain(pgettext("option name", option)): option for option in OPTIONS}
    found = {}
    for line in filter(str.strip, unicodedata.normalize("NFC", text).splitlines()):
        match = _LINE.fullmatch(line)
        name, value = (_plain(match[1]), match[2]) if match else (line.strip(), "")
        found[option_of(english.get(name, name))] = value
    return found


def join_typed(fields: Mapping[str, str], rest: str) -> dict[str, str]:
    """Return what is in fields of their own and in the lines of `rest`. Raises SettingsError on what is there twice."""
    names = [*fields, *(name for line in rest.splitlines() for name in read_lines(line))]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError("", setting=name, is_twice=True)
    return {**fields, **read_lines(rest)}


def _plain(value: Any) -> str:
    """Return a text without what people's keyboards make different: width, case, spaces around it."""
    return unicodedata.normalize("NFKC", shown(value)).strip().casefold()


def _word(kind: type[T], value: Any) -> T | None:
    """Return the word that was typed: as it is, or as it is called in the language that is spoken."""
    text = _plain(value).partition(":")[0].strip()
    return next((item for item in kind if text in (str(item), _plain(choice_label(item)))), None)


def _motion(value: Any) -> dict[str, Any]:
    """Read a name or a number; also what a suggestion shows: "42: gentle"."""
    if motion := _word(Motion, value):
        return {"motion": motion, "motion_bucket": None}
    text = _plain(value).partition(":")[0].strip()
    low, high = bounds_of("motion")
    if not re.fullmatch(r"-?\d+", text) or len(text) > _MOST_DIGITS:
        raise SettingsError("", setting="motion", value=str(value), allowed=[*Motion], low=low, high=high)
    return {"motion": None, "motion_bucket": int(_within("motion", int(text), value))}


def _member(name: str, value: Any) -> StrEnum:
    if (found := _word(WORDS[name], value)) is None:
        raise SettingsError("", setting=name, value=str(value), allowed=[*WORDS[name]])
    return found


def _number(name: str, value: Any) -> float | int:
    text = _plain(value).partition(":")[0].strip().replace(",", ".")
    low, high = bounds_of(name)
    pattern = r"-?\d+(\.0+)?" if name in _WHOLE else r"-?(\d+\.?\d*|\.\d+)"
    if not re.fullmatch(pattern, text) or len(text) > _MOST_DIGITS:
        raise SettingsError("", setting=name, value=str(value), is_whole=name in _WHOLE, low=low, high=high)
    number = _within(name, float(text), value)
    return int(number) if name in _WHOLE else number


def _within(name: str, number: float, value: Any) -> float:
    low, high = bounds_of(name)
    if not low <= number <= high:
        raise SettingsError("", setting=name, value=str(value), low=low, high=high)
    return number


def _flag(name: str, value: Any) -> bool:
    try:
        return _FLAGS[_plain(value)]
    except KeyError:
        raise SettingsError("", setting=name, value=str(value), allowed=["true", "false"]) from None


def _sentence(value: Any) -> str | None:
    return " ".join(str(value).split()) or None


def _readers() -> dict[str, Callable[[Any], Any]]:
    found: dict[str, Callable[[Any], Any]] = {name: partial(_member, name) for name in WORDS}
    found |= {name: partial(_number, name) for name in (*_WHOLE, *_BROKEN)}
    return found | {name: partial(_flag, name) for name in _SWITCHES} | {"description": _sentence}


_READERS = _readers()
