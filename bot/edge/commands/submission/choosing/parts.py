"""What forms have in common: the choices that a field shows, and what was given in it.

Tested in tests/bot/edge/commands/form/test_modal.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from discord import ui

from bot.texts.limits import CHOICE_LETTERS, shorten

T = TypeVar("T")


def choices_of(kind: Callable[..., T], texts: Mapping[str, tuple[str, str]], chosen: Collection[str]) -> list[T]:
    """Return a choice of discord.py's kind for each value with its name and hint, those chosen before marked."""
    return [
        kind(
            value=value,
            label=shorten(label, CHOICE_LETTERS),
            description=shorten(hint, CHOICE_LETTERS) or None,
            default=value in chosen,
        )
        for value, (label, hint) in texts.items()
    ]


def value_of(field: ui.Item[Any]) -> Any:
    """Return what was given in a field: a list of boxes, else one value; None for nothing."""
    if isinstance(field, ui.CheckboxGroup):
        return list(field.values)
    if isinstance(field, ui.Select | ui.FileUpload):
        return next(iter(field.values), None)
    if isinstance(field, ui.TextInput):
        return field.value.strip() or None
    assert isinstance(field, ui.RadioGroup)
    return field.value
