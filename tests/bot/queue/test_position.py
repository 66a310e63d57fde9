"""Where a job stands in the queue, and when it may be done."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from bot.queue import fair_queue
from bot.queue.database import Statements
from bot.queue.estimates import kind_of, size_of
from bot.queue.fair_queue import Sizes
from bot.queue.job import Limits, QueuePosition
from bot.queue.store import JobStore
from generator.variants import BUILT_IN
from tests.support.jobs import Clock, claimed, in_memory, new_job, rendered


async def position(store: JobStore, job_id: int) -> QueuePosition:
    """Read the position of a job that must be queued."""
    found = await store.jobs.position(job_id)
    assert found is not None
    return found


async def test_the_position_is_honest_before_anything_was_measured(store: JobStore) -> None:
    job = await store.jobs.enqueue(new_job())

    found = await position(store, job.id)

    assert (found.position, found.waiting) == (1, 1)
    assert found.eta_low_ms * 10 < found.eta_high_ms


async def test_the_position_learns_from_what_renders_took(store: JobStore, clock: Clock) -> None:
    for seconds in (20.0, 21.0, 22.0, 19.0, 20.0):
        await store.jobs.enqueue(new_job())
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job, seconds))

    await store.jobs.enqueue(new_job(1))
    running = await claimed(store)
    clock.now_ms += 5_000
    second = await store.jobs.enqueue(new_job(2))
    third = await store.jobs.enqueue(new_job(3))

    found = await position(store, second.id)
    assert 30_000 < found.eta_low_ms < 35_000 < found.eta_high_ms < 45_000  # 15 s left and 20 s of its own
    store.jobs.executors = 3
    assert (await position(store, third.id)).eta_high_ms < 25_000  # there is a free executor
    assert await store.jobs.position(running.id) is None


async def test_a_job_that_waits_inside_the_backend_has_not_begun(store: JobStore, clock: Clock) -> None:
    for _ in range(3):
        await store.jobs.enqueue(new_job(1))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job, 20.0))
    for user_id in (1, 2, 3):
        await store.jobs.enqueue(new_job(user_id))
    first, _ = await claimed(store), await claimed(store)
    [last] = await store.jobs.waiting()

    clock.now_ms += 20_000
    behind_both = await position(store, last.id)
    await store.jobs.settle_rendered(first, rendered(first, 20.0))
    behind_one = await position(store, last.id)

    assert 36_000 <= behind_both.eta_low_ms <= 40_000 <= behind_both.eta_high_ms <= 46_000
    assert 36_000 <= behind_one.eta_low_ms <= 40_000 <= behind_one.eta_high_ms <= 44_000


async def test_the_claim_looks_at_one_row_per_person(store: JobStore) -> None:
    def plans(db: Statements) -> list[str]:
        look = f"explain query plan {fair_queue.CLAIM_SQL}"
        return [row[3] for row in db.execute(look, {"most": 1}).fetchall()]

    assert await store.database.read(plans) == ["SCAN lane USING INDEX lane_head"]


async def test_a_claim_by_size_goes_through_the_people_in_order_too(store: JobStore) -> None:
    def plans(db: Statements) -> list[str]:
        look = f"explain query plan {fair_queue.CLAIM_SIZE_SQL}"
        return [row[3] for row in db.execute(look, {"most": 1, "without": "[]", "only": None}).fetchall()]

    first, *others = await store.database.read(plans)
    assert first == "SCAN lane USING INDEX lane_head"
    assert not [step for step in others if "B-TREE" in step or "SCAN job" in step]


async def test_a_claim_may_leave_sizes_out_or_take_some_only(store: JobStore) -> None:
    large, small = new_job(1, frames=25), new_job(2, frames=14)
    size = frozenset({size_of(large.settings)})
    for new in (large, small):
        await store.jobs.enqueue(new)
    assert await store.jobs.claim(Sizes(only=frozenset())) is None
    without = await store.jobs.claim(Sizes(without=size))
    assert without is not None and without.settings.frames == 14
    assert await store.jobs.claim(Sizes(without=size)) is None
    only = await store.jobs.claim(Sizes(only=size))
    assert only is not None and only.settings.frames == 25


async def test_the_position_is_read_from_one_index(store: JobStore) -> None:
    def plan(db: Statements) -> list[str]:
        look = f"explain query plan {fair_queue.AHEAD_SQL}"
        return [row[3] for row in db.execute(look, {"tag": 1, "id": 1}).fetchall()]

    assert await store.database.read(plan) == [
        "SEARCH j USING COVERING INDEX job_live (state=? AND tag<?)",
        "SEARCH k USING INTEGER PRIMARY KEY (rowid=?)",
    ]


# -- the times, to the millisecond ----------------------------------------------------------------------------------


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(in_memory()) as db:
        yield db


def ask(db: sqlite3.Connection, seconds: int) -> int:
    """Accept a person's only request, of a kind that takes that many seconds, or twice as many; return its id."""
    new = new_job(seconds, variant=f"takes-{seconds}")
    sql = "insert into kind (name, variant, model_ms, cost_ms, low_ms, high_ms) values (?, ?, 1, ?, ?, ?)"
    db.execute(sql, (kind_of(new.settings), new.settings.variant, *[seconds * 1000] * 2, seconds * 2000))
    return fair_queue.enqueue(db, new, Limits(), BUILT_IN, 0).id


def wait(db: sqlite3.Connection, job_id: int, executors: int, now_ms: int, settled_ms: int = 0) -> tuple[int, int]:
    found = fair_queue.position(db, job_id, executors, now_ms, settled_ms)
    assert found is not None
    assert isinstance(found.eta_low_ms, int) and isinstance(found.eta_high_ms, int)
    return found.eta_low_ms, found.eta_high_ms


def run_three_of_five(db: sqlite3.Connection) -> int:
    """Let jobs of 10, 20 and 30 s start at 1, 3 and 5 s, and two of 40 and 50 s wait; return the last one's id."""
    for seconds in (10, 20, 30, 40):
        ask(db, seconds)
    last = ask(db, 50)
    for now_ms in (1_000, 3_000, 5_000):
        assert fair_queue.claim(db, Limits(), now_ms)
    return last


def test_executors_share_what_is_left_of_all_that_comes_before(db: sqlite3.Connection) -> None:
    last = run_three_of_five(db)
    # Two executors have begun the first two, at 9 s; the third one waits inside a backend.
    low = 50_000 + (40_000 + (10_000 - 8_000) + (20_000 - 6_000) + 30_000) // 2
    high = 100_000 + (80_000 + (20_000 - 8_000) + (40_000 - 6_000) + 60_000) // 2
    assert wait(db, last, 2, 9_000) == (low, high)
    assert wait(db, last, 2, 9_000, settled_ms=8_000) == (low, high), "which of them ended then is not known"
    all_begun = 50_000 + (40_000 + (10_000 - 8_000) + (20_000 - 6_000) + (30_000 - 4_000)) // 4
    assert wait(db, last, 4, 9_000)[0] == all_begun
    assert wait(db, last, 5, 9_000) == (50_000, 100_000), "a fifth executor begins it at once"


def test_one_executor_began_nothing_before_its_last_job_left(db: sqlite3.Connection) -> None:
    last = run_three_of_five(db)
    later = 40_000 + 20_000 + 30_000
    assert wait(db, last, 1, 9_000) == (50_000 + later + 2_000, 100_000 + 2 * later + 12_000)
    assert wait(db, last, 1, 9_000, settled_ms=8_000) == (50_000 + later + 9_000, 100_000 + 2 * later + 19_000)


@pytest.mark.parametrize(("now_ms", "left"), [(10_999, 10_001), (20_999, 1), (21_000, 0), (900_000, 0), (500, 20_000)])
def test_a_job_that_takes_longer_than_expected_is_about_to_end(db: sqlite3.Connection, now_ms: int, left: int) -> None:
    """It takes nothing off the others' time. The last case: a clock that was set back."""
    ask(db, 10)
    assert fair_queue.claim(db, Limits(), 1_000)
    assert wait(db, ask(db, 50), 1, now_ms) == (50_000 + max(0, left - 10_000), 100_000 + left)


def test_people_with_the_same_tag_stand_in_the_order_of_their_requests(db: sqlite3.Connection) -> None:
    ids = [fair_queue.enqueue(db, new_job(user_id), Limits(), BUILT_IN, 0).id for user_id in (1, 2, 3)]
    found = [fair_queue.position(db, job_id, 1, 0) for job_id in ids]
    assert [(one.position, one.waiting) for one in found if one] == [(1, 3), (2, 3), (3, 3)]
