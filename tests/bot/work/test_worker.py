"""The worker on a real store and spool, with a backend that plays a script."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot.queue.database import StoreBusy, StoreFull
from bot.queue.job import CancelOutcome, Job, JobState, Limits
from bot.queue.spool import Spool
from bot.work.gate import Hold, HoldCause
from bot.work.requests import Requests
from bot.work.supervise import keep_going
from bot.work.worker import SAME_CRASH_SECONDS, STOP_SECONDS, STORM_CRASHES, STORM_SECONDS, Worker
from generator.backend.stalls import StallLimits, restart_delay
from generator.errors import BadFrames, DiskFull, RenderCrashed, RenderError
from generator.protocol import Phase, Progress, Rendered, RenderRequest
from tests.support.bench import Bench, at_work, lost
from tests.support.fakes import Act, FakeBackend, ProgressCallback
from tests.support.jobs import failure, faults, kept, new_job, opened


async def test_a_job_is_rendered_and_settled(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend()) as bench:
        job = await bench.store.jobs.enqueue(new_job())
        job = await bench.until_state(job.id, JobState.RENDERED)

        assert job.clip == "1-1.mp4"
        assert bench.spool.path(job.clip).is_file()
        assert job.facts is not None and (job.facts["width"], job.facts["frames"]) == (64, 5)
        assert bench.progress[0][0] == job.id
        assert set(bench.changes) == {job.id}


async def test_the_request_carries_the_jobs_names_and_limit(tmp_path: Path) -> None:
    backend = FakeBackend()
    async with at_work(tmp_path, backend) as bench:
        new = new_job(seed=5)
        await bench.until_state((await bench.store.jobs.enqueue(new)).id, JobState.RENDERED)

    [request] = backend.requests
    assert (request.job, request.attempt, request.settings) == (1, 1, new.settings)
    assert request.picture_path == tmp_path / "spool" / new.picture
    assert request.clip_path == tmp_path / "spool" / "1-1.mp4"
    assert request.master_path == tmp_path / "spool" / "1-1-master.mp4"
    assert request.max_bytes == new.route.max_bytes


async def test_an_error_that_no_retry_mends_is_settled_at_once(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=BadFrames("black", kind="black"))])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.FAILED)

    assert job.failure == {"code": "bad-frames", "text": "black", "data": {"kind": "black"}}
    assert len(backend.requests) == 1


async def test_a_lost_executor_means_another_attempt(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)

    assert (job.attempt, job.clip) == (2, "1-2.mp4")


@pytest.mark.parametrize("error", [lost(), RenderCrashed("boom", type="ValueError")])
async def test_a_poison_job_fails_and_the_next_one_is_rendered(tmp_path: Path, error: RenderError) -> None:
    backend = FakeBackend(script=[Act(error=error)] * 3)
    async with at_work(tmp_path, backend, Limits(max_attempts=3)) as bench:
        poison = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.FAILED)
        await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)

    assert (failure(poison)["code"], failure(poison)["attempts"]) == (error.code, 3)


async def test_progress_that_comes_after_its_attempt_is_not_kept(tmp_path: Path) -> None:
    late: list[ProgressCallback] = []
    kept_then: list[tuple[int, int]] = []

    class Chatty(FakeBackend):
        async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
            late.append(on_progress)
            if request.attempt == 2:
                late[0](Progress(Phase.DENOISE, 1, 3))
                kept_then.extend(bench.crew.progress)
            return await super().render(request, on_progress)

    async with at_work(tmp_path, Chatty([Act(error=lost())])) as bench:
        await bench.store.jobs.enqueue(new_job())
        job = await bench.until_state(1, JobState.RENDERED)
        assert (job.attempt, kept_then) == (2, [])
        late[1](Progress(Phase.ENCODE, 1, 1))

        async def forgotten() -> bool:
            return bench.crew.progress == {}

        await bench.until(forgotten)


@pytest.mark.parametrize("end", ["rendered", "failed", "given back", "cancelled", "stopped"])
async def test_progress_is_kept_until_its_attempt_ends_and_no_longer(tmp_path: Path, end: str) -> None:
    acts = {"rendered": Act(), "failed": Act(error=BadFrames("no", kind="black")), "given back": Act(error=lost())}
    backend = FakeBackend(script=[acts.get(end, Act(steps=3, hangs=True))], usual=Act(steps=0, hangs=True))
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await store.jobs.enqueue(new_job())

        async def has_moved() -> bool:
            return len(bench.progress) > 0

        async def is_forgotten() -> bool:
            return bench.crew.progress == {}

        await bench.until(has_moved)
        if end in ("cancelled", "stopped"):
            assert set(bench.crew.progress) == {(1, 1)}
        if end == "cancelled":
            await store.jobs.cancel(job.id)
            assert bench.crew.cancel(job.id)
        if end != "stopped":
            await bench.until(is_forgotten)
        running.cancel()
        await asyncio.wait({running})
        assert await is_forgotten()
        assert not bench.worker.has_job


async def test_an_innocent_job_is_not_blamed_for_the_executors_end(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost(innocent=True))] * 4)
    async with at_work(tmp_path, backend, Limits(max_attempts=1)) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)

    assert job.attempt == 5


async def test_a_crash_storm_stops_claiming_and_tells(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())] * STORM_CRASHES)
    async with at_work(tmp_path, backend, Limits(max_attempts=100)) as bench:
        job = await bench.store.jobs.enqueue(new_job())

        async def held() -> bool:
            return bench.gate.hold is not None

        await bench.until(held)
        await bench.until_state(job.id, JobState.QUEUED)
        assert (bench.hold, len(bench.storms)) == (Hold(HoldCause.CRASH_STORM, "the executor is gone"), 1)
        assert [(error.text, others_go_on) for error, others_go_on in bench.storms] == [("the executor is gone", False)]
        assert not bench.worker.may_start
        assert len(backend.requests) == STORM_CRASHES

        bench.worker.resume()
        bench.gate.open(HoldCause.CRASH_STORM)
        await bench.until_state(job.id, JobState.RENDERED)


async def test_a_closed_backend_ends_its_worker(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=2, at_once=1)
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        for _ in range(2):
            await store.jobs.enqueue(new_job())

        async def both_given_to_the_backend() -> bool:
            return set(bench.changes) == {1, 2}

        await bench.until(both_given_to_the_backend)
        await backend.close()
        await asyncio.wait_for(running, 20)
        assert [job.state for job in await store.jobs.active()] == [JobState.QUEUED] * 2
        assert not bench.worker.may_start, "no other worker leaves anything to it"


async def test_the_shortest_pause_between_two_starts_is_longer_than_one_crash(tmp_path: Path) -> None:
    """Losses that come together are one crash. Executors that die right after each start must not look like that."""
    between = restart_delay(StallLimits(), 0)
    backend = FakeBackend(script=[Act(error=lost())] * STORM_CRASHES, usual=Act())
    async with opened(tmp_path, Limits(max_attempts=100)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        times, storms = iter(range(100)), list[bool]()
        bench.worker = Worker(
            store,
            bench.spool,
            backend,
            gate=bench.gate,
            monotonic=lambda: between * next(times),
            on_storm=lambda error, others_go_on: storms.append(others_go_on),
        )
        running = asyncio.create_task(bench.worker.run())
        await store.jobs.enqueue(new_job())

        async def held() -> bool:
            return bench.gate.hold is not None

        await bench.until(held)
        running.cancel()
        await asyncio.wait({running})
    assert (storms, len(backend.requests)) == ([False], STORM_CRASHES)


@pytest.mark.parametrize("apart", [0.0, SAME_CRASH_SECONDS / 2])
async def test_losses_of_one_crash_are_one(tmp_path: Path, apart: float) -> None:
    """The other side: one executor that dies loses all its jobs at once."""
    backend = FakeBackend(script=[Act(error=lost())] * (2 * STORM_CRASHES))
    async with opened(tmp_path, Limits(max_attempts=100)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        bench.worker = Worker(store, bench.spool, backend, gate=bench.gate, monotonic=lambda: apart)
        running = asyncio.create_task(bench.worker.run())
        await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RENDERED)
        assert bench.gate.hold is None
        running.cancel()
        await asyncio.wait({running})


@pytest.mark.parametrize(("apart", "is_storm"), [(STORM_SECONDS / (STORM_CRASHES - 1), True), (151.0, False)])
async def test_a_storm_is_so_many_crashes_within_so_long(tmp_path: Path, apart: float, is_storm: bool) -> None:
    backend = FakeBackend(script=[Act(error=lost())] * STORM_CRASHES)
    async with opened(tmp_path, Limits(max_attempts=100)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        times = iter(apart * number for number in range(100))
        bench.worker = Worker(store, bench.spool, backend, gate=bench.gate, monotonic=lambda: next(times))
        running = asyncio.create_task(bench.worker.run())
        job = await store.jobs.enqueue(new_job())

        async def over() -> bool:
            return bench.gate.hold is not None or (await kept(store, job.id)).state is JobState.RENDERED

        await bench.until(over)
        assert (bench.gate.hold is not None) is is_storm
        running.cancel()
        await asyncio.wait({running})


async def test_what_crashed_before_a_resume_counts_no_more(tmp_path: Path) -> None:
    few = [Act(error=lost())] * (STORM_CRASHES - 1)
    backend = FakeBackend(script=[*few, Act(), *few])
    async with at_work(tmp_path, backend, Limits(max_attempts=100)) as bench:
        await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)
        bench.worker.resume()
        await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)
        assert bench.storms == []


async def test_slow_crashes_are_no_storm(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())] * (STORM_CRASHES + 2))
    async with opened(tmp_path, Limits(max_attempts=100)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        times = iter(range(0, 100_000, 200))
        bench.worker = Worker(store, bench.spool, backend, monotonic=lambda: float(next(times)))
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RENDERED)
        running.cancel()
        await asyncio.wait({running})

    assert job.attempt == STORM_CRASHES + 3


async def test_cancelling_stops_the_render(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with at_work(tmp_path, backend) as bench:
        job = await bench.store.jobs.enqueue(new_job())
        await bench.until_state(job.id, JobState.RUNNING)
        await bench.store.jobs.cancel(job.id)

        assert bench.worker.cancel(job.id)
        assert not bench.worker.cancel(999)
        job = await bench.until_state(job.id, JobState.CANCELLED)

        assert (backend.cancelled, job.clip) == ([job.id], None)
        assert len(await bench.store.deliveries.due()) == 1


class SlowToAnswer(FakeBackend):
    """Is told of a cancel and waits for the executor to be done with the job, as the real backend does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.told = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.interrupted = False

    async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.told.set()
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                self.interrupted = True
            raise
        raise AssertionError


async def test_a_second_cancel_does_not_interrupt_the_wait_that_the_first_began(tmp_path: Path) -> None:
    backend = SlowToAnswer()
    async with at_work(tmp_path, backend) as bench:
        job = await bench.store.jobs.enqueue(new_job())
        await bench.until_state(job.id, JobState.RUNNING)
        await bench.store.jobs.cancel(job.id)
        assert bench.worker.cancel(job.id)
        await asyncio.wait_for(backend.told.wait(), 20)
        assert bench.worker.cancel(job.id), "the second press is answered like the first"
        assert (await kept(bench.store, job.id)).state is JobState.RUNNING
        backend.may_answer.set()
        await bench.until_state(job.id, JobState.CANCELLED)
    assert not backend.interrupted


async def _give_up(bench: Bench, how: str) -> None:
    requests = Requests(bench.store, bench.spool, bench.crew)
    if how == "cancel":
        assert await requests.cancel(1) is CancelOutcome.RUNNING_REQUESTED
    elif how == "forget the person":
        await requests.forget_user(1)
    elif how == "forget the server":
        await requests.forget_guild(5)


@pytest.mark.parametrize("how", ["cancel", "forget the person", "forget the server", "nothing"])
async def test_what_is_given_up_between_the_claim_and_the_render_is_not_rendered(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = FakeBackend()
    async with opened(tmp_path) as store:
        bench, claim = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend), store.jobs.claim

        async def claim_and_give_up() -> Job | None:
            job = await claim()
            if job is not None and job.id == 1:
                await _give_up(bench, how)
            return job

        monkeypatch.setattr(store.jobs, "claim", claim_and_give_up)
        await store.jobs.enqueue(new_job(1))
        await store.jobs.enqueue(new_job(2, guild_id=6))
        running = asyncio.create_task(bench.worker.run())
        await bench.until_state(2, JobState.RENDERED)
        running.cancel()
        await asyncio.wait({running})
        job = await store.jobs.get(1)
        assert [request.job for request in backend.requests] == ([1, 2] if how == "nothing" else [2])
        expected = {"cancel": JobState.CANCELLED, "nothing": JobState.RENDERED}.get(how)
        assert (job.state if job else None) == expected
        assert await store.database.read(faults) == []


async def test_a_job_that_cannot_be_concluded_is_tried_again_and_ends_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(tmp_path, FakeBackend()) as bench:
        settle, refused = bench.store.jobs.settle_rendered, list[int]()

        async def settle_with_a_bug(job: Job, rendered: Rendered) -> JobState | None:
            if job.id == 1 and len(refused) < 2:
                refused.append(job.attempt)
                raise ZeroDivisionError("a bug")
            return await settle(job, rendered)

        monkeypatch.setattr(bench.store.jobs, "settle_rendered", settle_with_a_bug)
        for user_id in (1, 2):
            await bench.store.jobs.enqueue(new_job(user_id))
        await bench.until_state(2, JobState.RENDERED)
        await bench.until_state(1, JobState.RENDERED)
        assert refused == [1, 2]
        assert caplog.text.count("could not be concluded") == 2
        assert await bench.store.database.read(faults) == []


async def test_a_job_that_cannot_be_concluded_fails_in_the_end_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def settle_with_a_bug(job: Job, rendered: Rendered) -> JobState | None:
        raise ZeroDivisionError("a bug")

    async with at_work(tmp_path, FakeBackend(), Limits(max_attempts=2)) as bench:
        monkeypatch.setattr(bench.store.jobs, "settle_rendered", settle_with_a_bug)
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.FAILED)
        crashed = {"code": "crashed", "text": "a bug", "data": {"type": "ZeroDivisionError"}, "attempts": 2}
        assert failure(job) == crashed | {"code": RenderCrashed.code}


@pytest.mark.parametrize(("bugs", "state"), [(1, JobState.RENDERED), (3, JobState.FAILED)])
async def test_a_job_that_can_neither_be_concluded_nor_given_back_is_not_left_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bugs: int, state: JobState
) -> None:
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), FakeBackend())
        settle, give_back, stumbled = store.jobs.settle_rendered, store.jobs.give_back, list[str]()

        async def settle_with_a_bug(job: Job, rendered: Rendered) -> JobState | None:
            if job.id == 1 and stumbled.count("settle") < bugs:
                stumbled.append("settle")
                raise ZeroDivisionError("a bug")
            return await settle(job, rendered)

        async def give_back_with_a_bug(job: Job, **more: Any) -> JobState | None:
            if "give back" not in stumbled:
                stumbled.append("give back")
                raise ZeroDivisionError("another bug")
            return await give_back(job, **more)

        monkeypatch.setattr(store.jobs, "settle_rendered", settle_with_a_bug)
        monkeypatch.setattr(store.jobs, "give_back", give_back_with_a_bug)
        running = asyncio.create_task(keep_going("the worker", bench.worker.run, lambda _: asyncio.sleep(0)))
        for user_id in (1, 2):
            await store.jobs.enqueue(new_job(user_id))
        await bench.until_state(2, JobState.RENDERED)
        await bench.until_state(1, state)
        assert stumbled == ["settle", "give back", *["settle"] * (bugs - 1)]
        running.cancel()
        await asyncio.wait({running})


async def test_a_stop_does_not_wait_for_a_lock_that_another_program_holds(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), FakeBackend(usual=Act(hangs=True)))
        running = asyncio.create_task(bench.worker.run())
        await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RUNNING)
        await store.database.write(lambda db: db.execute("pragma busy_timeout = 20").fetchall())
        other = sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)
        other.execute("begin immediate")
        running.cancel()
        done, _ = await asyncio.wait({running}, timeout=2 * STOP_SECONDS)
        await asyncio.wait_for(store.close(), 10)
        other.execute("rollback")
        other.close()
        assert done
    async with opened(tmp_path) as store:
        assert [job.state for job in await store.jobs.recover()] == [JobState.QUEUED]


async def test_resuming_does_not_claim_that_the_disk_has_room(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend()) as bench:
        bench.gate.close(HoldCause.DISK_FULL, "no room")
        bench.worker.resume()
        assert bench.hold.cause is HoldCause.DISK_FULL


@pytest.mark.parametrize("steps", [0, 3])
async def test_stopping_gives_the_job_back_uncounted_and_quickly(tmp_path: Path, steps: int) -> None:
    async with opened(tmp_path, Limits(max_attempts=1)) as store:
        backend = FakeBackend(usual=Act(steps=steps, hangs=True))
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RUNNING)

        start = asyncio.get_running_loop().time()
        running.cancel()
        await asyncio.wait({running})

        assert asyncio.get_running_loop().time() - start < 3
        assert running.cancelled()
        assert (await kept(store, job.id)).state is JobState.QUEUED


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreBusy("locked"), TimeoutError()])
async def test_a_stop_that_cannot_give_the_job_back_leaves_it_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def refuse(job: Job, **more: Any) -> JobState | None:
        raise error

    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), FakeBackend(usual=Act(hangs=True)))
        running = asyncio.create_task(bench.worker.run())
        await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RUNNING)
        with monkeypatch.context() as patch:
            patch.setattr(store.jobs, "give_back", refuse)
            running.cancel()
            await asyncio.wait({running})
        assert running.cancelled(), "a stop, and no fault"
        assert [job.state for job in await store.jobs.recover()] == [JobState.QUEUED]


class Stubborn(FakeBackend):
    """Ignores being cancelled for ever."""

    async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        while not self.closing.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self.closing.wait()
        raise lost(cause="closed")


async def test_a_stubborn_render_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    backend = Stubborn()
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RUNNING)

        running.cancel()
        await asyncio.wait({running}, timeout=6)

        assert running.done()
        assert (await kept(store, job.id)).state is JobState.QUEUED
        await backend.close()


async def test_a_closed_backend_ends_the_worker_and_keeps_the_job(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with opened(tmp_path, Limits(max_attempts=1)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RUNNING)

        await backend.close()
        await asyncio.wait_for(running, 5)

        assert (await kept(store, job.id)).state is JobState.QUEUED


async def test_pause_starts_nothing_and_lets_the_running_one_finish(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend(script=[Act(steps=5, step_seconds=0.02)])) as bench:
        first = await bench.store.jobs.enqueue(new_job())
        await bench.until_state(first.id, JobState.RUNNING)
        bench.gate.close(HoldCause.PAUSED, "updating the driver")
        second = await bench.store.jobs.enqueue(new_job())
        await bench.until_state(first.id, JobState.RENDERED)

        assert (await kept(bench.store, second.id)).state is JobState.QUEUED
        assert bench.hold.detail == "updating the driver"
        bench.gate.open(HoldCause.PAUSED)
        await bench.until_state(second.id, JobState.RENDERED)


async def test_a_full_disk_holds_instead_of_burning_attempts(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=DiskFull("no room"))] * 4)
    async with at_work(tmp_path, backend, Limits(max_attempts=1)) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)

        assert job.attempt == 5
        assert bench.gate.hold is None


@pytest.mark.parametrize("transaction", ["claim", "settle_rendered", "settle_failed", "settle_cancelled", "give_back"])
async def test_a_disk_that_is_full_for_a_while_delays_a_transaction_and_repeats_no_render(
    tmp_path: Path, transaction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acts = {"settle_failed": Act(error=BadFrames("black", kind="black")), "give_back": Act(error=lost(innocent=True))}
    backend = FakeBackend(script=[acts.get(transaction, Act(hangs=transaction == "settle_cancelled"))])
    async with at_work(tmp_path, backend) as bench:
        original, refused, holds = getattr(bench.store.jobs, transaction), list[int](), list[HoldCause]()

        async def full_twice(*args: Any, **options: Any) -> Any:
            if len(refused) < 2:
                refused.append(1)
                raise StoreFull("no room")
            if bench.gate.hold is not None:
                holds.append(bench.gate.hold.cause)
            return await original(*args, **options)

        monkeypatch.setattr(bench.store.jobs, transaction, full_twice)
        job = await bench.store.jobs.enqueue(new_job())
        if transaction == "settle_cancelled":
            await bench.until_state(job.id, JobState.RUNNING)
            await bench.store.jobs.cancel(job.id)
            bench.worker.cancel(job.id)
        ends = {"settle_failed": JobState.FAILED, "settle_cancelled": JobState.CANCELLED}
        await bench.until_state(job.id, ends.get(transaction, JobState.RENDERED))
        assert len(refused) == 2
        assert len(backend.requests) == (2 if transaction == "give_back" else 1)
        assert bench.gate.hold is None and holds == []


async def test_nothing_is_started_while_the_disk_is_nearly_full(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=DiskFull("no room"))])
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=1 << 60), backend)
        running = asyncio.create_task(bench.worker.run())
        await store.jobs.enqueue(new_job())

        async def held() -> bool:
            return bench.gate.hold is not None

        await bench.until(held)
        await asyncio.wait({running}, timeout=0.1)
        assert bench.hold == Hold(HoldCause.DISK_FULL, "no room")
        assert len(backend.requests) == 1
        running.cancel()
        await asyncio.wait({running})


class Careless(FakeBackend):
    """Raises what no backend should."""

    async def render(self, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        raise KeyError("a bug")


async def test_a_bug_in_the_backend_fails_the_job_and_not_the_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(tmp_path, Careless()) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.FAILED)
        await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.FAILED)

    assert (failure(job)["text"], failure(job)["data"]) == ("'a bug'", {"type": "KeyError"})
    assert job.attempt == 1, "trying again mends no bug"
    assert "job=1" in caplog.text


async def test_a_worker_without_a_job_looks_for_one_only_when_there_may_be_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), FakeBackend())
        claim, looks = store.jobs.claim, 0

        async def counted() -> Job | None:
            nonlocal looks
            looks += 1
            return await claim()

        monkeypatch.setattr(store.jobs, "claim", counted)
        running = asyncio.create_task(bench.worker.run())

        async def has_looked() -> bool:
            return looks > 0

        await bench.until(has_looked)
        await asyncio.sleep(0.05)
        idle = looks
        assert idle <= 4
        await bench.until_state((await store.jobs.enqueue(new_job())).id, JobState.RENDERED)
        assert looks > idle
        running.cancel()
        await asyncio.wait({running})


async def test_no_more_jobs_are_claimed_at_once_than_the_backend_has_slots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        backend = FakeBackend(usual=Act(hangs=True), slots=2, encoders=2)
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        claim, claiming, may_go_on = store.jobs.claim, list[int](), asyncio.Event()

        async def held_up() -> Job | None:
            claiming.append(1)
            await may_go_on.wait()
            return await claim()

        monkeypatch.setattr(store.jobs, "claim", held_up)
        for user_id in range(5):
            await store.jobs.enqueue(new_job(user_id))
        running = asyncio.create_task(bench.worker.run())
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(claiming) == 2
        may_go_on.set()

        async def two() -> bool:
            return (await store.jobs.counts())[JobState.RUNNING] == 2

        await bench.until(two)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (len(claiming), await two()) == (2, True), "and none besides those that render"
        running.cancel()
        await asyncio.wait({running})


async def test_as_many_jobs_run_as_the_backend_has_slots(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=3)
    async with at_work(tmp_path, backend) as bench:
        for user_id in range(5):
            await bench.store.jobs.enqueue(new_job(user_id))

        async def three() -> bool:
            return (await bench.store.jobs.counts())[JobState.RUNNING] == 3

        await bench.until(three)
        assert len(backend.requests) == 3


class Written(FakeBackend):
    """Plays as usual, but the first request is being encoded from the start and never ends."""

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        if request.job == 1:
            on_progress(Progress(Phase.ENCODE))
            on_progress(Progress(Phase.ENCODE, 1, 2))
            act = Act(steps=0, hangs=True)
        return await super().play(act, request, on_progress)


async def test_a_clip_that_is_encoded_takes_no_slot_from_the_next_ones(tmp_path: Path) -> None:
    async with at_work(tmp_path, Written(slots=1, encoders=1)) as bench:
        for user_id in (1, 2, 3):
            await bench.store.jobs.enqueue(new_job(user_id))
        await bench.until_state(3, JobState.RENDERED)
        assert (await kept(bench.store, 1)).state is JobState.RUNNING
        await bench.store.jobs.cancel(1)
        assert bench.worker.cancel(1)
        await bench.until_state(1, JobState.CANCELLED)


async def test_a_job_that_is_not_encoded_yet_takes_a_slot(tmp_path: Path) -> None:
    """The negative control."""
    backend = FakeBackend(usual=Act(hangs=True), slots=1, encoders=1)
    async with at_work(tmp_path, backend) as bench:
        for user_id in (1, 2, 3):
            await bench.store.jobs.enqueue(new_job(user_id))
        await bench.until_state(1, JobState.RUNNING)
        bench.crew.changed()
        await bench.store.jobs.cancel(1)
        assert bench.worker.cancel(1)
        await bench.until_state(2, JobState.RUNNING)
        assert (await bench.store.jobs.counts())[JobState.RUNNING] == 1
        assert [request.job for request in backend.requests] == [1, 2]


async def test_a_late_clip_is_deleted(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(steps=10, step_seconds=0.02)])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RUNNING)
        await bench.store.retention.forget_user(job.user_id)

        async def idle() -> bool:
            return bench.changes.count(job.id) == 2

        await bench.until(idle)
        assert list(bench.spool.folder.glob("*.mp4")) == []


async def test_each_transition_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bot")
    async with at_work(tmp_path, FakeBackend(script=[Act(error=lost(innocent=True))])) as bench:
        await bench.until_state((await bench.store.jobs.enqueue(new_job())).id, JobState.RENDERED)

    lines = [record.getMessage() for record in caplog.records if record.name == "bot.queue.jobs"]
    assert [line.split()[:2] for line in lines] == [
        ["job=1", "accepted"],
        ["job=1", "running"],
        ["job=1", "queued"],
        ["job=1", "running"],
        ["job=1", "rendered"],
    ]


async def test_a_worker_follows_a_backend_whose_slots_come_and_go(tmp_path: Path) -> None:
    """As a cluster's do: none at the start, more when a node joins."""
    backend = FakeBackend(slots=0, at_once=100, usual=Act(hangs=True))
    async with at_work(tmp_path, backend) as bench:
        for user in range(1, 7):
            await bench.store.jobs.enqueue(new_job(user))
        await asyncio.sleep(0.1)
        assert backend.requests == [] and not bench.worker.may_start

        async def all_begun() -> bool:
            return len(backend.requests) == backend.slots

        for backend.slots in (2, 5):
            bench.crew.changed()
            await bench.until(all_begun)
        backend.slots = 1
        bench.crew.changed()
        for job_id in (1, 2, 3):
            await Requests(bench.store, bench.spool, bench.crew).cancel(job_id)
            await bench.until_state(job_id, JobState.CANCELLED)
        await asyncio.sleep(0.1)
        assert len(backend.requests) == 5, "two still run, and only one may"


async def test_the_losses_of_a_clusters_nodes_stop_nobody(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost(innocent=True, node="a"))] * (2 * STORM_CRASHES))
    async with at_work(tmp_path, backend, Limits(max_attempts=1)) as bench:
        job = await bench.store.jobs.enqueue(new_job())
        await bench.until_state(job.id, JobState.RENDERED)
        assert bench.gate.hold is None and bench.storms == []
