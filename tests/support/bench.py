"""A worker at work on a real store and spool, and what it tells."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.queue.job import Job, JobState, Limits
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew
from bot.work.gate import Gate, Hold
from bot.work.worker import Worker
from generator.backend.backend import Backend
from generator.errors import ExecutorLost
from generator.protocol import Progress
from tests.support.jobs import opened


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

    @property
    def hold(self) -> Hold:
        """Why nothing is started; there must be a reason."""
        assert self.gate.hold is not None
        return self.gate.hold

    def _on_step(self, job_id: int) -> None:
        [progress] = [item for (number, _), item in self.crew.progress.items() if number == job_id]
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
            job = await self.store.jobs.get(job_id)
            return job is not None and job.state in states

        await self.until(reached)
        job = await self.store.jobs.get(job_id)
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
