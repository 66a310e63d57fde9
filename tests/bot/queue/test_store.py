"""The store over several lives of the process."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from bot.queue.job import running_ms, wall_clock_ms
from tests.support.jobs import Clock, claimed, new_job, opened, rendered


async def test_recover_queues_again_what_a_dead_process_ran(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
        await store.jobs.enqueue(new_job(2))
        running = await claimed(store)

    async with opened(tmp_path) as store:
        assert [job.id for job in await store.jobs.recover()] == [running.id]
        again = await claimed(store)
        assert (again.id, again.attempt) == (running.id, 2)
        assert await store.jobs.settle_rendered(running, rendered(running)) is None


async def test_settings_outlive_the_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.settings.set("variant", "svd")
        await store.settings.set("variant", "demo")
    async with opened(tmp_path) as store:
        assert await store.settings.get("variant") == "demo"
        await store.settings.set("variant", None)
        assert await store.settings.get("variant") is None


def test_the_clocks_count_milliseconds() -> None:
    assert abs(wall_clock_ms() - time.time() * 1000) < 5_000
    assert abs(running_ms() - time.clock_gettime(time.CLOCK_BOOTTIME) * 1000) < 5_000


async def test_the_store_hands_out_the_clocks_that_it_was_given(tmp_path: Path) -> None:
    async with opened(tmp_path, now_ms=Clock(1), elapsed_ms=Clock(2)) as store:
        assert (store.now_ms(), store.elapsed_ms()) == (1, 2)


async def test_the_executors_that_a_store_is_opened_for_shorten_the_wait(tmp_path: Path) -> None:
    waits = []
    for executors in (1, 2):
        async with opened(tmp_path / f"{executors}", executors=executors, now_ms=Clock()) as store:
            for user_id in (1, 2, 3):
                await store.jobs.enqueue(new_job(user_id))
            last = await store.jobs.position(3)
            assert last is not None
            waits.append(last.eta_low_ms)
    assert waits[1] < waits[0]


DISAGREEMENTS = {
    "one more runs than does": "update lane set running = running + 1",
    "nobody is first in a lane": "update lane set head_tag = null, head_id = null",
    "the first one's tag is another": "update lane set head_tag = head_tag + 1",
    "somebody has no lane": "delete from lane where user_id = 1",
    "a settled job has no delivery": "delete from outbox where job_id = 2",
    "a waiting job has a delivery": "insert into outbox (job_id, state, next_ms) values (1, 'pending', 0)",
    "a delivery has no job": "insert into outbox (job_id, state, next_ms) values (99, 'pending', 0)",
    "a job has no kind": "update job set kind_id = 99 where id = 1",
    "a running job began after now": "update meta set value = -1 where key = 'vtime'",
    "a running job began never": "update job set started_ms = null where state = 'running'",
    "a running job was not counted": "update lane set served = 0",
    "a job costs nothing": "update job set tag = start_tag where id = 1",
}


@pytest.mark.parametrize("change", ["", *DISAGREEMENTS.values()], ids=["as it is", *DISAGREEMENTS])
async def test_every_test_of_the_store_ends_with_a_look_whether_its_tables_agree(tmp_path: Path, change: str) -> None:
    """The control of what `opened` asserts at its end."""
    try:
        async with opened(tmp_path) as store:
            await store.jobs.enqueue(new_job(1))
            for user_id in (2, 3):
                await store.jobs.enqueue(new_job(user_id))
            first = await store.jobs.enqueue(new_job(4, share=10_000))
            assert (await claimed(store)).id == first.id
            await store.jobs.cancel(2)
            if change:
                with contextlib.closing(sqlite3.connect(tmp_path / "vivant.db")) as db:
                    db.execute(change)
                    db.commit()
    except AssertionError:
        assert change
    else:
        assert not change
