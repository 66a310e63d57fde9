"""The worker on a real store and spool, with a backend that plays a script."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.queue.job import Job, JobState, Limits
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew
from bot.work.gate import Gate, HoldCause
from bot.work.worker import STORM_CRASHES, Worker
from generator.backend.backend import Backend
from generator.errors import BadFrames, DiskFull, ExecutorLost, RenderCrashed, RenderError
from generator.protocol import Progress, Rendered, RenderRequest
from tests.support.fakes import Act, FakeBackend
from tests.support.jobs import new_job, opened


def lost(**data: Any) -> ExecutorLost:
    return ExecutorLost("the executor is gone", **{"cause": "signal", **data})


@dataclass
class Bench:
    """A worker at work, and what it told."""

    store: JobStore
    spool: Spool
    backend: Backend
    gate: Gate = field(default_factory=Gate)
    crew: Crew = field(default_factory=Crew)
    progress: list[tuple[int, Progress]] = field(default_factory=list)
    changes: list[int] = field(default_factory=list)
    storms: list[tuple[ExecutorLost, bool]] = field(default_factory=list)
    now: float = 0.0

    def __post_init__(self) -> None:
        self.changed = asyncio.Event()
        self.worker = Worker(
            self.store,
            self.spool,
            self.backend,
            gate=self.gate,
            on_step=self._on_step,
            crew=self.crew,
            on_change=self._on_change,
            on_storm=lambda error, others_go_on: self.storms.append((error, others_go_on)),
            monotonic=self._monotonic,
            room_check_seconds=0.01,
        )

    def _on_step(self, job_id: int) -> None:
        [progress] = [item for (number, _), item in self.crew.begun().items() if number == job_id]
        self.progress.append((job_id, progress))

    def _on_change(self, job_id: int) -> None:
        self.changes.append(job_id)
        self.changed.set()

    def _monotonic(self) -> float:
        self.now += 10
        return self.now

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until a look at the store holds."""
        async with asyncio.timeout(20):
            while not await condition():
                self.changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.changed.wait(), 0.05)

    async def until_state(self, job_id: int, *states: JobState) -> Job:
        async def reached() -> bool:
            job = await self.store.job(job_id)
            return job is not None and job.state in states

        await self.until(reached)
        job = await self.store.job(job_id)
        assert job is not None
        return job


@asynccontextmanager
async def at_work(folder: Path, backend: Backend, limits: Limits | None = None) -> AsyncIterator[Bench]:
    async with opened(folder, limits) as store:
        bench = Bench(store, Spool(folder / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        try:
            yield bench
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running


async def test_a_job_is_rendered_and_settled(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend()) as bench:
        job = await bench.store.enqueue(new_job())
        job = await bench.until_state(job.id, JobState.RENDERED)

        assert job.clip == "1-1.mp4"
        assert bench.spool.clip_path(job.clip).is_file()
        assert (job.facts["width"], job.facts["frames"]) == (64, 5)
        assert bench.progress[0][0] == job.id
        assert set(bench.changes) == {job.id}


async def test_the_request_carries_the_jobs_names_and_limit(tmp_path: Path) -> None:
    backend = FakeBackend()
    async with at_work(tmp_path, backend) as bench:
        new = new_job(seed=5)
        await bench.until_state((await bench.store.enqueue(new)).id, JobState.RENDERED)

    [request] = backend.requests
    assert (request.job, request.attempt, request.settings) == (1, 1, new.settings)
    assert request.picture_path == tmp_path / "spool" / new.picture
    assert request.clip_path == tmp_path / "spool" / "1-1.mp4"
    assert request.master_path == tmp_path / "spool" / "1-1-master.mp4"
    assert request.max_bytes == new.route.max_bytes


async def test_an_error_that_no_retry_mends_is_settled_at_once(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=BadFrames("black", kind="black"))])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.FAILED)

    assert job.failure == {"code": "bad-frames", "text": "black", "data": {"kind": "black"}}
    assert len(backend.requests) == 1


async def test_a_lost_executor_means_another_try(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RENDERED)

    assert (job.attempt, job.clip) == (2, "1-2.mp4")


@pytest.mark.parametrize("error", [lost(), RenderCrashed("boom", type="ValueError")])
async def test_a_poison_job_fails_and_the_next_one_is_rendered(tmp_path: Path, error: RenderError) -> None:
    backend = FakeBackend(script=[Act(error=error)] * 3)
    async with at_work(tmp_path, backend, Limits(max_attempts=3)) as bench:
        poison = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.FAILED)
        await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RENDERED)

    assert (poison.failure["code"], poison.failure["attempts"]) == (error.code, 3)


async def test_an_innocent_job_is_not_blamed_for_the_executors_end(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost(innocent=True))] * 4)
    async with at_work(tmp_path, backend, Limits(max_attempts=1)) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RENDERED)

    assert job.attempt == 5


async def test_a_crash_storm_stops_claiming_and_tells(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())] * STORM_CRASHES)
    async with at_work(tmp_path, backend, Limits(max_attempts=100)) as bench:
        job = await bench.store.enqueue(new_job())

        async def held() -> bool:
            return bench.gate.hold is not None

        await bench.until(held)
        await bench.until_state(job.id, JobState.QUEUED)
        assert (bench.gate.hold.cause, len(bench.storms)) == (HoldCause.CRASH_STORM, 1)
        assert len(backend.requests) == STORM_CRASHES

        bench.worker.resume()
        bench.gate.open(HoldCause.CRASH_STORM)
        await bench.until_state(job.id, JobState.RENDERED)


async def test_one_gpu_that_keeps_crashing_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = FakeBackend(usual=Act(error=lost()))
    async with at_work(tmp_path, broken, Limits(max_attempts=100)) as bench:
        sound = FakeBackend()
        other = Worker(bench.store, bench.spool, sound, gate=bench.gate, crew=bench.crew)
        await bench.store.enqueue(new_job())

        async def stopped() -> bool:
            return not bench.worker.may_start

        await bench.until(stopped)
        assert bench.gate.hold is None
        assert [others_go_on for _, others_go_on in bench.storms] == [True]
        assert "stopped" in bench.worker.describe()
        running = asyncio.create_task(other.run())
        await bench.until_state(1, JobState.RENDERED)
        assert len(sound.requests) == 1
        running.cancel()
        await asyncio.wait({running})
        bench.worker.resume()
        assert bench.worker.may_start and "stopped" not in bench.worker.describe()


async def test_no_gpu_idles_while_another_takes_jobs_in_advance(tmp_path: Path) -> None:
    async with opened(tmp_path, executors=2) as store:
        spool, gate = Spool(tmp_path / "spool", min_free_bytes=0), Gate()
        backends = [FakeBackend(usual=Act(hangs=True), slots=2, at_once=1) for _ in range(2)]
        crew = Crew()
        workers = [Worker(store, spool, backend, gate=gate, crew=crew) for backend in backends]
        for _ in range(3):
            await store.enqueue(new_job())
        running = [asyncio.create_task(worker.run()) for worker in workers]
        async with asyncio.timeout(20):
            while len(await store.active_jobs()) > len([j for j in await store.active_jobs() if j.attempt]):
                await asyncio.sleep(0.01)
        assert [len(backend.requests) for backend in backends] == [1, 1]
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_a_slot_takes_nothing_in_advance_while_another_gpu_idles(tmp_path: Path) -> None:
    async with opened(tmp_path, executors=2) as store:
        spool, crew, ends = Spool(tmp_path / "spool", min_free_bytes=0), Crew(), [asyncio.Event() for _ in range(5)]

        class Stepwise(FakeBackend):
            async def _play(self, act: Act, request: RenderRequest, on_progress: Any) -> Rendered:
                await ends[request.job].wait()
                return await super()._play(act, request, on_progress)

        backends = [Stepwise(slots=2, at_once=1) for _ in range(2)]
        workers = [Worker(store, spool, backend, crew=crew) for backend in backends]
        running = [asyncio.create_task(worker.run()) for worker in workers]

        async def until_running(count: int) -> None:
            async with asyncio.timeout(20):
                while [job.state for job in await store.active_jobs()].count(JobState.RUNNING) != count:
                    await asyncio.sleep(0.01)

        for _ in range(3):
            await store.enqueue(new_job())
        await until_running(3)
        ahead = next(worker for worker in workers if len(worker._renders) == 2)
        other = workers[1 - workers.index(ahead)]
        for worker, left in ((other, 2), (ahead, 1)):  # one GPU ends its only job, the other its first of two
            ends[min(worker._renders)].set()
            await until_running(left)
        job = await store.enqueue(new_job())
        await until_running(2)
        assert job.id in other._renders
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_a_closed_backend_ends_its_worker(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=2, at_once=1)
    async with opened(tmp_path) as store:
        worker = Worker(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(worker.run())
        for _ in range(2):
            await store.enqueue(new_job())
        async with asyncio.timeout(20):
            while len(worker._renders) < 2:
                await asyncio.sleep(0.01)
            await backend.close()
            await running
        assert [job.state for job in await store.active_jobs()] == [JobState.QUEUED] * 2


async def test_slow_crashes_are_no_storm(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=lost())] * (STORM_CRASHES + 2))
    async with opened(tmp_path, Limits(max_attempts=100)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        times = iter(range(0, 100_000, 200))
        bench.worker = Worker(store, bench.spool, backend, monotonic=lambda: float(next(times)))
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.enqueue(new_job())).id, JobState.RENDERED)
        running.cancel()
        await asyncio.wait({running})

    assert job.attempt == STORM_CRASHES + 3


async def test_cancelling_stops_the_render(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with at_work(tmp_path, backend) as bench:
        job = await bench.store.enqueue(new_job())
        await bench.until_state(job.id, JobState.RUNNING)
        await bench.store.cancel(job.id)

        assert bench.worker.cancel(job.id)
        assert not bench.worker.cancel(999)
        job = await bench.until_state(job.id, JobState.CANCELLED)

        assert (backend.cancelled, job.clip) == ([job.id], None)
        assert len(await bench.store.due_deliveries()) == 1


class SlowToAnswer(FakeBackend):
    """Is told of a cancel and waits for the executor to be done with the job, as the real backend does."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.may_answer = asyncio.Event()
        self.interrupted = False

    async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await self.may_answer.wait()
            except asyncio.CancelledError:
                self.interrupted = True
            raise
        raise AssertionError


async def test_a_second_cancel_does_not_interrupt_the_wait_that_the_first_began(tmp_path: Path) -> None:
    backend = SlowToAnswer()
    async with at_work(tmp_path, backend) as bench:
        job = await bench.store.enqueue(new_job())
        await bench.until_state(job.id, JobState.RUNNING)
        await bench.store.cancel(job.id)
        assert bench.worker.cancel(job.id)
        await asyncio.sleep(0)
        assert bench.worker.cancel(job.id), "the second press is answered like the first"
        await asyncio.sleep(0)
        assert (await bench.store.job(job.id)).state is JobState.RUNNING
        backend.may_answer.set()
        await bench.until_state(job.id, JobState.CANCELLED)
    assert not backend.interrupted


async def test_resuming_does_not_claim_that_the_disk_has_room(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend()) as bench:
        bench.gate.close(HoldCause.DISK_FULL, "no room")
        bench.worker.resume()
        assert bench.gate.hold.cause is HoldCause.DISK_FULL


async def test_stopping_gives_the_job_back_uncounted_and_quickly(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(max_attempts=1)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), FakeBackend(usual=Act(hangs=True)))
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.enqueue(new_job())).id, JobState.RUNNING)

        start = asyncio.get_running_loop().time()
        running.cancel()
        await asyncio.wait({running})

        assert asyncio.get_running_loop().time() - start < 3
        assert running.cancelled()
        assert (await store.job(job.id)).state is JobState.QUEUED


class Stubborn(FakeBackend):
    """Ignores being cancelled for ever."""

    async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
        while not self._closing.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await self._closing.wait()
        raise lost(cause="closed")


async def test_a_stubborn_render_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    backend = Stubborn()
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.enqueue(new_job())).id, JobState.RUNNING)

        running.cancel()
        await asyncio.wait({running}, timeout=6)

        assert running.done()
        assert (await store.job(job.id)).state is JobState.QUEUED
        await backend.close()


async def test_a_closed_backend_ends_the_worker_and_keeps_the_job(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with opened(tmp_path, Limits(max_attempts=1)) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=0), backend)
        running = asyncio.create_task(bench.worker.run())
        job = await bench.until_state((await store.enqueue(new_job())).id, JobState.RUNNING)

        await backend.close()
        await asyncio.wait_for(running, 5)

        assert (await store.job(job.id)).state is JobState.QUEUED


async def test_pause_starts_nothing_and_lets_the_running_one_finish(tmp_path: Path) -> None:
    async with at_work(tmp_path, FakeBackend(script=[Act(steps=5, step_seconds=0.02)])) as bench:
        first = await bench.store.enqueue(new_job())
        await bench.until_state(first.id, JobState.RUNNING)
        bench.gate.close(HoldCause.PAUSED, "updating the driver")
        second = await bench.store.enqueue(new_job())
        await bench.until_state(first.id, JobState.RENDERED)

        assert (await bench.store.job(second.id)).state is JobState.QUEUED
        assert bench.gate.hold.detail == "updating the driver"
        bench.gate.open(HoldCause.PAUSED)
        await bench.until_state(second.id, JobState.RENDERED)


async def test_a_full_disk_holds_instead_of_burning_attempts(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=DiskFull("no room"))] * 4)
    async with at_work(tmp_path, backend, Limits(max_attempts=1)) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RENDERED)

        assert job.attempt == 5
        assert bench.gate.hold is None


async def test_nothing_is_started_while_the_disk_is_nearly_full(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(error=DiskFull("no room"))])
    async with opened(tmp_path) as store:
        bench = Bench(store, Spool(tmp_path / "spool", min_free_bytes=1 << 60), backend)
        running = asyncio.create_task(bench.worker.run())
        await store.enqueue(new_job())

        async def held() -> bool:
            return bench.gate.hold is not None

        await bench.until(held)
        await asyncio.wait({running}, timeout=0.1)
        assert bench.gate.hold.cause is HoldCause.DISK_FULL
        assert len(backend.requests) == 1
        running.cancel()
        await asyncio.wait({running})


class Careless(FakeBackend):
    """Raises what no backend should."""

    async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
        raise KeyError("a bug")


async def test_a_bug_in_the_backend_fails_the_job_and_not_the_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(tmp_path, Careless()) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.FAILED)
        await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.FAILED)

    assert job.failure["data"] == {"type": "KeyError"}
    assert "job=1" in caplog.text


async def test_as_many_jobs_run_as_the_backend_has_slots(tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=3)
    async with at_work(tmp_path, backend) as bench:
        for user_id in range(5):
            await bench.store.enqueue(new_job(user_id))

        async def three() -> bool:
            return (await bench.store.counts())[JobState.RUNNING] == 3

        await bench.until(three)
        assert len(backend.requests) == 3


async def test_a_late_clip_is_deleted(tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act(steps=10, step_seconds=0.02)])
    async with at_work(tmp_path, backend) as bench:
        job = await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RUNNING)
        await bench.store.forget_user(job.user_id)

        async def idle() -> bool:
            return bench.changes.count(job.id) == 2

        await bench.until(idle)
        assert list(bench.spool.folder.glob("*.mp4")) == []


async def test_each_transition_is_one_line_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "bot")
    async with at_work(tmp_path, FakeBackend(script=[Act(error=lost(innocent=True))])) as bench:
        await bench.until_state((await bench.store.enqueue(new_job())).id, JobState.RENDERED)

    lines = [record.getMessage() for record in caplog.records if record.name == "bot.queue.store"]
    assert [line.split()[:2] for line in lines] == [
        ["job=1", "accepted"],
        ["job=1", "running"],
        ["job=1", "queued"],
        ["job=1", "running"],
        ["job=1", "rendered"],
    ]


async def test_two_workers_share_one_line_and_one_gate(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        spool, gate = Spool(tmp_path / "spool", min_free_bytes=0), Gate()
        backends = [FakeBackend(usual=Act(step_seconds=0.01)), FakeBackend(usual=Act(step_seconds=0.01))]
        workers = [Worker(store, spool, backend, gate=gate) for backend in backends]
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        for user_id in range(8):
            await store.enqueue(new_job(user_id))
        async with asyncio.timeout(20):
            while (await store.counts())[JobState.RENDERED] < 8:
                await store.wait_for_delivery()
                await store.due_deliveries()
        gate.close(HoldCause.PAUSED, "stop")
        for user_id in range(4):  # each worker had passed the gate for one claim already
            await store.enqueue(new_job(user_id))
        await asyncio.wait(tasks, timeout=0.1)
        assert (await store.counts())[JobState.QUEUED] >= 2
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert all(backend.requests for backend in backends)
    assert sorted(request.job for backend in backends for request in backend.requests) == list(range(1, 9))
