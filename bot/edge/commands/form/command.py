"""/animate-form, and "Animate with choices" on any message: both open the form.

"Animate this image" stays one gesture without a question: it is what a person takes who gives only a picture.

Tested in tests/bot/edge/commands/form/test_modal.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import discord
from discord import app_commands

from bot.edge.commands.form.fields import fields_of
from bot.edge.commands.form.modal import AnimateForm
from bot.edge.commands.submission.admitting import AskAuthor, Asked, Refused, admit, setting_of
from bot.edge.commands.submission.answers import answer, answer_first
from bot.edge.commands.submission.options import Options
from bot.edge.commands.submission.permissions import usable_everywhere
from bot.edge.commands.submission.sources import Source, facts_of, pictures_of
from bot.edge.context import Interaction
from bot.policy.facts import NOTHING_KNOWN, Entrance, PictureFacts
from bot.texts.explanations import explain_settings
from bot.texts.replies import no_picture_text
from generator.errors import SettingsError

log = logging.getLogger(__name__)

_REMEMBER_SECONDS = 1.0
"""of the three within which Discord wants the form"""


@app_commands.command(name="animate-form", description="Bring a picture to life: choose everything in a form")
@usable_everywhere
async def animate_form(interaction: Interaction) -> None:
    """Open the form that asks for the picture too."""
    await open_form(interaction, [], NOTHING_KNOWN)


@app_commands.context_menu(name="Animate with choices")
@usable_everywhere
async def animate_with_choices(interaction: Interaction, message: discord.Message) -> None:
    """Open the form for a message's picture; of several, it asks which one."""
    pictures = pictures_of(message)
    if pictures:
        await open_form(interaction, pictures, facts_of(message))
    else:
        await answer(interaction, no_picture_text())


async def open_form(interaction: Interaction, pictures: Sequence[Source], facts: PictureFacts) -> None:
    """Open the form with what this person chose last time, or say why nothing can be asked for here."""
    setting = setting_of(interaction)
    try:
        settings = setting.resolve(Options())
        await admit(interaction, Asked(entrance=Entrance.FORM, settings=settings, picture=facts))
    except AskAuthor:
        pass  # the author is asked when the form is sent
    except Refused as refused:
        await answer(interaction, refused.text)
        return
    except SettingsError as error:
        await answer(interaction, explain_settings(error))
        return
    fields = fields_of(setting, await _remembered(interaction), with_extras=len(pictures) == 1)
    form = AnimateForm(interaction.id, fields, pictures, facts)
    await answer_first(interaction, lambda: interaction.response.send_modal(form))


async def _remembered(interaction: Interaction) -> dict[str, Any]:
    """Return what this person chose last time; nothing, when the database does not tell in time."""
    try:
        async with asyncio.timeout(_REMEMBER_SECONDS):
            return await interaction.client.services.store.choices.of(interaction.user.id)
    except TimeoutError:
        log.warning("interaction=%d nobody told in time what was chosen before", interaction.id)
        return {}
