"""A bot's life on one data folder, without Discord and GPU: run as a child that is killed at any moment.

`python -m tests.support.store_life FOLDER LOG [early]`: `early` acknowledges before the transaction, which is the fault
that the test must catch.
"""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import sys
from dataclasses import replace
from pathlib import Path

from bot.queue.database import fetch_one
from bot.queue.job import Limits
from bot.queue.store import JobStore
from tests.support.jobs import new_job, rendered


class Journal:
    """What the outside world saw, a line each, written by one system call: a kill leaves no half line."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


async def requests(store: JobStore, journal: Journal, early: bool) -> None:
    while True:
        key = secrets.token_hex(8)
        new = replace(new_job(random.randrange(4)), key=key)
        if early:
            journal.note("accepted", key)
        await store.jobs.enqueue(new)
        if not early:
            journal.note("accepted", key)
        await asyncio.sleep(0.002)


async def work(store: JobStore, journal: Journal) -> None:
    while True:
        job = await store.jobs.claim()
        if job is None:
            await store.jobs.wait_for_work()
        elif random.random() < 0.2:
            await store.jobs.give_back(job, counts=False)
        elif await store.jobs.settle_rendered(job, rendered(job)):
            journal.note("settled", job.key)


async def deliver(store: JobStore, journal: Journal) -> None:
    while True:
        for delivery in await store.deliveries.due():
            if await store.deliveries.mark_sending(delivery.job_id):
                job = await store.jobs.get(delivery.job_id)
                assert job is not None
                journal.note("posted", job.key, delivery.nonce)
                await store.deliveries.mark_sent(delivery.job_id, 1)
        await store.deliveries.wait_for_delivery()


async def unfinished(store: JobStore) -> bool:
    """Tell whether a job is not settled, or not delivered."""
    [not_sent] = await store.database.read(fetch_one, "select count(*) from outbox where state <> 'sent'")
    return bool(await store.jobs.active()) or not_sent > 0


async def main(folder: Path, log: Path, mode: str) -> None:
    journal = Journal(log)
    store = await JobStore.open(folder, limits=Limits(queued_per_user=0))
    await store.jobs.recover()
    print("ready", flush=True)
    if mode == "drain":
        async with asyncio.timeout(60):
            workers = [asyncio.create_task(work(store, journal)), asyncio.create_task(deliver(store, journal))]
            while await unfinished(store):
                await asyncio.sleep(0.02)
            for worker in workers:
                worker.cancel()
        await asyncio.wait(workers)
        await store.close()
        return
    async with asyncio.TaskGroup() as group:
        group.create_task(requests(store, journal, mode == "early"))
        group.create_task(work(store, journal))
        group.create_task(work(store, journal))
        group.create_task(deliver(store, journal))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
