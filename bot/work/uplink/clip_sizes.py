"""In which sizes a clip is tried: as it was made, then smaller for a channel or for a slow uplink. Knows no Discord.

Tested in tests/bot/edge/test_delivery.py and tests/bot/work/uplink/test_uploads.py.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from bot.queue.job import Job
from bot.queue.spool import Spool
from bot.work.uplink.fitting import Shrink, fit_clip
from bot.work.uplink.uploads import budget_after
from generator.errors import GeneratorError
from generator.memory import MIB
from generator.protocol import Note

log = logging.getLogger(__name__)

SHRINK_TO = (10 * MIB, 8 * MIB)
"""budgets tried first when Discord finds a clip too large: its default limit, and an older one"""


class ClipSizes:
    """Finds or makes a job's clip in smaller sizes. Raises ClipGone when it is no longer kept."""

    def __init__(self, spool: Spool, shrink: Shrink) -> None:
        self._spool = spool
        self._shrink = shrink

    async def after_stalls(self, job: Job, stalls: int) -> Job:
        """Return the job with a smaller clip, and a note about it, once uploads of the clip have stood still."""
        clip = self._spool.clip_of(job)
        smaller = await self._fit(job, budget_after(stalls, clip.stat().st_size))
        return noted(job, smaller or clip, "uplink")

    async def each(self, job: Job) -> AsyncIterator[Path]:
        """Yield the clip, then smaller ones for as long as the caller asks."""
        clip = self._spool.clip_of(job)
        yield clip
        size = clip.stat().st_size
        for budget in (*SHRINK_TO, size // 2, size // 4):
            if budget < size:
                smaller = await self._fit(job, budget)
                if smaller is None:
                    return
                yield smaller
                size = budget

    async def _fit(self, job: Job, budget: int) -> Path | None:
        try:
            return await fit_clip(self._spool, job, budget, self._shrink)
        except GeneratorError as error:
            log.warning("job=%d could not be made to fit %d bytes: %s", job.id, budget, error.code)
            return None


def noted(job: Job, clip: Path, why: str = "channel") -> Job:
    """Return the job as it is told beside `clip`: with a note when that is not the clip that was made."""
    if clip.name == job.clip:
        return job
    others = tuple(note for note in job.notes if note.kind != "shrunk")  # their sizes are no longer true
    return replace(job, clip=clip.name, notes=(*others, Note("shrunk", {"why": why})))
