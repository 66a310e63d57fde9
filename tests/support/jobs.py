"""Requests, clips and stores for the tests of the queue, and the check that the tables agree with each other."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bot.queue.database import Statements
from bot.queue.job import Job, Limits, NewJob, Route, wall_clock_ms
from bot.queue.opening.migrations import migrate, scripts
from bot.queue.store import JobStore
from generator.clip import ClipSettings
from generator.protocol import Rendered

HOUR_MS = 3_600_000

_numbers = itertools.count(1)


def new_job(user_id: int = 1, *, guild_id: int | None = 5, share: int = 100, **settings: Any) -> NewJob:
    """Return a request with a key of its own."""
    key = f"key-{next(_numbers)}"
    return NewJob(
        key=key,
        user_id=user_id,
        route=Route(application_id=1, channel_id=2, guild_id=guild_id),
        settings=ClipSettings(**settings),
        picture=f"picture-{key}.png",
        share=share,
    )


def rendered(job: Job, seconds: float = 20.0) -> Rendered:
    """Return a finished clip's facts."""
    path = Path(f"{job.id}-{job.attempt}.mp4")
    return Rendered(clip_path=path, bytes=1000, width=1024, height=576, frames=25, playback_fps=7.0, seconds=seconds)


class Clock:
    """A wall clock that a test sets."""

    def __init__(self, now_ms: int = 1_800_000_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def in_memory() -> sqlite3.Connection:
    """Return the store's schema in memory: the insides of its transactions run on it as they are."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.execute("pragma foreign_keys = on")
    migrate(db, scripts(), None)
    return db


@asynccontextmanager
async def opened(
    folder: Path, limits: Limits | None = None, now_ms: Callable[[], int] = wall_clock_ms, **options: Any
) -> AsyncIterator[JobStore]:
    """Open a store for a while; at the end its tables must agree with each other, whatever the test is about."""
    store = await JobStore.open(folder, limits=limits, now_ms=now_ms, **options)
    try:
        yield store
    finally:
        await store.close()
    require_agreement(folder)


def require_agreement(folder: Path) -> None:
    """Assert that the tables in a data folder agree with each other. Nobody may use it meanwhile."""
    with contextlib.closing(sqlite3.connect(folder / "vivant.db", isolation_level=None)) as db:
        assert faults(db) == []


async def claimed(store: JobStore) -> Job:
    """Claim a job that must be there."""
    job = await store.jobs.claim()
    assert job is not None
    return job


async def kept(store: JobStore, job_id: int) -> Job:
    """Read a job that must still be kept."""
    job = await store.jobs.get(job_id)
    assert job is not None
    return job


def failure(job: Job) -> dict[str, Any]:
    """Return why a job failed, which it must have."""
    assert job.failure is not None
    return job.failure


def faults(db: Statements) -> list[object]:
    """Find every row in which lanes, kinds or outbox disagree with the jobs, and all that SQLite finds broken."""
    lanes = """
        select user_id from lane l where
          running <> (select count(*) from job j where j.user_id = l.user_id and state = 'running')
          or (head_tag, head_id) is not
            (select tag, id from job j where j.user_id = l.user_id and state = 'queued' order by tag, id limit 1)
          or served < (select max(tag) from job j where j.user_id = l.user_id and state = 'running')
    """
    settled = """
        select id from job where
          (state in ('rendered', 'failed', 'cancelled')) <> exists (select 1 from outbox where job_id = id)
    """
    orphaned = "select job_id from outbox where job_id not in (select id from job)"
    unkind = "select id from job where kind_id not in (select id from kind)"
    ahead = """
        select id from job where (state = 'running' and start_tag > (select value from meta where key = 'vtime'))
          or (state = 'running') <> (started_ms is not null and finished_ms is null) or tag <= start_tag
    """
    homeless = "select id from job where state in ('queued', 'running') and user_id not in (select user_id from lane)"
    integrity = "select integrity_check from pragma_integrity_check where integrity_check <> 'ok'"
    return [
        row
        for sql in (lanes, settled, orphaned, unkind, ahead, homeless, integrity)
        for row in db.execute(sql).fetchall()
    ]
