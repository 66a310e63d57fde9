"""Requests, clips and stores for the tests of the queue."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.queue.job import Job, Limits, NewJob, Route
from bot.queue.store import JobStore, wall_ms
from generator.clip import ClipSettings
from generator.protocol import Rendered

_numbers = itertools.count(1)


def new_job(
    user_id: int = 1, *, guild_id: int | None = 5, weight: int = 100, cost_ms: int = 0, **settings: Any
) -> NewJob:
    """Give a request with a key of its own."""
    key = f"key-{next(_numbers)}"
    return NewJob(
        key=key,
        user_id=user_id,
        route=Route(application_id=1, channel_id=2, guild_id=guild_id),
        settings=ClipSettings(**settings),
        picture=f"picture-{key}.png",
        weight=weight,
        cost_ms=cost_ms,
    )


def rendered(job: Job, seconds: float = 20.0, folder: Path = Path()) -> Rendered:
    """Give a finished clip's facts."""
    path = folder / f"{job.id}-{job.attempt}.mp4"
    return Rendered(clip_path=path, bytes=1000, width=1024, height=576, frames=25, playback_fps=7.0, seconds=seconds)


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


@asynccontextmanager
async def opened(
    folder: Path, limits: Limits | None = None, now_ms: Callable[[], int] = wall_ms, **options: Any
) -> AsyncIterator[JobStore]:
    """Give an open store."""
    store = await JobStore.open(folder, limits=limits, now_ms=now_ms, **options)
    try:
        yield store
    finally:
        await store.close()
