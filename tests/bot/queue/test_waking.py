"""Who waits is woken: for work by whatever may leave some, for deliveries by whatever ends a job."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.queue.job import Job, JobState, Limits
from bot.queue.store import JobStore
from generator.errors import BadFrames
from tests.support.jobs import claimed, kept, new_job, opened, rendered

Step = Callable[[JobStore, Job], Awaitable[object]]
ENDS: dict[str, Step] = {
    "rendered": lambda store, job: store.jobs.settle_rendered(job, rendered(job)),
    "failed": lambda store, job: store.jobs.settle_failed(job, BadFrames("black", kind="black")),
    "cancelled": lambda store, job: store.jobs.settle_cancelled(job),
    "its last strike": lambda store, job: store.jobs.give_back(job, counts=True),
}
OTHERS: dict[str, Step] = {
    "accepted": lambda store, job: store.jobs.enqueue(new_job(3)),
    "given back": lambda store, job: store.jobs.give_back(job, counts=False),
    "a restart": lambda store, job: store.jobs.recover(),
    "a waiting job cancelled": lambda store, job: store.jobs.cancel(2),
}


async def woken_by(waiting: Callable[[], Awaitable[None]], step: Awaitable[object]) -> bool:
    """Take a step while somebody waits; return whether that ended the wait, which must not have ended before."""
    task = asyncio.ensure_future(waiting())
    await asyncio.sleep(0)
    assert not task.done()
    await step
    done, _ = await asyncio.wait({task}, timeout=0.02)
    task.cancel()
    return bool(done)


@pytest.mark.parametrize("step", [*ENDS, *OTHERS])
async def test_a_worker_that_found_nothing_is_woken(tmp_path: Path, step: str) -> None:
    """The person's second job may run once the first one's end leaves them below their limit."""
    async with opened(tmp_path, Limits(running_per_user=1, max_attempts=1)) as store:
        for _ in range(2):
            await store.jobs.enqueue(new_job(1))
        job = await claimed(store)
        assert await store.jobs.claim() is None
        assert await woken_by(store.jobs.wait_for_work, (ENDS | OTHERS)[step](store, job))


@pytest.mark.parametrize("step", [*ENDS, "a restart", "a waiting job cancelled"])
async def test_a_poster_that_found_nothing_is_woken(tmp_path: Path, step: str) -> None:
    async with opened(tmp_path, Limits(max_attempts=1)) as store:
        for _ in range(2):
            await store.jobs.enqueue(new_job(1))
        job = await claimed(store)
        assert await store.deliveries.due() == []
        assert await woken_by(store.deliveries.wait_for_delivery, (ENDS | OTHERS)[step](store, job))


async def test_a_request_alone_wakes_no_poster(store: JobStore) -> None:
    """The negative control."""
    assert await store.deliveries.due() == []
    assert not await woken_by(store.deliveries.wait_for_delivery, store.jobs.enqueue(new_job()))


async def test_a_poster_is_woken_for_a_delivery_that_shall_wait(store: JobStore) -> None:
    """It counts the time until it is due."""
    await store.jobs.enqueue(new_job())
    await store.jobs.settle_cancelled(await claimed(store))
    await store.deliveries.mark_sending(1)
    assert await store.deliveries.due() == []
    assert await woken_by(store.deliveries.wait_for_delivery, store.deliveries.mark_later(1, 2**60, "HTTP 500"))


async def test_after_a_claim_the_next_worker_looks_too(store: JobStore) -> None:
    for user_id in (1, 2):
        await store.jobs.enqueue(new_job(user_id))
    await claimed(store)
    await asyncio.wait_for(store.jobs.wait_for_work(), 5)


# -- claims that nobody waits for any more --------------------------------------------------------------------------


async def give_up_a_claim(store: JobStore) -> None:
    claiming = asyncio.create_task(store.jobs.claim())
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait({claiming})
    assert claiming.cancelled()


async def test_a_claim_that_is_given_up_gives_its_job_back_without_a_strike(tmp_path: Path) -> None:
    store = await JobStore.open(tmp_path, limits=Limits(max_attempts=1))
    await store.jobs.enqueue(new_job())
    await give_up_a_claim(store)
    await store.close()  # waits for what was begun
    async with opened(tmp_path) as store:
        job = await kept(store, 1)
        assert (job.state, job.attempt) == (JobState.QUEUED, 1)


async def test_a_claim_that_is_given_up_and_found_nothing_gives_nothing_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await give_up_a_claim(store)
        assert await store.jobs.claim() is None


@pytest.mark.parametrize("given_up", [False, True])
async def test_what_a_claim_sets_aside_is_told_and_posted_even_when_the_claim_is_given_up(
    tmp_path: Path, given_up: bool
) -> None:
    told: list[int] = []
    async with opened(tmp_path) as store:
        for user_id in (1, 2, 3):
            await store.jobs.enqueue(new_job(user_id))
        with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as db:
            db.execute("update job set notes = '7' where id < 3")
        assert await store.deliveries.due() == []
        if given_up:
            await woken_by(store.deliveries.wait_for_delivery, give_up_a_claim(store))
            assert (await claimed(store)).id == 3
        else:
            assert await woken_by(store.deliveries.wait_for_delivery, claimed(store))
        store.jobs.tell_of_set_aside(told.append)
        assert told == [1, 2], "earlier ones first"
        assert [delivery.job_id for delivery in await store.deliveries.due()] == [1, 2]
