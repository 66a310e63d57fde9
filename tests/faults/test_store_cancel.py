"""Every await on the store cancelled at random moments, and clocks that jump."""

from __future__ import annotations

import asyncio
import random
import secrets
from pathlib import Path

import aiosqlite
import pytest

from bot.queue.database import Statements
from bot.queue.job import DeliveryState, JobState, Limits
from bot.queue.store import JobStore
from tests.support.jobs import HOUR_MS, Clock, claimed, faults, new_job, opened, rendered

YEAR_MS = 365 * 24 * HOUR_MS


async def cancelled_at_random(task: asyncio.Task[None], rng: random.Random, longest: float) -> bool:
    """Cancel `task` after some turns of the loop or some time; tell whether it was still under way."""
    if rng.random() < 0.5:
        for _ in range(rng.randrange(12)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(rng.random() * longest)
    return task.cancel()


async def live(store: JobStore, rng: random.Random) -> None:
    """One caller: a request, or a claim that ends in one of the possible ways, or a look."""
    choice = rng.randrange(4)
    if choice == 0:
        await store.jobs.enqueue(new_job(rng.randrange(5)))
    elif choice == 1:
        await store.jobs.cancel(rng.randrange(1, 40))
    elif choice == 2:
        await asyncio.gather(store.jobs.waiting(), store.jobs.counts(), store.jobs.position(rng.randrange(1, 40)))
    else:
        job = await store.jobs.claim()
        if job is not None:
            end = rng.randrange(3)
            if end == 0:
                await store.jobs.give_back(job, counts=True)
            elif end == 1:
                await store.jobs.settle_rendered(job, rendered(job))
            else:
                await store.jobs.settle_cancelled(job)


async def test_a_cancelled_caller_leaves_no_open_transaction_and_no_held_job(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    interrupted = 0
    async with opened(tmp_path, Limits(queued_per_user=0)) as store:
        for _ in range(60):
            await store.jobs.enqueue(new_job(rng.randrange(5)))
        for _ in range(40):
            tasks = [asyncio.create_task(live(store, rng)) for _ in range(15)]
            interrupted += sum(await asyncio.gather(*(cancelled_at_random(task, rng, 0.08) for task in tasks)))
            await asyncio.gather(*tasks, return_exceptions=True)

    async with opened(tmp_path) as store:  # closing waited for what was under way
        counts = await store.jobs.counts()
        found = await store.database.read(faults)
    print(f"\n{interrupted} of 600 callers cancelled, seed={seed}: {dict(counts)}")
    assert interrupted > 100
    assert (counts[JobState.RUNNING], found) == (0, []), f"seed {seed}"


async def test_the_same_cancelling_catches_transactions_made_of_awaits(tmp_path: Path) -> None:
    """The negative control: aiosqlite as its documentation shows it leaves transactions open."""
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    left_open = 0
    async with aiosqlite.connect(tmp_path / "naive.db", isolation_level=None) as db:
        await db.execute("create table job (id integer primary key)")

        async def enqueue() -> None:
            await db.execute("begin immediate")
            await db.execute("insert into job default values")
            await db.execute("commit")

        for _ in range(200):
            task = asyncio.create_task(enqueue())
            await cancelled_at_random(task, rng, 0.003)
            await asyncio.gather(task, return_exceptions=True)
            await db.execute("select 1")  # the thread has come to rest
            if db.in_transaction:
                left_open += 1
                await db.execute("rollback")
    print(f"\n{left_open} of 200 left a transaction open, seed={seed}")
    assert left_open > 0, f"seed {seed}"


async def test_a_transaction_goes_on_when_its_caller_is_cancelled_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        task = asyncio.create_task(store.jobs.enqueue(new_job()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async with opened(tmp_path) as store:
        assert (await store.jobs.counts())[JobState.QUEUED] == 1


async def test_clock_jumps_lose_no_job_and_delay_no_delivery(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    rng = random.Random(seed)
    clock = Clock()
    accepted, posts = 40, dict.fromkeys(range(1, 41), 0)

    def jump() -> None:
        clock.now_ms += rng.choice((0, 1_000, 2 * HOUR_MS, -2 * HOUR_MS, YEAR_MS, -YEAR_MS))

    async with opened(tmp_path, Limits(queued_per_user=0), clock) as store:
        for number in range(accepted):
            jump()
            await store.jobs.enqueue(new_job(number % 4))
        while (job := await store.jobs.claim()) is not None:
            jump()
            await (
                store.jobs.settle_rendered(job, rendered(job))
                if rng.random() < 0.7
                else store.jobs.give_back(job, counts=False)
            )
            await store.retention.sweep()
        for _ in range(60):
            for delivery in await store.deliveries.due():
                jump()
                await store.deliveries.mark_sending(delivery.job_id)
                if rng.random() < 0.3:
                    await store.deliveries.mark_later(delivery.job_id, clock.now_ms + 60_000, "HTTP 500")
                else:
                    posts[delivery.job_id] += 1
                    await store.deliveries.mark_sent(delivery.job_id, 1)
            jump()
            await store.retention.sweep()
            clock.now_ms += 5 * 60_000
        assert await store.database.read(faults) == [], f"seed {seed}"
    print(f"\nclock jumps, seed={seed}: {accepted} jobs, posts {sorted(posts.values())}")
    assert set(posts.values()) == {1}, f"seed {seed}"


async def test_a_back_off_outlives_a_clock_that_is_set_back(tmp_path: Path) -> None:
    """With its negative control: comparing times alone would wait for a year."""
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        await store.jobs.enqueue(new_job())
        await store.jobs.settle_cancelled(await claimed(store))
        await store.deliveries.mark_later(1, clock.now_ms + 60_000, "HTTP 500")
        clock.now_ms -= YEAR_MS

        def naive(db: Statements) -> list[object]:
            return db.execute("select job_id from outbox where next_ms <= ?", (clock.now_ms,)).fetchall()

        assert await store.database.read(naive) == []
        assert [delivery.state for delivery in await store.deliveries.due()] == [DeliveryState.PENDING]
