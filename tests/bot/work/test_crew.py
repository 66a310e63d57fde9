"""Several workers: who takes the next job, and who goes on when one stops."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bot.queue.job import JobState, Limits
from bot.queue.spool import Spool
from bot.work.crew import Crew
from bot.work.gate import Gate, HoldCause
from bot.work.worker import STORM_CRASHES, Worker
from generator.protocol import Rendered, RenderRequest
from tests.support.bench import Bench, at_work, lost
from tests.support.fakes import Act, FakeBackend, ProgressCallback
from tests.support.jobs import new_job, opened


async def test_one_gpu_that_keeps_crashing_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = FakeBackend(usual=Act(error=lost()))
    async with at_work(tmp_path, broken, Limits(max_attempts=100)) as bench:
        sound = FakeBackend()
        other = Worker(bench.store, bench.spool, sound, gate=bench.gate, crew=bench.crew)
        await bench.store.jobs.enqueue(new_job())

        async def stopped() -> bool:
            return not bench.worker.may_start

        await bench.until(stopped)
        assert bench.gate.hold is None
        assert [others_go_on for _, others_go_on in bench.storms] == [True]
        assert "stopped" in bench.worker.describe()
        running = asyncio.create_task(other.run())
        await bench.until_state(1, JobState.RENDERED)
        assert len(sound.requests) == 1
        assert len(broken.requests) == STORM_CRASHES, "it has started nothing more"
        running.cancel()
        await asyncio.wait({running})
        broken.usual = Act()
        asked = len(broken.requests)
        bench.worker.resume()
        assert "stopped" not in bench.worker.describe()
        await bench.store.jobs.enqueue(new_job())
        await bench.until_state(2, JobState.RENDERED)
        assert len(broken.requests) == asked + 1, "the GPU that had stopped goes on"


async def test_a_gpu_goes_on_alone_once_the_other_one_stops(tmp_path: Path) -> None:
    """One took nothing in advance while the other was idle; now the other one will never begin anything."""
    async with opened(tmp_path, Limits(max_attempts=100), executors=2) as store:
        spool, crew = Spool(tmp_path / "spool", min_free_bytes=0), Crew()
        backends = [FakeBackend(usual=Act(hangs=True), slots=2, at_once=1), FakeBackend(usual=Act(error=lost()))]
        busy, broken = (Bench(store, spool, backend, crew=crew) for backend in backends)
        running = [asyncio.create_task(busy.worker.run())]
        await store.jobs.enqueue(new_job(1))
        await busy.until_state(1, JobState.RUNNING)
        await store.jobs.enqueue(new_job(2))  # left to the idle GPU
        running.append(asyncio.create_task(broken.worker.run()))

        async def taken_in_advance() -> bool:
            return broken.storms != [] and set(busy.changes) == {1, 2}

        await busy.until(taken_in_advance)
        assert (await store.jobs.counts())[JobState.RUNNING] == 2
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_no_gpu_idles_while_another_takes_jobs_in_advance(tmp_path: Path) -> None:
    async with opened(tmp_path, executors=2) as store:
        spool, gate = Spool(tmp_path / "spool", min_free_bytes=0), Gate()
        backends = [FakeBackend(usual=Act(hangs=True), slots=2, at_once=1) for _ in range(2)]
        crew = Crew()
        benches = [Bench(store, spool, backend, gate=gate, crew=crew) for backend in backends]
        for _ in range(3):
            await store.jobs.enqueue(new_job())
        running = [asyncio.create_task(bench.worker.run()) for bench in benches]

        async def all_claimed_and_two_begun() -> bool:
            begun = sum(len(backend.requests) for backend in backends)
            return (await store.jobs.counts())[JobState.RUNNING] == 3 and begun >= 2

        await benches[0].until(all_claimed_and_two_begun)
        assert [len(backend.requests) for backend in backends] == [1, 1]
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_a_slot_takes_nothing_in_advance_while_another_gpu_idles(tmp_path: Path) -> None:
    async with opened(tmp_path, executors=2) as store:
        spool, crew, ends = Spool(tmp_path / "spool", min_free_bytes=0), Crew(), [asyncio.Event() for _ in range(5)]

        class Stepwise(FakeBackend):
            async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
                await ends[request.job].wait()
                return await super().play(act, request, on_progress)

        backends = [Stepwise(slots=2, at_once=1) for _ in range(2)]
        benches = [Bench(store, spool, backend, crew=crew) for backend in backends]
        running = [asyncio.create_task(bench.worker.run()) for bench in benches]

        async def until_running(count: int) -> None:
            async def reached() -> bool:
                return (await store.jobs.counts())[JobState.RUNNING] == count == len(has(0) | has(1))

            await benches[0].until(reached)

        def has(gpu: int) -> set[int]:
            """Return the jobs that a GPU's worker has: it tells of each one when it begins and when it has ended."""
            changes = benches[gpu].changes
            return {job_id for job_id in changes if changes.count(job_id) == 1}

        for _ in range(3):
            await store.jobs.enqueue(new_job())
        await until_running(3)
        ahead = next(gpu for gpu in (0, 1) if len(has(gpu)) == 2)
        other = 1 - ahead
        for gpu, left in ((other, 2), (ahead, 1)):  # one GPU ends its only job, the other its first of two
            ends[min(has(gpu))].set()
            await until_running(left)
        job = await store.jobs.enqueue(new_job())
        await until_running(2)
        assert job.id in has(other)
        for task in running:
            task.cancel()
        await asyncio.wait(running)


async def test_two_workers_share_one_queue_and_one_gate(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        spool, gate = Spool(tmp_path / "spool", min_free_bytes=0), Gate()
        backends = [FakeBackend(usual=Act(step_seconds=0.01)), FakeBackend(usual=Act(step_seconds=0.01))]
        workers = [Worker(store, spool, backend, gate=gate) for backend in backends]
        tasks = [asyncio.create_task(worker.run()) for worker in workers]
        for user_id in range(8):
            await store.jobs.enqueue(new_job(user_id))
        async with asyncio.timeout(20):
            while (await store.jobs.counts())[JobState.RENDERED] < 8:
                await store.deliveries.wait_for_delivery()
                await store.deliveries.due()
        gate.close(HoldCause.PAUSED, "stop")
        for user_id in range(4):  # each worker had passed the gate for one claim already
            await store.jobs.enqueue(new_job(user_id))
        await asyncio.wait(tasks, timeout=0.1)
        assert (await store.jobs.counts())[JobState.QUEUED] >= 2
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    assert all(backend.requests for backend in backends)
    assert sorted(request.job for backend in backends for request in backend.requests) == list(range(1, 9))


async def test_a_cluster_is_described_by_one_entry_for_each_of_its_machines(tmp_path: Path) -> None:
    class OfNodes(FakeBackend):
        def describe(self) -> dict[str, Any]:
            return {"device": "cluster", "nodes": [{"node": "a", "state": "1 ready"}, {"node": "b", "problem": "old"}]}

    async with at_work(tmp_path, OfNodes()) as bench:
        told = bench.crew.describe()
    assert told == [{"device": "cluster"}, {"node": "a", "state": "1 ready"}, {"node": "b", "problem": "old"}]
