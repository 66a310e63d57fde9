"""Several workers: who takes the next job, and who goes on when one stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from bot.queue.estimates import size_of
from bot.queue.job import JobState, Limits
from bot.queue.life.phases import guess_course
from bot.queue.spool import Spool
from bot.work.crew import Crew
from bot.work.gate import Gate, HoldCause
from bot.work.worker import STORM_CRASHES, Worker
from generator.backend.local_backend import SLOTS, LocalBackend
from generator.errors import OutOfMemory
from generator.protocol import Phase, Progress, Rendered, RenderRequest
from tests.support.bench import Bench, at_work, lost
from tests.support.fakes import FAKE_EXECUTOR, Act, FakeBackend, ProgressCallback
from tests.support.jobs import failure, new_job, opened
from tests.support.local_backend import CONFIG, PATIENT


def test_a_preview_stays_until_the_next_one_whatever_the_steps_after_it_bring() -> None:
    """A card is written every few seconds; the next step may come within half of one."""
    crew, attempt, course = Crew(), (1, 1), guess_course(1000)
    for step, sent, shown in ((0, "", ""), (1, "one", "one"), (2, "", "one"), (3, "two", "two"), (4, "", "two")):
        crew.note(attempt, Progress(Phase.DENOISE, step, 25, sent), course)
        assert (crew.progress[attempt].step, crew.progress[attempt].preview) == (step, shown)
    crew.note((1, 2), Progress(Phase.DENOISE, 0, 25), course)
    assert crew.progress[1, 2].preview == "", "another attempt begins without one"


async def test_one_gpu_that_keeps_crashing_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = FakeBackend(usual=Act(error=lost()))
    async with at_work(tmp_path, broken, Limits(max_attempts=100)) as bench:
        sound = FakeBackend()
        told: list[int] = []
        bench.crew.on_change = lambda: told.append(bench.crew.count_able())
        other = Worker(bench.store, bench.spool, sound, gate=bench.gate, crew=bench.crew)
        await bench.store.jobs.enqueue(new_job())

        async def stopped() -> bool:
            return not bench.worker.may_start

        await bench.until(stopped)
        assert bench.gate.hold is None
        assert [others_go_on for _, others_go_on in bench.storms] == [True]
        assert "stopped" in bench.worker.describe()
        assert told[-1] == bench.crew.count_able() == 1, "the times that people are told follow it"
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
    asked = sorted(request.job for backend in backends for request in backend.requests)
    assert asked in [list(range(1, end)) for end in (9, 10, 11)], "each once, and at most one more for each worker"


def too_large() -> OutOfMemory:
    return OutOfMemory("needs 4.0 GiB", needed_gib=4.0, free_gib=2.0)


class SmallCard(FakeBackend):
    """Has no room for clips of 25 frames."""

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        large = request.settings.frames == 25
        return await super().play(Act(error=too_large()) if large else act, request, on_progress)


@asynccontextmanager
async def two_cards(folder: Path, *backends: FakeBackend) -> AsyncIterator[list[Bench]]:
    async with opened(folder, executors=len(backends)) as store:
        spool, crew = Spool(folder / "spool", min_free_bytes=0), Crew()
        benches = [Bench(store, spool, backend, crew=crew) for backend in backends]
        running = [asyncio.create_task(bench.worker.run()) for bench in benches]
        try:
            yield benches
        finally:
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def test_what_does_not_fit_one_card_is_rendered_by_the_other(tmp_path: Path) -> None:
    small, large = SmallCard(), FakeBackend(usual=Act(step_seconds=0.01))
    async with two_cards(tmp_path, small, large) as (bench, _):
        for number in range(6):
            await bench.store.jobs.enqueue(new_job(number, frames=25))
        for number in range(6):
            await bench.store.jobs.enqueue(new_job(number + 10, frames=14))
        jobs = [await bench.until_state(number, JobState.RENDERED) for number in range(1, 13)]
    assert len([request for request in small.requests if request.settings.frames == 25]) <= 1, "it asks once"
    assert {request.settings.frames for request in large.requests} >= {25}
    assert all(job.settings.frames == 14 for job in jobs if job.id in {each.job for each in small.requests[1:]})


async def test_a_clip_that_fits_no_card_fails_and_the_next_one_is_tried_again(tmp_path: Path) -> None:
    cards = SmallCard(), SmallCard()
    async with two_cards(tmp_path, *cards) as (bench, _):
        await bench.store.jobs.enqueue(new_job(1, frames=25))
        job = await bench.until_state(1, JobState.FAILED)
        assert failure(job)["code"] == "out-of-memory"
        assert [len(card.requests) for card in cards] == [1, 1]
        await bench.store.jobs.enqueue(new_job(1, frames=25))
        await bench.until_state(2, JobState.FAILED)
        assert [len(card.requests) for card in cards] == [2, 2]


async def test_a_card_alone_fails_what_it_has_no_room_for(tmp_path: Path) -> None:
    async with at_work(tmp_path, SmallCard()) as bench:
        await bench.store.jobs.enqueue(new_job(1, frames=25))
        job = await bench.until_state(1, JobState.FAILED)
    assert (failure(job)["code"], job.attempt) == ("out-of-memory", 1)


async def test_the_large_card_takes_jobs_in_advance_that_the_idle_small_one_cannot(tmp_path: Path) -> None:
    small, large = SmallCard(slots=2, at_once=1), FakeBackend(usual=Act(hangs=True), slots=2, at_once=1)
    async with two_cards(tmp_path, small, large) as (bench, other):
        await bench.store.jobs.enqueue(new_job(1, frames=25))

        async def on_the_large_one() -> bool:
            return len(large.requests) == 1

        await bench.until(on_the_large_one)
        for number in (2, 3):
            await bench.store.jobs.enqueue(new_job(number, frames=25))

        async def taken_in_advance() -> bool:
            return 2 in other.changes or bench.changes.count(2) > 1

        await bench.until(taken_in_advance)
        await bench.store.jobs.enqueue(new_job(4, frames=14))
        await bench.until_state(4, JobState.RENDERED)
        assert small.requests[-1].job == 4, "the small one is not kept from what it can do"
        assert bench.crew.fits_not_all(size_of(new_job(frames=25).settings))
        assert not bench.crew.fits_not_all(size_of(new_job(frames=14).settings))


async def test_executors_of_a_small_and_a_large_card_share_the_queue(tmp_path: Path) -> None:
    """The real executors: the small card's has not even room for the smallest plan of the full-size clip."""
    async with opened(tmp_path, executors=2) as store:
        spool, crew = Spool(tmp_path / "spool", min_free_bytes=0), Crew()
        backends = [
            LocalBackend(CONFIG, gpu=gpu, command=(*FAKE_EXECUTOR, "--free-gib", free), limits=PATIENT)
            for gpu, free in ((0, "1.0"), (1, "24.0"))
        ]
        benches = [Bench(store, spool, backend, crew=crew) for backend in backends]
        for backend in backends:
            await backend.start()
        for number in range(4):
            job = await store.jobs.enqueue(new_job(number, steps=2, frames=2))
            Image.effect_noise((1024, 576), 60).convert("RGB").save(spool.path(job.picture), "PNG", compress_level=0)
        running = [asyncio.create_task(bench.worker.run()) for bench in benches]
        jobs = [await benches[0].until_state(number, JobState.RENDERED) for number in range(1, 5)]
        plans = [backend.describe()["plan"] for backend in backends]
        for task in running:
            task.cancel()
        await asyncio.wait(running)
        for backend in backends:
            await backend.close()
    assert plans == ["none", "full"]
    assert sum(job.attempt - 1 for job in jobs) <= SLOTS, "the small card tries those that it took before it knew"


async def test_a_cluster_is_described_by_one_entry_for_each_of_its_machines(tmp_path: Path) -> None:
    class OfNodes(FakeBackend):
        def describe(self) -> dict[str, Any]:
            return {"device": "cluster", "nodes": [{"node": "a", "state": "1 ready"}, {"node": "b", "problem": "old"}]}

    async with at_work(tmp_path, OfNodes()) as bench:
        told = bench.crew.describe()
    assert told == [{"device": "cluster"}, {"node": "a", "state": "1 ready"}, {"node": "b", "problem": "old"}]
