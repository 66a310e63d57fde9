"""The form itself: the picture where it is not known, then motion, shape, loop, format, and boxes if there is room.

Discord shows five fields at most. Where the picture is asked for, that leaves no room for the boxes.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.form.fields import EXTRAS, Field, typed_of
from bot.edge.commands.submission.answers import Form, answer, is_acknowledged
from bot.edge.commands.submission.choosing.parts import choices_of, value_of
from bot.edge.commands.submission.choosing.typed import submit_typed
from bot.edge.commands.submission.permissions import is_served
from bot.edge.commands.submission.sources import Source
from bot.edge.context import Interaction
from bot.policy.facts import Entrance, PictureFacts
from bot.queue.database import StoreFull
from bot.texts.asking.animate_form import (
    ABOUT,
    FORM_TITLE,
    LABELS,
    PICTURE_ABOUT,
    PICTURE_LABEL,
    WHICH_ABOUT,
    form_choices,
    form_gone_text,
    no_file_text,
    unnamed_picture_text,
)
from bot.texts.languages.sentences import _
from bot.texts.limits import CHOICE_LETTERS, MOST_CHOICES, shorten

log = logging.getLogger(__name__)

_NAME = "vivant-form"

Choice = ui.RadioGroup[Any] | ui.CheckboxGroup[Any] | ui.Select[Any]


class AnimateForm(Form):
    """Asks what a clip shall be, and submits it for whoever sends the form."""

    def __init__(
        self, interaction_id: int, fields: Sequence[Field], pictures: Sequence[Source], facts: PictureFacts
    ) -> None:
        super().__init__(interaction_id, title=_(FORM_TITLE), name=_NAME)
        self.pictures = list(pictures[:MOST_CHOICES])
        self.facts = facts
        self.upload: ui.FileUpload[Any] | None = None
        self.which: ui.Select[Any] | None = None
        if not self.pictures:
            self.upload = ui.FileUpload(custom_id="picture")
            self.add_item(ui.Label(text=_(PICTURE_LABEL), description=_(PICTURE_ABOUT), component=self.upload))
        elif len(self.pictures) > 1:
            self.which = _choose_picture(self.pictures)
            self.add_item(ui.Label(text=_(PICTURE_LABEL), description=_(WHICH_ABOUT), component=self.which))
        self.choices = {field.name: _draw(field) for field in fields}
        for name, item in self.choices.items():
            self.add_item(ui.Label(text=_(LABELS[name]), description=_(ABOUT[name]), component=item))

    async def on_submit(self, interaction: Interaction) -> None:  # type: ignore[override]
        """Submit what was chosen, and keep it for this person's next form, also when it was refused."""
        note_request(interaction)
        if not await is_served(interaction):
            return
        source = self._source()
        if source is None:
            await answer(interaction, no_file_text())
            return
        chosen = {name: value for name, item in self.choices.items() if (value := value_of(item)) is not None}
        await submit_typed(interaction, source, typed_of(chosen), Entrance.FORM, self.facts)
        try:
            await interaction.client.services.store.choices.keep(interaction.user.id, chosen)
        except StoreFull as error:
            log.warning("interaction=%d what was chosen is not remembered: %s", interaction.id, error)

    def _source(self) -> Source | None:
        """Return the picture that is meant."""
        if self.upload is not None:
            return next(iter(self.upload.values), None)
        return self.pictures[int(self.which.values[0]) if self.which is not None else 0]


async def answer_gone(interaction: Interaction) -> None:
    """Tell whoever sends a form that this process does not know; discord.py would leave it unanswered."""
    if interaction.type is not discord.InteractionType.modal_submit or is_acknowledged(interaction):
        return
    data: Mapping[str, Any] = interaction.data or {}
    custom_id = str(data.get("custom_id", ""))
    if custom_id not in Form.known:
        await answer(interaction, form_gone_text(remembers=custom_id.startswith(f"{_NAME}:")))


def _choose_picture(pictures: Sequence[Source]) -> ui.Select[Any]:
    names = (picture.filename.removeprefix("SPOILER_") or unnamed_picture_text() for picture in pictures)
    options = [
        discord.SelectOption(label=shorten(f"{number}. {name}", CHOICE_LETTERS), value=str(number - 1))
        for number, name in enumerate(names, 1)
    ]
    options[0].default = True
    return ui.Select(custom_id="picture", options=options)


def _draw(field: Field) -> Choice:
    """Return the field's component: buttons for what matters most, boxes for the extras, menus for the rest."""
    choices = form_choices()[field.name]
    texts = {value: choices[value] for value in field.values}
    if field.name == "motion":
        radios = choices_of(discord.RadioGroupOption, texts, field.chosen)
        return ui.RadioGroup(custom_id=field.name, options=radios)
    if field.name == EXTRAS:
        boxes = choices_of(discord.CheckboxGroupOption, texts, field.chosen)
        return ui.CheckboxGroup(
            custom_id=field.name, options=boxes, required=False, min_values=0, max_values=len(boxes)
        )
    return ui.Select(custom_id=field.name, options=choices_of(discord.SelectOption, texts, field.chosen))
