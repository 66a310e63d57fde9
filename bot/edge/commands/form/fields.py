"""The fields of the form: what may be chosen in this server, what is chosen before, and the options it becomes. Pure.

What would be refused isn't offered: each choice by itself is held against the rules about settings that decide over
requests. What only several choices together break is refused when the form is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.config import GeneratorConfig
from bot.edge.commands.submission.options import Options, resolve, with_server
from bot.policy.admission import clip_format, decide, length, motion, quality
from bot.policy.facts import Entrance, Facts
from bot.policy.motion import Motion
from bot.policy.server import ServerSettings
from bot.texts.asking.animate_form import CHOICES
from generator.clip import ClipSettings, Format, Framing, Loop, Quality, Shape
from generator.errors import SettingsError
from generator.variants import Variant

Chosen = Mapping[str, Any]
"""by field: a value; of the extras a list of them"""
USUAL = "usual"
EXTRAS = "extras"
_RULES = (motion, clip_format, quality, length)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: the values that it offers, and those that are chosen before."""

    name: str
    values: tuple[str, ...]
    chosen: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a form is opened: what the server, the model and the operator allow and prefer."""

    server: ServerSettings
    variant: Variant
    generator: GeneratorConfig

    def resolve(self, options: Options) -> ClipSettings:
        """Return the settings that options become here. Raises SettingsError."""
        return resolve(with_server(options, self.server, self.variant, self.generator), self.variant, self.generator)

    def allows(self, options: Options) -> bool:
        """Tell whether a request with these options would be taken, as far as its settings go."""
        try:
            settings = self.resolve(options)
        except SettingsError:
            return False
        return decide(Facts(entrance=Entrance.FORM, server=self.server, settings=settings), _RULES) is None


def fields_of(setting: Setting, remembered: Chosen, *, with_extras: bool) -> list[Field]:
    """Return the fields in the form's order; one that leaves no choice is left out."""
    before = {**_usual(setting), **remembered}
    fields = []
    for name, choices in CHOICES.items():
        is_extras = name == EXTRAS
        values = tuple(
            value for value in choices if setting.allows(options_of({name: [value] if is_extras else value}))
        )
        if is_extras:
            if with_extras and values:
                fields.append(Field(name=name, values=values, chosen=_kept(before.get(name), values)))
        elif len(values) > 1:
            chosen = _kept([before.get(name)], values) or _kept([_usual(setting)[name]], values) or values[:1]
            fields.append(Field(name=name, values=values, chosen=chosen))
    return fields


def options_of(chosen: Chosen) -> Options:
    """Return the options that were chosen; what is not among them is left to the bot."""
    extras = chosen.get(EXTRAS, [])
    wanted = chosen.get("motion", USUAL)
    return Options(
        motion=None if wanted == USUAL else Motion(wanted),
        shape=Shape(chosen.get("shape", Shape.AUTO)),
        loop=Loop(chosen["loop"]) if "loop" in chosen else None,
        format=Format(chosen["format"]) if "format" in chosen else None,
        smooth="smooth" in extras,
        quality=Quality.FAST if "fast" in extras else None,
        framing=Framing.PAD if "pad" in extras else None,
    )


def _usual(setting: Setting) -> dict[str, str]:
    """Return what a request gets that chooses nothing."""
    plain = setting.resolve(Options())
    return {"motion": USUAL, "shape": Shape.AUTO, "loop": plain.loop, "format": plain.format}


def _kept(wanted: Any, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the wanted values that are offered. What was remembered may be of any version."""
    return tuple(value for value in values if value in wanted) if isinstance(wanted, list) else ()
