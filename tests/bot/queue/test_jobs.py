"""Accepting, claiming, settling and cancelling jobs, on a real SQLite file."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.queue.job import CancelOutcome, JobState, Limits, PictureReleased, QueueFull
from bot.queue.opening.faults import StoreFull
from bot.queue.store import JobStore
from generator.errors import ExecutorLost, OutOfMemory
from generator.protocol import Note
from tests.support.jobs import HOUR_MS, Clock, claimed, kept, new_job, opened, rendered


async def test_a_request_comes_back_as_it_was_given(store: JobStore) -> None:
    new = replace(new_job(7, seed=12, motion_bucket=99), notes=(Note("flattened", {"a": 1}),))

    job = await store.jobs.enqueue(new)

    assert (job.key, job.user_id, job.route, job.settings, job.picture) == (
        new.key,
        7,
        new.route,
        new.settings,
        new.picture,
    )
    assert job.notes == new.notes
    assert await store.jobs.get(job.id) == job


@pytest.mark.parametrize("master", [None, "1-1.master.mp4"])
async def test_a_rendered_job_keeps_its_clips_names(store: JobStore, master: str | None) -> None:
    await store.jobs.enqueue(new_job())
    job = await claimed(store)
    made = replace(rendered(job), master_path=None if master is None else Path("anywhere") / master)
    assert await store.jobs.settle_rendered(job, made) is JobState.RENDERED
    after = await kept(store, job.id)
    assert (after.clip, after.master) == ("1-1.mp4", master)


async def test_the_same_request_twice_is_one_job(store: JobStore) -> None:
    new = new_job()

    first, second = await asyncio.gather(store.jobs.enqueue(new), store.jobs.enqueue(new))

    assert first == second
    assert (await store.jobs.counts())[JobState.QUEUED] == 1


async def test_the_same_request_is_known_even_when_the_queue_is_full(store: JobStore) -> None:
    jobs = [new_job() for _ in range(3)]
    for new in jobs:
        await store.jobs.enqueue(new)

    assert (await store.jobs.enqueue(jobs[0])).key == jobs[0].key


@pytest.mark.parametrize(
    ("limits", "scope"),
    [
        (Limits(queued_per_user=2), "user"),
        (Limits(queued_per_user=0, queued_per_guild=2), "guild"),
    ],
)
async def test_each_limit_refuses_with_its_name(tmp_path: Path, limits: Limits, scope: str) -> None:
    async with opened(tmp_path, limits) as store:
        await store.jobs.enqueue(new_job())
        await store.jobs.enqueue(new_job())

        with pytest.raises(QueueFull) as refused:
            await store.jobs.enqueue(new_job())

        assert (refused.value.scope, refused.value.limit) == (scope, 2)
        assert (await store.jobs.counts())[JobState.QUEUED] == 2


async def test_whether_there_is_a_place_is_told_before_anything_is_enqueued(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_user=3, queued_per_guild=4)) as store:
        await store.jobs.enqueue(new_job(1))
        await store.jobs.refuse_when_full(1, 5, coming=2)
        with pytest.raises(QueueFull) as refused:
            await store.jobs.refuse_when_full(1, 5, coming=3)
        assert refused.value.scope == "user"
        for user_id in (2, 3, 4):
            await store.jobs.refuse_when_full(user_id, 5, coming=1)
            await store.jobs.enqueue(new_job(user_id))
        with pytest.raises(QueueFull) as refused:
            await store.jobs.refuse_when_full(6, 5, coming=1)
        assert refused.value.scope == "guild"
        await store.jobs.refuse_when_full(6, None, coming=1)
        assert (await store.jobs.counts())[JobState.QUEUED] == 4


async def test_people_outside_a_server_have_no_server_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_guild=1)) as store:
        for user_id in range(3):
            await store.jobs.enqueue(new_job(user_id, guild_id=None))

        assert (await store.jobs.counts())[JobState.QUEUED] == 3


async def test_nobody_runs_more_than_the_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(running_per_user=1)) as store:
        for user_id in (1, 1, 2):
            await store.jobs.enqueue(new_job(user_id))

        first, second = await claimed(store), await claimed(store)
        assert (first.user_id, second.user_id, await store.jobs.claim()) == (1, 2, None)

        await store.jobs.settle_rendered(first, rendered(first))
        assert (await claimed(store)).user_id == 1


async def test_a_late_result_of_an_earlier_attempt_is_thrown_away(store: JobStore) -> None:
    await store.jobs.enqueue(new_job())
    first = await claimed(store)
    await store.jobs.give_back(first, counts=False)
    second = await claimed(store)

    assert (first.id, first.attempt, second.attempt) == (second.id, 1, 2)
    assert await store.jobs.settle_rendered(first, rendered(first)) is None
    assert await store.jobs.give_back(first, counts=True) is None
    assert await store.jobs.settle_rendered(second, rendered(second)) is JobState.RENDERED
    assert await store.jobs.settle_failed(second, OutOfMemory("no")) is None
    for counts in (True, False):
        assert await store.jobs.give_back(second, counts=counts) is None
    assert (await kept(store, first.id)).clip == f"{first.id}-2.mp4"


async def test_each_settled_job_has_exactly_one_delivery(store: JobStore) -> None:
    for user_id in (1, 2, 3, 4):
        await store.jobs.enqueue(new_job(user_id))
    await store.jobs.cancel(4)
    first = await claimed(store)
    await store.jobs.settle_rendered(first, rendered(first))
    await store.jobs.settle_failed(await claimed(store), OutOfMemory("too big", needed_gib=40))
    await store.jobs.settle_cancelled(await claimed(store))

    assert sorted(delivery.job_id for delivery in await store.deliveries.due()) == [1, 2, 3, 4]
    assert (await kept(store, 2)).failure == {"code": "out-of-memory", "text": "too big", "data": {"needed_gib": 40}}


async def test_a_poison_job_fails_with_its_last_error_after_the_bound(store: JobStore) -> None:
    job = await store.jobs.enqueue(new_job())
    lost = ExecutorLost("gone", cause="exit")

    states = [await store.jobs.give_back(await claimed(store), counts=True, error=lost) for _ in range(3)]

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    failure = (await kept(store, job.id)).failure
    assert failure is not None
    assert (failure["code"], failure["attempts"]) == ("executor-lost", 3)
    assert [delivery.job_id for delivery in await store.deliveries.due()] == [job.id]


async def test_attempts_that_were_not_the_jobs_fault_do_not_count(store: JobStore) -> None:
    await store.jobs.enqueue(new_job())
    for _ in range(10):
        assert await store.jobs.give_back(await claimed(store), counts=False) is JobState.QUEUED


async def test_a_job_given_back_keeps_its_position(store: JobStore) -> None:
    for user_id in (1, 2, 3):
        await store.jobs.enqueue(new_job(user_id))
    first = await claimed(store)

    await store.jobs.give_back(first, counts=False)

    assert [job.id for job in await store.jobs.waiting()] == [1, 2, 3]
    assert (await claimed(store)).id == first.id


async def test_cancelling_in_each_state(store: JobStore) -> None:
    waiting, running = await store.jobs.enqueue(new_job(1)), await store.jobs.enqueue(new_job(2))

    assert await store.jobs.cancel(999) is CancelOutcome.NOT_FOUND
    assert (await claimed(store)).id == waiting.id
    assert await store.jobs.cancel(waiting.id) is CancelOutcome.RUNNING_REQUESTED
    assert await store.jobs.cancel(running.id) is CancelOutcome.QUEUED_CANCELLED
    assert await store.jobs.cancel(running.id) is CancelOutcome.ALREADY_SETTLED
    assert await store.jobs.claim() is None


async def test_who_cancelled_first_is_kept_as_a_role_and_no_more(store: JobStore) -> None:
    for moderators in ([True], [False], [True, False], [False, True]):
        job = await store.jobs.enqueue(new_job())
        await claimed(store)
        for by_moderator in moderators:
            await store.jobs.cancel(job.id, by_moderator=by_moderator)
        assert await store.jobs.settle_cancelled(await kept(store, job.id)) is JobState.CANCELLED
        assert (await kept(store, job.id)).by_moderator is moderators[0]
    waiting = await store.jobs.enqueue(new_job())
    await store.jobs.cancel(waiting.id, by_moderator=True)
    assert (await kept(store, waiting.id)).by_moderator


@pytest.mark.parametrize("end", ["rendered", "given back", "recovered"])
async def test_a_running_job_whose_person_asked_to_cancel_ends_cancelled(store: JobStore, end: str) -> None:
    await store.jobs.enqueue(new_job())
    job = await claimed(store)
    await store.jobs.cancel(job.id)

    if end == "rendered":
        assert await store.jobs.settle_rendered(job, rendered(job)) is JobState.CANCELLED
    elif end == "given back":
        assert await store.jobs.give_back(job, counts=True) is JobState.CANCELLED
    else:
        assert [job.state for job in await store.jobs.recover()] == [JobState.CANCELLED]

    assert (await kept(store, job.id)).state is JobState.CANCELLED
    assert len(await store.deliveries.due()) == 1


async def test_waiting_for_work_ends_when_a_job_comes(store: JobStore) -> None:
    assert await store.jobs.claim() is None
    waiting = asyncio.create_task(store.jobs.wait_for_work())
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done

    await store.jobs.enqueue(new_job())

    await asyncio.wait_for(waiting, 5)


async def test_of_many_claims_at_once_each_job_is_claimed_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(30):
            await store.jobs.enqueue(new_job(number % 3))

        jobs = await asyncio.gather(*(store.jobs.claim() for _ in range(40)))

        assert sorted(job.id for job in jobs if job) == list(range(1, 31))


async def test_a_job_is_not_looked_for_by_every_worker_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 600 of them, each request and each finished clip would cost 600 transactions."""
    async with opened(tmp_path) as store:
        found: asyncio.Queue[int] = asyncio.Queue()

        async def work() -> None:
            while (job := await store.jobs.claim()) is None:
                await store.jobs.wait_for_work()
            found.put_nowait(job.id)

        workers = [asyncio.create_task(work()) for _ in range(100)]
        await asyncio.sleep(0)
        assert await store.jobs.claim() is None, "all have looked"
        started = []
        start_write = store.database.start_write

        def counted(function: Any, *args: Any) -> Any:
            started.append(function)
            return start_write(function, *args)

        monkeypatch.setattr(store.database, "start_write", counted)
        for number in range(3):
            await store.jobs.enqueue(new_job(number))
            assert await found.get() == number + 1
            assert await store.jobs.claim() is None, "after all that woke"
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
        assert len(started) <= 3 * 3, "a request, its claim, and one more look"


async def test_a_look_that_failed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
        start_write = store.database.start_write

        def refused(*_: Any) -> Any:
            raise StoreFull("no room")

        monkeypatch.setattr(store.database, "start_write", refused)
        with pytest.raises(StoreFull):
            await store.jobs.claim()
        monkeypatch.setattr(store.database, "start_write", start_write)
        assert (await claimed(store)).id == 1


@pytest.mark.parametrize("gone", ["swept", "deleted", "forgotten", "server forgotten", "kept"])
async def test_a_variation_is_refused_once_its_picture_is_let_go(tmp_path: Path, gone: str) -> None:
    """The row lets go of the picture first, and its file is deleted after that: a look at the file comes too early."""
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        first = await store.jobs.enqueue(new_job(1))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
        await store.deliveries.mark_sending(1)
        await store.deliveries.mark_sent(1, 5)
        clock.now_ms += 25 * HOUR_MS
        deleted: list[str] = []
        if gone == "swept":
            deleted = await store.retention.sweep()
        elif gone == "deleted":
            deleted = await store.retention.drop_files(1)
        elif gone == "forgotten":
            deleted = (await store.retention.forget_user(1)).files
        elif gone == "server forgotten":
            deleted = (await store.retention.forget_guild(5)).files
        variation = replace(new_job(2, guild_id=6), picture=first.picture, of_job=first.id)
        if gone == "kept":
            assert (await store.jobs.enqueue(variation)).picture == first.picture
            assert first.picture not in await store.retention.sweep()
        else:
            assert first.picture in deleted
            with pytest.raises(PictureReleased):
                await store.jobs.enqueue(variation)
            assert await store.jobs.of_user(2) == []


async def test_each_transition_of_a_job_is_one_line_in_the_log(
    store: JobStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot.queue.jobs")
    await store.jobs.enqueue(new_job())
    first = await claimed(store)
    await store.jobs.give_back(first, counts=False)
    second = await claimed(store)
    await store.jobs.recover()
    await claimed(store)
    await store.jobs.settle_rendered(second, rendered(second))
    await store.jobs.cancel(1)
    said = [record.getMessage().removeprefix("job=1 ").split(" variant")[0] for record in caplog.records]
    assert said == [
        "accepted",
        "running attempt=1",
        "queued attempt=1",
        "running attempt=2",
        "queued after a restart attempt=2",
        "running attempt=3",
        "late, thrown away attempt=2",
        "cancel running-requested",
    ]


async def test_a_restart_names_the_jobs_that_ran_and_no_others(store: JobStore) -> None:
    for user_id in (1, 2, 3):
        await store.jobs.enqueue(new_job(user_id))
    ran = [(await claimed(store)).id for _ in range(2)]
    assert [job.id for job in await store.jobs.recover()] == ran


# -- filters: each with more than one person, server and state ------------------------------------------------------


async def test_a_withdrawn_job_leaves_no_gap_in_the_queue(store: JobStore) -> None:
    first, second = await store.jobs.enqueue(new_job(1)), await store.jobs.enqueue(new_job(1))
    other = await store.jobs.enqueue(new_job(2))

    assert await store.jobs.withdraw(first.id)
    assert not await store.jobs.withdraw(first.id)

    assert [(await claimed(store)).id for _ in range(2)] == [other.id, second.id]
    assert await store.jobs.claim() is None
    assert not await store.jobs.withdraw(second.id), "it runs"
    assert (await kept(store, second.id)).state is JobState.RUNNING


async def test_a_persons_jobs_come_newest_first_and_no_more_than_asked_for(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for user_id in (1, 2, 1, 2, 1):
            await store.jobs.enqueue(new_job(user_id))
        assert [job.id for job in await store.jobs.of_user(1)] == [5, 3, 1]
        assert [job.id for job in await store.jobs.of_user(2, limit=1)] == [4]


async def test_limits_count_what_waits_of_this_person_and_of_this_server(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_user=1, queued_per_guild=2)) as store:
        await store.jobs.enqueue(new_job(1, guild_id=5))
        running = await claimed(store)
        await store.jobs.enqueue(new_job(1, guild_id=5))  # the other one runs
        await store.jobs.enqueue(new_job(2, guild_id=6))
        await store.jobs.enqueue(new_job(3, guild_id=5))
        with pytest.raises(QueueFull, match="guild"):
            await store.jobs.enqueue(new_job(4, guild_id=5))
        await store.jobs.enqueue(new_job(4, guild_id=6))
        with pytest.raises(QueueFull, match="user"):
            await store.jobs.enqueue(new_job(1, guild_id=None))
        assert running.user_id == 1


async def test_what_runs_comes_before_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for user_id in (1, 2, 3, 3):
            await store.jobs.enqueue(new_job(user_id))
        first, second = await claimed(store), await claimed(store)
        await store.jobs.settle_cancelled(first)
        assert [job.id for job in await store.jobs.active()] == [second.id, 3, 4]
        assert [job.id for job in await store.jobs.waiting(limit=1)] == [3]
        counts = await store.jobs.counts()
        assert counts == {
            JobState.QUEUED: 2,
            JobState.RUNNING: 1,
            JobState.CANCELLED: 1,
            JobState.RENDERED: 0,
            JobState.FAILED: 0,
        }


async def test_a_second_cancel_of_a_running_job_is_the_same_request(store: JobStore) -> None:
    await store.jobs.enqueue(new_job(1))
    other = await store.jobs.enqueue(new_job(2))
    job = await claimed(store)
    for _ in range(2):
        assert await store.jobs.cancel(job.id) is CancelOutcome.RUNNING_REQUESTED
    assert (await kept(store, job.id)).cancel_requested
    assert not (await kept(store, other.id)).cancel_requested
