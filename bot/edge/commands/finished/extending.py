"""Goes on with a finished clip from its last frame, or an earlier one: a request whose picture is that frame.

Tested in tests/bot/edge/commands/finished/test_extending.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import Any

import discord
from discord import ui

from bot.edge.commands.forgetting import note_request
from bot.edge.commands.submission.admitting import Refused
from bot.edge.commands.submission.answers import Form, answer, answer_first
from bot.edge.commands.submission.options import new_seed
from bot.edge.commands.submission.permissions import is_served
from bot.edge.commands.submission.submit import submit_again
from bot.edge.context import Interaction
from bot.policy.facts import Entrance
from bot.queue.job import Job
from bot.queue.spool import ClipGone
from bot.texts.jobs.after_clip import (
    frames_gone_text,
    moment_label,
    moments_hint,
    moments_label,
    moments_title,
    not_changed_text,
    worse_already_text,
)
from bot.texts.replies import no_room_text
from bot.work.uplink.changes import moments, with_state
from generator.clip import ClipSettings, cut, total_frames
from generator.errors import DiskFull, GeneratorError

log = logging.getLogger(__name__)


async def extend(interaction: Interaction, job: Job, state: str) -> None:
    """Enqueue the clip that goes on where the file with that state ends."""
    now = with_state(job.settings, state)
    if now.seams == job.settings.seams and any(note.kind == "drift" for note in job.notes):
        await answer(interaction, worse_already_text())
        return
    await _go_on(interaction, job.id, now)


async def ask_from_where(interaction: Interaction, job: Job, state: str) -> None:
    """Open the form that asks after how many frames the file with that state shall go on."""
    now = with_state(job.settings, state)
    if moments(now):
        form = ExtendForm(interaction.id, job.id, now)
        await answer_first(interaction, lambda: interaction.response.send_modal(form))
    else:  # undone meanwhile, in a message that somebody else still sees as it was
        await extend(interaction, job, state)


class ExtendForm(Form):
    """Asks from where a clip goes on, and enqueues that for whoever sends the form."""

    def __init__(self, interaction_id: int, job_id: int, settings: ClipSettings) -> None:
        super().__init__(interaction_id, title=moments_title(), name="vivant-extend")
        self._job_id, self._settings, kept = job_id, settings, moments(settings)
        options = [
            discord.RadioGroupOption(
                value=str(frames), label=moment_label(frames, total_frames(settings)), default=frames == kept[0]
            )
            for frames in kept
        ]
        self._frames: ui.RadioGroup[Any] = ui.RadioGroup(custom_id="from", options=options)
        self.add_item(ui.Label(text=moments_label(), description=moments_hint(), component=self._frames))

    async def on_submit(self, interaction: Interaction) -> None:  # type: ignore[override]
        """Enqueue the clip that goes on from there."""
        note_request(interaction)
        if await is_served(interaction):
            await _go_on(interaction, self._job_id, cut(self._settings, int(self._frames.value or 0)))


async def _go_on(interaction: Interaction, job_id: int, now: ClipSettings) -> None:
    """Enqueue the clip that goes on where a clip of those settings ends."""
    prepare = partial(_prepare, interaction, total_frames(now))
    await submit_again(
        interaction, job_id, lambda first: replace(now, frames=first.frames, seed=new_seed()), Entrance.EXTEND, prepare
    )


async def go_on_allowed(interaction: Interaction, job: Job, settings: ClipSettings) -> tuple[str, ClipSettings]:
    """Prepare a continuation anew to which the clip's owner has agreed. Raises Refused."""
    *earlier, frames = settings.seams
    return await _prepare(interaction, frames, job, replace(settings, seams=tuple(earlier)))


async def _prepare(interaction: Interaction, frames: int, job: Job, settings: ClipSettings) -> tuple[str, ClipSettings]:
    """Put the last of so many frames into the spool as a picture, with the frames before it. Raises Refused."""
    services = interaction.client.services
    try:
        picture, count = await services.remaking.continue_from(job, frames, str(interaction.id))
    except ClipGone as error:
        await asyncio.to_thread(services.spool.delete_request, str(interaction.id))
        raise Refused(frames_gone_text(services.config.retention.clip_hours)) from error
    except (GeneratorError, OSError) as error:
        log.warning("job=%d cannot be continued: %s", job.id, error)
        await asyncio.to_thread(services.spool.delete_request, str(interaction.id))
        is_full = isinstance(error, (OSError, DiskFull))
        raise Refused(no_room_text() if is_full else not_changed_text()) from error
    return picture, replace(settings, seams=(*settings.seams, count))
