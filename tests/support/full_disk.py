"""A store on a disk that is full: run as a child, since the limit holds for a whole process.

`python -m tests.support.full_disk FOLDER limit|tmpfs`; with `limit` the kernel refuses to let any file grow (SQLite
then says IOERR), with `tmpfs` FOLDER is a small file system of its own (SQLite says FULL). Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bot.queue.database import StoreFull
from bot.queue.job import JobState, Limits
from bot.queue.store import JobStore
from tests.support.jobs import claimed, new_job, rendered


class Disk:
    """A disk that can be filled and freed."""

    def __init__(self, folder: Path, how: str) -> None:
        self._folder = folder
        self._how = how
        self._ballast = folder / "ballast"
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(self) -> None:
        if self._how == "limit":
            log = self._folder / "vivant.db-wal"
            resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, resource.RLIM_INFINITY))
            return
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self._ballast.unlink(missing_ok=True)


async def refused(action: Callable[[], Awaitable[Any]], error: type[Exception], most: int = 3_000) -> bool:
    """Repeat until the disk refuses; the log's last pages may still hold some."""
    for _ in range(most):
        try:
            await action()
        except error:
            return True
    return False


async def one_life(folder: Path, how: str) -> dict[str, Any]:
    disk = Disk(folder, how)
    accepted: list[str] = []
    found: dict[str, Any] = {}
    store = await JobStore.open(folder, limits=Limits(queued_per_user=0))

    async def accept() -> None:
        accepted.append((await store.jobs.enqueue(new_job())).key)

    for _ in range(20):
        await accept()
    running, rendering = await claimed(store), await claimed(store)
    await store.jobs.settle_cancelled(running)
    disk.fill()
    found["enqueue"] = await refused(accept, StoreFull)
    found["claim"] = await refused(store.jobs.claim, StoreFull, 1)
    found["settle"] = await refused(lambda: store.jobs.settle_rendered(rendering, rendered(rendering)), StoreFull, 1)
    found["give_back"] = await refused(lambda: store.jobs.give_back(rendering, counts=True), StoreFull, 1)
    found["mark_sending"] = await refused(lambda: store.deliveries.mark_sending(running.id), StoreFull, 1)
    found["read"] = len(await store.jobs.waiting(1)) == 1
    disk.free()
    found["settled_after"] = await store.jobs.settle_rendered(rendering, rendered(rendering))
    found["sending_after"] = await store.deliveries.mark_sending(running.id)
    while (job := await store.jobs.claim()) is not None:
        await store.jobs.settle_rendered(job, rendered(job))
    counts = await store.jobs.counts()
    found["lost"] = len(accepted) - counts[JobState.RENDERED] - counts[JobState.CANCELLED]
    found["accepted"] = len(accepted)
    found["integrity"] = await store.database.read(lambda db: db.execute("pragma integrity_check").fetchall()[0][0])
    await store.close()
    return found


def blind_rollback(folder: Path, how: str) -> dict[str, Any]:
    """The broken variant: SQLite has rolled back by itself, so a blind rollback hides what happened."""
    disk = Disk(folder, how)
    db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    db.execute("pragma journal_mode = wal")
    db.execute("create table job (data text)")
    disk.fill()
    while True:
        db.execute("begin immediate")
        try:
            db.execute("insert into job values (?)", ("x" * 10_000,))
            db.execute("commit")
        except sqlite3.OperationalError:
            try:
                db.execute("rollback")
            except sqlite3.OperationalError as hidden:
                return {"hidden_by": str(hidden)}
            return {"hidden_by": None}


if __name__ == "__main__":
    logging.disable()
    folder, how = Path(sys.argv[1]), sys.argv[2]
    found = blind_rollback(folder, how) if "blind" in sys.argv else asyncio.run(one_life(folder, how))
    print(json.dumps(found, default=str))
