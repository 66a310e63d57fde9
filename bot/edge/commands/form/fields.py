"""The fields of the form: what may be chosen in this server, what is chosen before, and the options it becomes. Pure.

What would be refused isn't offered: each choice by itself is held against the rules about settings that decide over
requests. What only several choices together break is refused when the form is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.edge.commands.submission.choosing.reading import Typed
from bot.edge.commands.submission.choosing.suggestions import taken_settings
from bot.edge.commands.submission.options import Options, Setting
from bot.texts.asking.animate_form import form_choices
from generator.clip import Framing, Quality, Shape

Chosen = Mapping[str, Any]
"""by field: a value; of the extras a list of them"""
USUAL = "usual"
EXTRAS = "extras"
_EXTRAS: Mapping[str, Typed] = {"fast": {"quality": Quality.FAST}, "pad": {"framing": Framing.PAD}}
"""boxes that are not an option of their own"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: the values that it offers, and those that are chosen before."""

    name: str
    values: tuple[str, ...]
    chosen: tuple[str, ...]


def fields_of(setting: Setting, remembered: Chosen, *, with_extras: bool) -> list[Field]:
    """Return the fields in the form's order; one that leaves no choice is left out."""
    before = {**_usual(setting), **remembered}
    fields = []
    for name, choices in form_choices().items():
        is_extras = name == EXTRAS
        values = tuple(
            value for value in choices if taken_settings(typed_of({name: [value] if is_extras else value}), setting)
        )
        if is_extras:
            if with_extras and values:
                fields.append(Field(name=name, values=values, chosen=_kept(before.get(name), values)))
        elif len(values) > 1:
            chosen = _kept([before.get(name)], values) or _kept([_usual(setting)[name]], values) or values[:1]
            fields.append(Field(name=name, values=values, chosen=chosen))
    return fields


def typed_of(chosen: Chosen) -> Typed:
    """Return what was chosen as if it had been typed for /animate; what is not among it is left to the bot."""
    typed = {name: value for name, value in chosen.items() if name != EXTRAS and value != USUAL}
    for extra in chosen.get(EXTRAS, []):
        typed |= _EXTRAS.get(extra, {extra: True})
    return typed


def _usual(setting: Setting) -> dict[str, str]:
    """Return what a request gets that chooses nothing."""
    plain = setting.resolve(Options())
    return {"motion": USUAL, "shape": Shape.AUTO, "loop": plain.loop, "format": plain.format}


def _kept(wanted: Any, values: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the wanted values that are offered. What was remembered may be of any version."""
    return tuple(value for value in values if value in wanted) if isinstance(wanted, list) else ()
