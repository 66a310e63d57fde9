"""Where a job stands in the queue, and when it may be done."""

from __future__ import annotations

from bot.queue import fair_queue
from bot.queue.database import Statements
from bot.queue.estimates import size_of
from bot.queue.fair_queue import Sizes
from bot.queue.job import QueuePosition
from bot.queue.store import JobStore
from tests.support.jobs import Clock, claimed, new_job, rendered


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
