"""What can be chosen for each setting of a server, and what a choice changes. Pure; no Discord.

Tested in tests/bot/edge/commands/settings/test_choices.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.policy.motion import Motion
from bot.policy.quota import Quota
from bot.policy.server import AgeRule, FilterAction, OthersPictures, ServerSettings
from bot.texts.limits import CHOICE_LETTERS, MOST_CHOICES, count_letters
from bot.texts.settings.quotas import form_label, not_a_number_text, too_large_number_text
from bot.texts.settings.server_settings import LANGUAGES
from bot.texts.settings.settings_panel import choice_label, longest_choice_text, unset_choice_text
from generator.clip import Format, Quality

UNSET = "unset"
"""the value of the choice to choose nothing"""
LONGEST_CLIPS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45)
"""seconds"""

CHANNELS, CHANNEL, ROLES = frozenset({"channels"}), frozenset({"log_channel", "report_channel"}), frozenset({"roles"})
MANY = frozenset({"formats", "qualities", "variants"})

_ENUMS: Mapping[str, type[StrEnum]] = {
    "age_rule": AgeRule,
    "default_motion": Motion,
    "most_motion": Motion,
    "default_format": Format,
    "formats": Format,
    "default_quality": Quality,
    "qualities": Quality,
    "others_pictures": OthersPictures,
    "filter_action": FilterAction,
}
_MAY_BE_UNSET = frozenset({"default_motion", "most_motion", "default_format", "default_quality"})


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be chosen."""

    value: str
    label: str
    is_chosen: bool


def choices_for(name: str, settings: ServerSettings, variants: Iterable[str]) -> list[Choice]:
    """Return what can be chosen for a setting, with what is chosen now."""
    chosen = _chosen(name, settings)
    return [Choice(value, label, value in chosen) for value, label in _OFFERED[name](name, variants, settings)]


def _chosen(name: str, settings: ServerSettings) -> set[str]:
    value = getattr(settings, name)
    if isinstance(value, frozenset):
        return {str(item) for item in value}
    if isinstance(value, bool):
        return {str(value).lower()}
    if isinstance(value, float):
        return {f"{value:g}"}
    return {UNSET if value is None else str(value)}


_Offer = Callable[[str, Iterable[str], ServerSettings], list[tuple[str, str]]]


def _offer_enum(name: str, variants: Iterable[str], settings: ServerSettings) -> list[tuple[str, str]]:
    unset = [(UNSET, unset_choice_text(name))] if name in _MAY_BE_UNSET else []
    return unset + [(str(item), choice_label(name, str(item))) for item in _ENUMS[name]]


def _offer_variants(name: str, variants: Iterable[str], settings: ServerSettings) -> list[tuple[str, str]]:
    """Offer the operator's variants, and those that were chosen and are gone; Discord takes a value whole or not."""
    names = sorted({*variants, *settings.variants})
    return [(item, item) for item in names if count_letters(item) <= CHOICE_LETTERS][:MOST_CHOICES]


def _offer_seconds(name: str, variants: Iterable[str], settings: ServerSettings) -> list[tuple[str, str]]:
    seconds = sorted({*map(float, LONGEST_CLIPS), *([settings.longest_clip] if settings.longest_clip else [])})
    return [(UNSET, unset_choice_text(name)), *((f"{most:g}", longest_choice_text(most)) for most in seconds)]


def _offer_replies(name: str, variants: Iterable[str], settings: ServerSettings) -> list[tuple[str, str]]:
    return [(value, choice_label(name, value)) for value in ("true", "false")]


def _offer_languages(name: str, variants: Iterable[str], settings: ServerSettings) -> list[tuple[str, str]]:
    known = dict(LANGUAGES) | ({settings.language: settings.language} if settings.language else {}) | dict(LANGUAGES)
    return [(UNSET, unset_choice_text(name)), *known.items()][:MOST_CHOICES]


_OFFERED: Mapping[str, _Offer] = {
    **dict.fromkeys(_ENUMS, _offer_enum),
    "variants": _offer_variants,
    "longest_clip": _offer_seconds,
    "private_replies": _offer_replies,
    "language": _offer_languages,
}


def read_choice(name: str, values: Sequence[str]) -> Any:
    """Return what a setting becomes by these choices; what it cannot become, the settings themselves refuse."""
    if name in CHANNELS | ROLES:
        return [int(value) for value in values]
    if name in MANY:
        return list(values)
    value = values[0] if values else UNSET
    if value == UNSET:
        return None
    if name in CHANNEL:
        return int(value)
    if name == "longest_clip":
        return float(value)
    return value == "true" if name == "private_replies" else value


class WrongNumber(Exception):
    """A field of the form for a quota has no number that fits; `text` says so."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def read_quota(fields: Mapping[str, str]) -> Quota:
    """Return the quota of a form: a text by each limit's name, empty for none. Raises WrongNumber."""
    numbers = {name: _number(name, text.strip()) for name, text in fields.items()}
    return Quota(**numbers)


def _number(name: str, text: str) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()):
        raise WrongNumber(not_a_number_text(form_label(name)))
    most = next(item.le for item in Quota.model_fields[name].metadata if hasattr(item, "le"))
    if int(text) > most:
        raise WrongNumber(too_large_number_text(form_label(name), most))
    return int(text)
