"""A finished clip in a size that a channel takes. Knows no Discord.

Tested in tests/bot/work/uplink/test_clip_sizes.py and tests/bot/edge/test_delivery.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.queue.job import Job
from bot.queue.spool import ClipGone, Spool
from generator.clip import Format

Shrink = Callable[[Path, Path, Format, int], Awaitable[object]]
"""source, target, format, max_bytes. Raises GeneratorError when no size fits"""


async def fit_clip(spool: Spool, job: Job, max_bytes: int, shrink: Shrink) -> Path:
    """Return the clip, or a smaller encoding of it of at most `max_bytes`.

    Raises ClipGone when it is no longer kept, and GeneratorError when no encoding fits.
    """
    clip = spool.clip_of(job)
    if clip.stat().st_size <= max_bytes:
        return clip
    smaller = clip.with_name(f"{clip.stem}-{max_bytes}{clip.suffix}")
    if not smaller.is_file():
        master = spool.path(job.master) if job.master else clip
        await shrink(master if master.is_file() else clip, smaller, job.settings.format, max_bytes)
        if not clip.is_file():  # deleted meanwhile: then nothing made of it may stay
            smaller.unlink(missing_ok=True)
            raise ClipGone(f"job {job.id}")
    return smaller
