"""A recipe with one's own picture: a form that asks for the picture alone, and the settings that it is made with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.submission.answers import Form, answer, answer_first, reporting
from bot.edge.commands.submission.options import Options
from bot.edge.commands.submission.permissions import is_served
from bot.edge.commands.submission.submit import submit
from bot.edge.context import Interaction
from bot.policy.facts import Entrance
from bot.policy.told import NOTHING_TOLD, Told
from bot.queue.job import Job
from bot.texts.descriptions import describe_settings
from bot.texts.jobs.own_picture import (
    own_picture_button_label,
    own_picture_field_label,
    own_picture_form_title,
    own_picture_hint,
)
from bot.texts.replies import earlier_text
from generator.clip import ClipSettings

_OPEN_SECONDS = 14 * 60
"""how long a button lives whose settings are in memory alone"""


def options_of(settings: ClipSettings, told: Told = NOTHING_TOLD) -> Options:
    """Return the options that ask for these settings; the shape follows the new picture, the model is today's.

    `told` is what was said with the request whose settings they are.
    """
    return Options(
        recipe=told,
        format=settings.format,
        quality=settings.quality,
        framing=settings.framing,
        loop=settings.loop,
        smooth=settings.smooth,
        seed=settings.seed,
        motion_bucket=settings.motion_bucket,
        noise_augmentation=settings.noise_augmentation,
        conditioning_fps=settings.conditioning_fps,
        playback_fps=settings.playback_fps,
        steps=settings.steps,
        frames=settings.frames,
        decode_chunk=settings.decode_chunk,
        guidance=settings.max_guidance,
    )


class OwnPictureForm(Form):
    """Asks for a picture, and submits it with the settings of a recipe."""

    def __init__(self, interaction_id: int, settings: ClipSettings, told: Told = NOTHING_TOLD) -> None:
        super().__init__(interaction_id, title=own_picture_form_title(), name="vivant-own-picture")
        self._options = options_of(settings, told)
        self._picture: ui.FileUpload[Any] = ui.FileUpload(custom_id="picture", min_values=1, max_values=1)
        self.add_item(ui.Label(text=own_picture_field_label(), component=self._picture))
        self.add_item(ui.TextDisplay(own_picture_hint(describe_settings(settings))))

    async def on_submit(self, interaction: Interaction) -> None:  # type: ignore[override]
        """Ask for the clip, with the same checks as any other request."""
        note_request(interaction)
        services = interaction.client.services
        most = min(services.switches.variant.most_steps, services.config.generator.max_steps)
        options = replace(self._options, steps=min(self._options.steps or most, most))  # today's model may take fewer
        if await is_served(interaction):
            await submit(interaction, self._picture.values[0], options, Entrance.RECIPE)


async def press_own_picture(interaction: Interaction, job: Job | None) -> None:
    """Open the form with a job's settings."""
    if job is None:
        await answer(interaction, earlier_text())
    else:
        await _open_form(interaction, OwnPictureForm(interaction.id, job.settings, job.told))


async def _open_form(interaction: Interaction, form: OwnPictureForm) -> None:
    await answer_first(interaction, lambda: interaction.response.send_modal(form))


class OwnPictureView(ui.View):
    """The button beside a recipe that was read from a file: no job keeps its settings."""

    def __init__(self, settings: ClipSettings) -> None:
        super().__init__(timeout=_OPEN_SECONDS)
        self.add_item(_OwnPictureButton(settings))


class _OwnPictureButton(ui.Button[OwnPictureView]):
    def __init__(self, settings: ClipSettings) -> None:
        super().__init__(label=own_picture_button_label(), style=discord.ButtonStyle.primary)
        self._settings = settings

    @reporting
    async def callback(self, interaction: discord.Interaction[Any]) -> None:
        """Open the form with the recipe's settings."""
        if await is_served(interaction):
            await _open_form(interaction, OwnPictureForm(interaction.id, self._settings))
