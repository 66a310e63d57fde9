"""One, two and four cards through the real queue, workers and executors at their defaults: do they double?

Each count starts afresh, so that its first clips come from executors that have just loaded. It takes about 150 s on
four cards, most of which is loading.
"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import torch

from bot.queue.job import JobState, Limits
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew
from bot.work.worker import Worker
from generator.backend.in_flight import OnProgress
from generator.backend.local_backend import LocalBackend
from generator.clip import Quality
from generator.memory import GIB
from generator.process.share import usable_cores
from generator.protocol import ExecutorConfig, Rendered, RenderRequest
from generator.variants import Variant
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.models import Models
from tests.benchmarks.gpu.two_jobs import save_modules
from tests.support.jobs import new_job

COUNTS = (1, 2, 4)
EACH = 4
"""clips of each executor"""
STEPS = 10
TARGETS = {2: 1.95, 4: 3.8}
"""how many times the clips a minute of one card"""
FIRST_TARGET = 1.3
"""a first clip's seconds to those of a lone executor's first clip"""


class Timed(LocalBackend):
    """A LocalBackend that notes when each of its clips lay there."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.done: list[tuple[float, Rendered]] = []

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        rendered = await super().render(request, on_progress)
        self.done.append((time.perf_counter(), rendered))
        return rendered


@dataclass(frozen=True)
class Run:
    """What was seen of some executors at work on one queue."""

    ready_s: float
    """from the start of all to the last one that had loaded"""
    wall_s: float
    """from the first claim to the last clip"""
    clips: int
    first_s: list[float]
    """from the first claim to each executor's first clip"""
    prepare_s: list[float]
    """of each executor's first clip"""
    steady: float
    """clips a minute after each executor's first one, of all together"""
    host_gib: float
    """memory of all executors that no file backs"""
    facts: list[dict[str, object]] = field(default_factory=list)

    @property
    def per_minute(self) -> float:
        return 60 * self.clips / self.wall_s


def scale(bench: Bench, models: Models) -> None:
    """Measure 1, 2 and 4 cards of this machine, as far as there are so many, and the ratios against their targets."""
    cards = torch.cuda.device_count() if bench.on_gpu else 2
    bench.note(scale_cards=cards, scale_cores=usable_cores())
    with tempfile.TemporaryDirectory() as name:
        variant = save_modules(bench, models.modules, Path(name) / "model")
        models.forget()  # the executors have the machine's memory for themselves
        bench.note(scale_saved_s=time.monotonic() - bench.started)
        compare(bench, Path(name), variant, [count for count in COUNTS if count <= cards])


def compare(bench: Bench, folder: Path, variant: Variant, counts: Sequence[int], **options: object) -> None:
    """Measure each count of executors, and note the figures and whether the targets are met."""
    lone: Run | None = None
    for count in counts:
        run = asyncio.run(_measure(bench, folder / f"{count}", variant, count, options))
        lone = lone or run
        bench.note(
            **{
                f"scale_{count}_per_minute": run.per_minute,
                f"scale_{count}_steady_per_minute": run.steady,
                f"scale_{count}_ready_s": run.ready_s,
                f"scale_{count}_first_s": max(run.first_s),
                f"scale_{count}_first_prepare_s": max(run.prepare_s),
                f"scale_{count}_host_gib": run.host_gib,
            }
        )
        for facts in run.facts:
            bench.note(**{f"scale_{count}_card": str(facts)})
        if run is not lone:
            _judge(bench, count, run, lone)


def _judge(bench: Bench, count: int, run: Run, lone: Run) -> None:
    times, first = run.per_minute / lone.per_minute, max(run.first_s) / max(lone.first_s)
    bench.note(
        **{
            f"scale_{count}_times_one": times,
            f"scale_{count}_steady_times_one": run.steady / lone.steady,
            f"scale_{count}_first_to_lone": first,
            f"scale_{count}_ready_to_lone": run.ready_s / lone.ready_s,
            f"scale_{count}_met": times >= TARGETS[count] and first <= FIRST_TARGET,
            f"scale_{count}_targets": f"at least {TARGETS[count]} times one, first clip at most {FIRST_TARGET} times",
        }
    )


async def _measure(bench: Bench, folder: Path, variant: Variant, count: int, options: dict[str, object]) -> Run:
    config = ExecutorConfig(
        variants={variant.name: variant},
        device="auto" if bench.on_gpu else "cpu",
        preload=variant.name,
        state_folder=folder.parent / "executor",  # the kernels are built once, as on a machine that is in use
        executors=count,
    )
    async with AsyncExitStack() as stack:
        store = await JobStore.open(folder, limits=Limits(), variants=config.variants, executors=count)
        stack.push_async_callback(store.close)
        spool, crew = Spool(folder / "spool", min_free_bytes=0), Crew()
        begun = time.perf_counter()
        backends = [Timed(config, gpu=number if bench.on_gpu else None, **options) for number in range(count)]
        for backend in backends:
            await backend.start()
            stack.push_async_callback(backend.close)
        async with asyncio.timeout(300):
            await asyncio.gather(*(backend.ready.wait() for backend in backends))
            ready_s = time.perf_counter() - begun
            await _enqueue(bench, store, spool, count * EACH)
            workers = [Worker(store, spool, backend, crew=crew) for backend in backends]
            begun = time.perf_counter()
            running = [asyncio.create_task(worker.run()) for worker in workers]
            while (await store.jobs.counts())[JobState.RENDERED] < count * EACH:
                await asyncio.sleep(0.05)
            host_gib = sum(_private_gib(backend) for backend in backends)
        for task in running:
            task.cancel()
        await asyncio.wait(running)
    return _seen(backends, begun, ready_s, host_gib)


async def _enqueue(bench: Bench, store: JobStore, spool: Spool, count: int) -> None:
    """Enqueue clips of as many people, who share the cards."""
    steps = 2 if bench.tiny else STEPS
    wanted = dataclasses.replace(bench.settings(steps=steps), variant="random", quality=Quality.FAST)
    for number in range(count):
        job = dataclasses.replace(new_job(number), settings=dataclasses.replace(wanted, seed=number))
        bench.picture().save(spool.path(job.picture))
        await store.jobs.enqueue(job)


def _seen(backends: list[Timed], begun: float, ready_s: float, host_gib: float) -> Run:
    worked = [backend.done for backend in backends if backend.done]
    return Run(
        ready_s=ready_s,
        wall_s=max(done[-1][0] for done in worked) - begun,
        clips=sum(map(len, worked)),
        first_s=[done[0][0] - begun for done in worked],
        prepare_s=[done[0][1].phase_seconds.get("prepare", 0.0) for done in worked],
        steady=sum(60 * (len(done) - 1) / (done[-1][0] - done[0][0]) for done in worked if len(done) > 1),
        host_gib=host_gib,
        facts=[backend.describe() for backend in backends],
    )


def _private_gib(backend: Timed) -> float:
    """Return the memory of an executor that no file backs; a process of this account may read that much of it."""
    status = Path(f"/proc/{backend.describe()['pid']}/status").read_text()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024 / GIB
