"""The queues that are compared: ours as the bot calls it and as plain transactions, and three libraries'."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import litequeue
import persistqueue
from huey import SqliteHuey

from bot.queue import fair_queue
from bot.queue.database import PRAGMAS, transaction
from bot.queue.job import Job, Limits, NewJob, Route, rendered_outcome
from bot.queue.life import attempts
from bot.queue.opening.migrations import migrate, scripts
from bot.queue.rows import request_values, to_text
from bot.queue.store import JobStore
from generator.clip import ClipSettings
from generator.protocol import Rendered
from generator.variants import BUILT_IN


def new_job(number: int, user_id: int) -> NewJob:
    """Return a request as the bot makes one."""
    return NewJob(
        key=f"{number:019d}",
        user_id=user_id,
        route=Route(application_id=1 << 60, channel_id=2 << 60, guild_id=number % 20, interaction_token="t" * 180),
        settings=ClipSettings(seed=number),
        picture=f"picture-{number:019d}.png",
    )


def payload(number: int) -> str:
    """Return the same request as the text that a plain queue stores."""
    new = new_job(number, number % 25)
    return to_text({"key": new.key, "user": new.user_id, **request_values(new)})


def rendered(job: Job) -> Rendered:
    """Return a finished clip's facts."""
    path = Path(f"{job.id}-{job.attempt}.mp4")
    return Rendered(clip_path=path, bytes=1, width=1024, height=576, frames=25, playback_fps=7, seconds=50.0)


class Ours:
    """JobStore, through the same calls as the bot."""

    name = "vivant"

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._number = 0

    async def enqueue(self) -> None:
        self._number += 1
        await self._store.jobs.enqueue(new_job(self._number, self._number % 25))

    async def claim(self) -> Job:
        job = await self._store.jobs.claim()
        assert job is not None
        return job

    async def complete(self, job: Job) -> None:
        assert await self._store.jobs.settle_rendered(job, rendered(job))


class OursDirect:
    """The same transactions on a plain connection in the calling thread, as Direct calls the libraries."""

    name = "vivant_direct"

    def __init__(self, folder: Path) -> None:
        self._db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
        for pragma in PRAGMAS:
            self._db.execute(pragma).fetchall()
        migrate(self._db, scripts(), None)
        self._limits = Limits(queued_per_guild=200)
        self._number = 0

    async def enqueue(self) -> None:
        self._number += 1
        new, now = new_job(self._number, self._number % 25), self._number
        with transaction(self._db):
            fair_queue.enqueue(self._db, new, self._limits, BUILT_IN, now)

    async def claim(self) -> Job:
        with transaction(self._db):
            job = fair_queue.claim(self._db, self._limits, self._number)
        assert job is not None
        return job

    async def complete(self, job: Job) -> None:
        outcome = rendered_outcome(rendered(job))
        with transaction(self._db):
            assert attempts.settle(self._db, job, outcome, self._number)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()


class Huey:
    """huey deletes a task when it hands it out; completing is storing a result."""

    name = "huey"

    def __init__(self, folder: Path) -> None:
        self._storage = SqliteHuey(filename=str(folder / "huey.db"), fsync=True).storage
        self._number = 0

    def enqueue(self) -> None:
        self._number += 1
        self._storage.enqueue(payload(self._number).encode())

    def claim(self) -> Any:
        return self._storage.dequeue()

    def complete(self, claimed: Any) -> None:
        self._storage.put_data(secrets.token_hex(8), b"done")


class Litequeue:
    """litequeue sets NORMAL itself; set back to FULL for the same promise."""

    name = "litequeue"

    def __init__(self, folder: Path) -> None:
        self._queue = litequeue.LiteQueue(str(folder / "litequeue.db"))
        self._queue.conn.execute("pragma synchronous = full")
        self._number = 0

    def enqueue(self) -> None:
        self._number += 1
        self._queue.put(payload(self._number))

    def claim(self) -> Any:
        return self._queue.pop()

    def complete(self, claimed: Any) -> None:
        self._queue.done(claimed.message_id)


class PersistQueue:
    """persist-queue's acknowledged queue, in WAL and FULL by its own defaults."""

    name = "persist-queue"

    def __init__(self, folder: Path) -> None:
        self._queue = persistqueue.SQLiteAckQueue(str(folder / "persist"), auto_commit=True)
        self._number = 0

    def enqueue(self) -> None:
        self._number += 1
        self._queue.put(payload(self._number))

    def claim(self) -> Any:
        return self._queue.get(raw=True)

    def complete(self, claimed: Any) -> None:
        self._queue.ack(id=claimed["pqid"])


class Direct:
    """A library called straight from the event loop's thread, which stands still meanwhile."""

    def __init__(self, make: Callable[[Path], Any], folder: Path) -> None:
        self._library = make(folder)
        self.name = self._library.name

    async def enqueue(self) -> None:
        self._library.enqueue()

    async def claim(self) -> Any:
        return self._library.claim()

    async def complete(self, claimed: Any) -> None:
        self._library.complete(claimed)


class Threaded:
    """A library in a thread of its own, as a bot on asyncio has to call it."""

    def __init__(self, make: Callable[[Path], Any], folder: Path) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._library = self._thread.submit(make, folder).result()
        self.name = f"{self._library.name}_threaded"

    def _run(self, function: Callable[..., Any], *args: Any) -> Awaitable[Any]:
        return asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    async def enqueue(self) -> None:
        await self._run(self._library.enqueue)

    async def claim(self) -> Any:
        return await self._run(self._library.claim)

    async def complete(self, claimed: Any) -> None:
        await self._run(self._library.complete, claimed)

    def close(self) -> None:
        """Delete the library in its thread: some of them allow no other."""
        self._thread.submit(setattr, self, "_library", None).result()
        self._thread.shutdown()
