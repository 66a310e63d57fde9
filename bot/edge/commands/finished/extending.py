"""Goes on with a finished clip from its last frame: an ordinary request, whose picture is that frame.

Tested in tests/bot/edge/commands/finished/test_extending.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial

from bot.edge.commands.submission.admitting import Refused
from bot.edge.commands.submission.answers import answer
from bot.edge.commands.submission.options import new_seed
from bot.edge.commands.submission.submit import submit_again
from bot.edge.context import Interaction
from bot.policy.facts import Entrance
from bot.queue.job import Job
from bot.queue.spool import ClipGone
from bot.texts.jobs.after_clip import frames_gone_text, not_changed_text, worse_already_text
from bot.texts.replies import no_room_text
from bot.work.uplink.changes import with_state
from generator.clip import ClipSettings, total_frames
from generator.errors import GeneratorError

log = logging.getLogger(__name__)


async def extend(interaction: Interaction, job: Job, state: str) -> None:
    """Enqueue the clip that goes on where the file with that state ends."""
    now = with_state(job.settings, state)
    if now.seams == job.settings.seams and any(note.kind == "drift" for note in job.notes):
        await answer(interaction, worse_already_text())
        return
    settings = replace(now, frames=job.settings.frames, seed=new_seed())
    prepare = partial(_prepare, interaction, total_frames(now))
    await submit_again(interaction, job.id, lambda _: settings, Entrance.EXTEND, prepare)


async def _prepare(interaction: Interaction, frames: int, job: Job, settings: ClipSettings) -> tuple[str, ClipSettings]:
    """Put the last of so many frames into the spool as a picture, with the frames before it. Raises Refused."""
    services = interaction.client.services
    try:
        picture, count = await services.remaking.continue_from(job, frames, str(interaction.id))
    except ClipGone as error:
        raise Refused(frames_gone_text(services.config.retention.clip_hours)) from error
    except (GeneratorError, OSError) as error:
        log.warning("job=%d cannot be continued: %s", job.id, error)
        await asyncio.to_thread(services.spool.delete_request, str(interaction.id))
        raise Refused(no_room_text() if isinstance(error, OSError) else not_changed_text()) from error
    return picture, replace(settings, seams=(*settings.seams, count))
