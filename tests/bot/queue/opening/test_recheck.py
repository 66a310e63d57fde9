"""What a restored folder has to look up, and what that changes in it; see also bot/edge/connection/restored.py."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bot.queue.database import Statements, fetch
from bot.queue.job import DeliveryState, JobState
from bot.queue.opening.copies import forget_restored, is_recheck_due, leave_mark, note_restored, was_restored
from bot.queue.store import JobStore
from tests.support.jobs import Clock, claimed, faults, in_memory, kept, new_job, opened, rendered


def meta(db: Statements) -> dict[str, object]:
    names = ("mark", "recheck", "restored_through")
    return {key: value for key, value in db.execute("select key, value from meta").fetchall() if key in names}


def test_a_mark_is_one_of_this_folder_at_this_start(tmp_path: Path) -> None:
    with closing(in_memory()) as db, closing(in_memory()) as another:
        assert not was_restored(db, tmp_path), "neither of them knows a mark"
        leave_mark(db, tmp_path)
        assert not was_restored(db, tmp_path)
        assert was_restored(another, tmp_path)
        assert was_restored(db, tmp_path / "another")
        first = meta(db)["mark"]
        leave_mark(db, tmp_path)
        assert meta(db)["mark"] != first and not was_restored(db, tmp_path)
        db.execute("update meta set value = ? where key = 'mark'", (first,))
        assert was_restored(db, tmp_path), "a copy of the database alone"
        assert [path.name for path in tmp_path.iterdir()] == ["mark"]


async def test_what_may_have_been_answered_are_the_jobs_up_to_the_newest_at_that_time(
    store: JobStore, clock: Clock
) -> None:
    assert await store.database.read(meta) == {"mark": (await store.database.read(meta))["mark"]}
    await store.recheck.note_restored()
    assert (await store.database.read(meta))["restored_through"] == 0, "no job"
    for user_id in (1, 2):
        await store.jobs.enqueue(new_job(user_id))
    await store.recheck.done()
    await store.recheck.note_restored()
    await store.recheck.note_restored()
    assert await store.recheck.is_due()
    await store.jobs.enqueue(new_job(3))
    for job_id in (1, 2, 3):
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
        assert job.id == job_id
    await store.recheck.done()
    assert not await store.recheck.is_due()
    arrived = {delivery.job_id: delivery.may_have_arrived for delivery in await store.deliveries.due()}
    assert arrived == {1: True, 2: True, 3: False}, "also after the look-up: a post may have come later"


def test_a_look_up_that_is_done_takes_nothing_else_along() -> None:
    with closing(in_memory()) as db:
        before = db.execute("select * from meta").fetchall()
        assert not is_recheck_due(db)
        note_restored(db)
        assert is_recheck_due(db)
        forget_restored(db)
        assert not is_recheck_due(db)
        assert db.execute("select * from meta where key <> 'restored_through'").fetchall() == before


async def test_what_is_not_answered_is_looked_up_in_the_order_of_the_queue(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for user_id in range(1, 7):
            await store.jobs.enqueue(new_job(user_id, share=100 if user_id < 6 else 1000))
        by_end = {}
        for end in ("running", "pending", "sending", "sent", "dead"):
            job = await claimed(store)
            by_end[end] = job.id
            if end != "running":
                await store.jobs.settle_rendered(job, rendered(job))
            if end in ("sending", "sent", "dead"):
                await store.deliveries.mark_sending(job.id)
            if end == "sent":
                await store.deliveries.mark_sent(job.id, 5)
            if end == "dead":
                await store.deliveries.mark_dead(job.id, "refused")
        assert by_end["running"] == 6, "whose share is larger"
        assert [job.id for job in await store.recheck.unanswered(10)] == [6, 1, 2, 5]
        assert [job.id for job in await store.recheck.unanswered(2)] == [6, 1]


async def test_an_answered_job_is_over_whatever_it_was(tmp_path: Path) -> None:
    async with opened(tmp_path, now_ms=Clock(1_000)) as store:
        for user_id in (1, 1, 2):
            await store.jobs.enqueue(new_job(user_id))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
        for job_id in (1, 2):
            await store.recheck.close_answered(job_id)
        deliveries = [await store.deliveries.of_job(job_id) for job_id in (1, 2, 3)]
        assert [item and item.state for item in deliveries] == [DeliveryState.SENT, DeliveryState.SENT, None]
        states = [(await kept(store, job_id)).state for job_id in (1, 2, 3)]
        assert states == [JobState.RENDERED, JobState.CANCELLED, JobState.QUEUED]
        assert await store.database.read(fetch, "select finished_ms from job where id = 2") == [(1_000,)]
        assert await store.database.read(faults) == [], "its lane knows it too"
        assert (await claimed(store)).id == 3
