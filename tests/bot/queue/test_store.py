"""The store's promises, on a real SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue import jobs as line
from bot.queue.job import DeliveryState, JobState, Limits
from bot.queue.store import CancelOutcome, JobStore, QueueFull, StoreError, StoreLocked, StoreTooNew
from generator.errors import ExecutorLost, OutOfMemory
from generator.protocol import Note
from tests.support.jobs import Clock, new_job, opened, rendered

HOUR_MS = 3_600_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[JobStore]:
    async with opened(tmp_path, Limits(queued_per_user=3, queued_per_guild=5), clock) as store:
        yield store


async def test_a_request_comes_back_as_it_was_given(store: JobStore) -> None:
    new = replace(new_job(7, seed=12, motion_bucket=99), notes=(Note("flattened", {"a": 1}),))

    job = await store.enqueue(new)

    assert (job.key, job.user_id, job.route, job.settings, job.picture) == (
        new.key,
        7,
        new.route,
        new.settings,
        new.picture,
    )
    assert job.notes == new.notes
    assert await store.job(job.id) == job


async def test_the_same_request_twice_is_one_job(store: JobStore) -> None:
    new = new_job()

    first, second = await asyncio.gather(store.enqueue(new), store.enqueue(new))

    assert first == second
    assert (await store.counts())[JobState.QUEUED] == 1


async def test_the_same_request_is_known_even_when_the_line_is_full(store: JobStore) -> None:
    jobs = [new_job() for _ in range(3)]
    for new in jobs:
        await store.enqueue(new)

    assert (await store.enqueue(jobs[0])).key == jobs[0].key


@pytest.mark.parametrize(
    ("limits", "scope"),
    [
        (Limits(queued_per_user=2), "user"),
        (Limits(queued_per_user=0, queued_per_guild=2), "guild"),
    ],
)
async def test_each_limit_refuses_with_its_name(tmp_path: Path, limits: Limits, scope: str) -> None:
    async with opened(tmp_path, limits) as store:
        await store.enqueue(new_job())
        await store.enqueue(new_job())

        with pytest.raises(QueueFull) as refused:
            await store.enqueue(new_job())

        assert (refused.value.scope, refused.value.limit) == (scope, 2)
        assert (await store.counts())[JobState.QUEUED] == 2


async def test_people_outside_a_server_have_no_server_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_guild=1)) as store:
        for user_id in range(3):
            await store.enqueue(new_job(user_id, guild_id=None))


async def test_nobody_runs_more_than_the_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(running_per_user=1)) as store:
        for user_id in (1, 1, 2):
            await store.enqueue(new_job(user_id))

        first, second, third = [await store.claim() for _ in range(3)]
        assert (first.user_id, second.user_id, third) == (1, 2, None)

        await store.settle_rendered(first, rendered(first))
        assert (await store.claim()).user_id == 1


async def test_a_late_result_of_an_earlier_try_is_thrown_away(store: JobStore) -> None:
    await store.enqueue(new_job())
    first = await store.claim()
    await store.give_back(first, counts=False)
    second = await store.claim()

    assert (first.id, first.attempt, second.attempt) == (second.id, 1, 2)
    assert await store.settle_rendered(first, rendered(first)) is None
    assert await store.give_back(first, counts=True) is None
    assert await store.settle_rendered(second, rendered(second)) is JobState.RENDERED
    assert await store.settle_failed(second, OutOfMemory("no")) is None
    assert (await store.job(first.id)).clip == f"{first.id}-2.mp4"


async def test_each_settled_job_owes_exactly_one_delivery(store: JobStore) -> None:
    for user_id in (1, 2, 3, 4):
        await store.enqueue(new_job(user_id))
    await store.cancel(4)
    ends = [store.settle_rendered, store.settle_failed, store.settle_cancelled]
    extras = [(rendered,), (lambda job: OutOfMemory("too big", needed_gib=40),), ()]
    for end, extra in zip(ends, extras, strict=True):
        job = await store.claim()
        await end(job, *(make(job) for make in extra))

    assert sorted(delivery.job_id for delivery in await store.due_deliveries()) == [1, 2, 3, 4]
    assert (await store.job(2)).failure == {"code": "out-of-memory", "text": "too big", "data": {"needed_gib": 40}}


async def test_a_poison_job_fails_with_its_last_error_after_the_bound(store: JobStore) -> None:
    job = await store.enqueue(new_job())
    lost = ExecutorLost("gone", cause="exit")

    states = [await store.give_back(await store.claim(), counts=True, error=lost) for _ in range(3)]

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
    failure = (await store.job(job.id)).failure
    assert (failure["code"], failure["attempts"]) == ("executor-lost", 3)
    assert [delivery.job_id for delivery in await store.due_deliveries()] == [job.id]


async def test_tries_that_were_not_the_jobs_fault_do_not_count(store: JobStore) -> None:
    await store.enqueue(new_job())
    for _ in range(10):
        assert await store.give_back(await store.claim(), counts=False) is JobState.QUEUED


async def test_a_job_given_back_keeps_its_place(store: JobStore) -> None:
    for user_id in (1, 2, 3):
        await store.enqueue(new_job(user_id))
    first = await store.claim()

    await store.give_back(first, counts=False)

    assert [job.id for job in await store.line()] == [1, 2, 3]
    assert (await store.claim()).id == first.id


async def test_cancelling_in_each_state(store: JobStore) -> None:
    waiting, running = await store.enqueue(new_job(1)), await store.enqueue(new_job(2))

    assert await store.cancel(999) is CancelOutcome.NOT_FOUND
    assert (await store.claim()).id == waiting.id
    assert await store.cancel(waiting.id) is CancelOutcome.RUNNING_REQUESTED
    assert await store.cancel(running.id) is CancelOutcome.QUEUED_CANCELLED
    assert await store.cancel(running.id) is CancelOutcome.ALREADY_SETTLED
    assert await store.claim() is None


@pytest.mark.parametrize("end", ["rendered", "given back", "recovered"])
async def test_a_running_job_whose_person_asked_to_cancel_ends_cancelled(store: JobStore, end: str) -> None:
    await store.enqueue(new_job())
    job = await store.claim()
    await store.cancel(job.id)

    if end == "rendered":
        assert await store.settle_rendered(job, rendered(job)) is JobState.CANCELLED
    elif end == "given back":
        assert await store.give_back(job, counts=True) is JobState.CANCELLED
    else:
        assert [job.state for job in await store.recover()] == [JobState.CANCELLED]

    assert (await store.job(job.id)).state is JobState.CANCELLED
    assert len(await store.due_deliveries()) == 1


async def test_recover_queues_again_what_a_dead_process_ran(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(new_job())
        await store.enqueue(new_job(2))
        running = await store.claim()

    async with opened(tmp_path) as store:
        assert [job.id for job in await store.recover()] == [running.id]
        again = await store.claim()
        assert (again.id, again.attempt) == (running.id, 2)
        assert await store.settle_rendered(running, rendered(running)) is None


async def test_recover_makes_unfinished_posts_due_and_remembers_their_first_try(store: JobStore, clock: Clock) -> None:
    await store.enqueue(new_job())
    await store.settle_cancelled(await store.claim())
    assert await store.mark_sending(1)
    assert not await store.mark_sending(1)
    assert await store.due_deliveries() == []
    first_try, clock.now_ms = clock.now_ms, clock.now_ms + HOUR_MS

    await store.recover()

    [delivery] = await store.due_deliveries()
    assert (delivery.state, delivery.first_try_ms, delivery.attempts) == (DeliveryState.PENDING, first_try, 1)


async def test_a_delivery_goes_from_pending_to_sent(store: JobStore, clock: Clock) -> None:
    await store.enqueue(new_job())
    await store.settle_cancelled(await store.claim())

    await store.mark_sending(1)
    await store.mark_later(1, clock.now_ms + 2_000, "HTTP 500")
    assert await store.due_deliveries() == []
    clock.now_ms += 2_000
    [delivery] = await store.due_deliveries()
    await store.mark_sending(1)
    await store.mark_sent(1, 4711)

    assert (delivery.error, delivery.attempts, len(delivery.nonce) <= 25) == ("HTTP 500", 1, True)
    sent = await store.delivery(1)
    assert (sent.state, sent.message_id, sent.nonce) == (DeliveryState.SENT, 4711, delivery.nonce)
    assert await store.due_deliveries() == []


async def test_deliveries_that_one_look_had_no_room_for_are_not_forgotten(store: JobStore) -> None:
    for user_id in range(3):
        await store.enqueue(new_job(user_id))
        await store.settle_cancelled(await store.claim())
    sent = []

    async with asyncio.timeout(5):
        while len(sent) < 3:
            for delivery in await store.due_deliveries(limit=1):
                await store.mark_sending(delivery.job_id)
                await store.mark_sent(delivery.job_id, 1)
                sent.append(delivery.job_id)
            if len(sent) < 3:
                await store.wait_for_delivery()

    assert sent == [1, 2, 3]


async def test_a_dead_delivery_keeps_its_reason_and_is_not_tried_again(store: JobStore) -> None:
    await store.enqueue(new_job())
    await store.settle_cancelled(await store.claim())
    await store.mark_sending(1)
    await store.mark_dead(1, "channel gone")

    assert (await store.delivery(1)).error == "channel gone"
    await store.recover()
    assert await store.due_deliveries() == []


async def test_waiting_for_work_ends_when_a_job_comes(store: JobStore) -> None:
    assert await store.claim() is None
    waiting = asyncio.create_task(store.wait_for_work())
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done

    await store.enqueue(new_job())

    await asyncio.wait_for(waiting, 5)


async def test_of_many_claims_at_once_each_job_is_taken_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for number in range(30):
            await store.enqueue(new_job(number % 3))

        jobs = await asyncio.gather(*(store.claim() for _ in range(40)))

        assert sorted(job.id for job in jobs if job) == list(range(1, 31))


async def test_the_place_is_honest_before_anything_was_measured(store: JobStore) -> None:
    job = await store.enqueue(new_job())

    place = await store.place(job.id)

    assert (place.position, place.waiting) == (1, 1)
    assert place.eta_low_ms * 10 < place.eta_high_ms


async def test_the_place_learns_from_what_renders_took(store: JobStore, clock: Clock) -> None:
    for seconds in (20.0, 21.0, 22.0, 19.0, 20.0):
        await store.enqueue(new_job())
        job = await store.claim()
        await store.settle_rendered(job, rendered(job, seconds))

    await store.enqueue(new_job(1))
    running = await store.claim()
    clock.now_ms += 5_000
    second = await store.enqueue(new_job(2))
    third = await store.enqueue(new_job(3))

    assert running is not None
    place = await store.place(second.id)
    assert 30_000 < place.eta_low_ms < 35_000 < place.eta_high_ms < 45_000  # 15 s left and 20 s of its own
    store.executors = 3
    assert (await store.place(third.id)).eta_high_ms < 25_000  # there is a free executor
    assert await store.place(running.id) is None


async def test_a_job_that_waits_inside_the_backend_has_not_begun(store: JobStore, clock: Clock) -> None:
    for _ in range(3):
        await store.enqueue(new_job(1))
        job = await store.claim()
        await store.settle_rendered(job, rendered(job, 20.0))
    for user_id in (1, 2, 3):
        await store.enqueue(new_job(user_id))
    first, _ = await store.claim(), await store.claim()
    [last] = await store.line()

    clock.now_ms += 20_000
    behind_both = await store.place(last.id)
    await store.settle_rendered(first, rendered(first, 20.0))
    behind_one = await store.place(last.id)

    assert 36_000 <= behind_both.eta_low_ms <= 40_000 <= behind_both.eta_high_ms <= 46_000
    assert 36_000 <= behind_one.eta_low_ms <= 40_000 <= behind_one.eta_high_ms <= 44_000


async def test_another_kind_is_estimated_from_the_variants_measured_kinds(store: JobStore) -> None:
    await store.enqueue(new_job(steps=10))
    job = await store.claim()
    await store.settle_rendered(job, rendered(job, 100.0))

    other = await store.enqueue(new_job(2, steps=20))

    assert 190_000 < other.cost_ms < 210_000


async def test_a_running_try_is_known_until_it_is_settled(store: JobStore) -> None:
    await store.enqueue(new_job())
    job = await store.claim()
    assert await store.known_files() == {job.picture, "1-1"}
    await store.settle_rendered(job, rendered(job))
    assert await store.known_files() == {job.picture, "1-1.mp4"}


async def test_sweep_keeps_what_is_still_owed_and_what_is_shared(store: JobStore, clock: Clock) -> None:
    sent, shares, owed = new_job(1), new_job(2), new_job(3)
    shares = replace(shares, picture=sent.picture)
    for new in (sent, owed):
        await store.enqueue(new)
        job = await store.claim()
        await store.settle_rendered(job, rendered(job))
    await store.mark_sending(1)
    await store.mark_sent(1, 5)
    await store.enqueue(shares)
    clock.now_ms += 25 * HOUR_MS

    assert await store.sweep() == ["1-1.mp4"]
    assert await store.known_files() == {"2-1.mp4", owed.picture, sent.picture}

    clock.now_ms += 31 * 24 * HOUR_MS
    await store.sweep()
    assert await store.job(1) is None
    assert (await store.job(2)).clip == "2-1.mp4"


async def test_forgetting_a_person_leaves_nothing_of_them(store: JobStore, tmp_path: Path) -> None:
    mine, theirs = new_job(1), new_job(2)
    await store.enqueue(mine)
    await store.enqueue(theirs)
    running = await store.claim()

    names = await store.forget_user(1)

    assert names == [mine.picture]
    assert await store.settle_rendered(running, rendered(running)) is None
    assert [job.user_id for job in await store.active_jobs()] == [2]
    with sqlite3.connect(tmp_path / "vivant.db") as db:
        assert db.execute("select user_id from lane").fetchall() == [(2,)]
    db.close()


async def test_nobody_is_remembered_longer_than_their_requests(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        await store.enqueue(new_job(4711))
        job = await store.claim()
        assert job is not None
        await store.settle_rendered(job, rendered(job))
        await store.mark_sending(job.id)
        await store.mark_sent(job.id, 5)
        clock.now_ms += 40 * 24 * 3600 * 1000
        for _ in range(2):
            await store.sweep()
        assert await store.job(job.id) is None
        assert await store._database.read(lambda db: db.execute("select user_id from lane").fetchall()) == []


async def test_forgetting_a_server_leaves_the_other_jobs_in_line(store: JobStore) -> None:
    await store.enqueue(new_job(1, guild_id=5))
    await store.enqueue(new_job(1, guild_id=6))

    await store.forget_guild(5)

    assert (await store.claim()).route.guild_id == 6


async def test_settings_outlive_the_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.set_setting("variant", "svd")
        await store.set_setting("variant", "demo")
    async with opened(tmp_path) as store:
        assert await store.get_setting("variant") == "demo"
        await store.set_setting("variant", None)
        assert await store.get_setting("variant") is None


async def test_a_second_bot_on_the_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path):
        code = (
            "import asyncio\nfrom pathlib import Path\nfrom bot.queue.store import JobStore\n"
            f"asyncio.run(JobStore.open(Path({str(tmp_path)!r})))"
        )
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
        with pytest.raises(StoreLocked, match="Another bot is running"):
            await JobStore.open(tmp_path)

    assert "StoreLocked: Another bot is running" in second.stderr
    async with opened(tmp_path):
        pass  # free again


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enqueue(new_job())
    db = sqlite3.connect(tmp_path / "vivant.db")
    db.execute("pragma user_version = 99")
    db.close()

    with pytest.raises(StoreTooNew, match="newer version"):
        await JobStore.open(tmp_path)

    db = sqlite3.connect(tmp_path / "vivant.db")
    assert db.execute("select count(*) from job").fetchall() == [(1,)]
    db.close()


async def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "vivant.db").write_bytes(b"holiday pictures" * 1000)

    for _ in range(2):  # the folder is free again after the first
        with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
            await JobStore.open(tmp_path)


async def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be used as the data folder"):
        await JobStore.open(tmp_path / "file" / "data")


async def test_the_database_syncs_every_commit(store: JobStore) -> None:
    def pragmas(db: line.Statements) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [db.execute(f"pragma {name}").fetchall()[0][0] for name in names]

    assert await store._database.write(pragmas) == ["wal", 2, 1]


async def test_readers_cannot_write(store: JobStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store._database.read(lambda db: db.execute("delete from job").fetchall())


async def test_the_claim_looks_at_one_row_per_person(store: JobStore) -> None:
    def plans(db: line.Statements) -> list[str]:
        look = f"explain query plan {line.CLAIM_SQL}"
        return [row[3] for row in db.execute(look, {"most": 1}).fetchall()]

    assert await store._database.read(plans) == ["SCAN lane USING INDEX lane_head"]


async def test_the_place_is_read_from_one_index(store: JobStore) -> None:
    def plan(db: line.Statements) -> list[str]:
        look = f"explain query plan {line.AHEAD_SQL}"
        return [row[3] for row in db.execute(look, {"tag": 1, "id": 1}).fetchall()]

    assert await store._database.read(plan) == [
        "SEARCH j USING COVERING INDEX job_live (state=? AND tag<?)",
        "SEARCH k USING INTEGER PRIMARY KEY (rowid=?)",
    ]
