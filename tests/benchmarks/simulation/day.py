"""The simulated day: a clock that jumps from event to event, GPUs that take time, and the bot's real store."""

from __future__ import annotations

import heapq
import time
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from bot.edge.connection.pacing import Pace
from bot.queue.estimates import model_ms
from bot.queue.job import CancelOutcome, Job, JobState, Limits, QueueFull
from bot.queue.store import JobStore
from generator.backend.local_backend import SLOTS
from generator.errors import ExecutorLost, RenderCrashed
from generator.protocol import Rendered
from generator.variants import BUILT_IN
from tests.benchmarks.simulation.cards import Cards
from tests.benchmarks.simulation.fairness import Fluid
from tests.benchmarks.simulation.inline import InlineDatabase
from tests.benchmarks.simulation.people import Person, make_people, make_requests, new_request

T = TypeVar("T")

HOUR_MS = 3_600_000
SPEEDS = (0.4, 0.7, 1.0)
"""of the cards of the fleet, in turn; 1 renders 25 steps of 25 frames in 51 s, as an A100 does"""
CANCELLED, FAILED, CRASHED = 0.04, 0.01, 0.003
"""of all jobs: given up by their person, failed, ended by an executor that crashed"""
PATIENCE_MS = 8 * 60_000
LOST_PER_DAY, DOWN_MS = 2.0, 120_000
"""how often a card goes away, and for how long"""
REFRESH_MS, MINUTE_MS = 10_000, 60_000


@dataclass(frozen=True, slots=True)
class Size:
    """How large the simulated community is. `load` is what is asked for, in percent of what the cards can render."""

    gpus: int = 100
    people: int = 10_000
    hours: int = 24
    load: int = 75
    speed: int = 100
    """of all cards, in percent of SPEEDS"""
    seed: int = 1


@dataclass
class Gpu:
    """One card, which takes one job more than it renders."""

    speed: float
    jobs: dict[int, Job] = field(default_factory=dict)
    free_ms: int = 0
    is_up: bool = True
    generation: int = 0


@dataclass
class Wait:
    """One job's wait until a GPU began it."""

    person: Person
    asked_ms: int
    ms: int
    is_alone: bool
    """whether its person had no other job then"""


@dataclass
class Measured:
    """What the day gave. Times of calls are real milliseconds, with the number of queued jobs at that moment."""

    calls: dict[str, list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    waits: list[Wait] = field(default_factory=list)
    outcomes: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    depths: list[int] = field(default_factory=list)
    """queued jobs at each minute"""
    errors: list[float] = field(default_factory=list)
    """of each waiting card at each hour: by which factor its position is wrong"""
    etas: list[bool] = field(default_factory=list)
    """whether a clip came within the range that was told when it was asked for"""
    database_bytes: int = 0
    wal_bytes: int = 0
    """the largest"""
    written_bytes: int = 0
    seconds: float = 0.0


class Day:
    """One run. The clock is the heap's; every job goes through the store as the bot would take it there."""

    def __init__(self, size: Size, folder: Path) -> None:
        self.size = size
        self.now_ms = 0
        self.measured = Measured()
        self._folder = folder
        self._rng = Random(size.seed)
        self.people = make_people(size.people, self._rng)
        self._by_id = {person.id: person for person in self.people}
        self.fluid = Fluid({person.id: person.share for person in self.people})
        self.cards = Cards(Pace(), bounded=True)
        self.before = Cards(Pace(), bounded=False)
        self._gpus = [Gpu(SPEEDS[number % len(SPEEDS)] * size.speed / 100) for number in range(size.gpus)]
        self._events: list[tuple[int, int, str, Any]] = []
        self._numbers = count(1)
        self._queued: dict[int, tuple[Person, int, float, bool]] = {}
        self._told: dict[int, tuple[int, int]] = {}
        self._active: dict[int, int] = defaultdict(int)
        self._store: JobStore

    def _plan(self) -> None:
        run_ms = self.size.hours * HOUR_MS
        mean_ms = 36_900  # of STEPS and VARIANTS on a card of speed 1
        jobs = int(self.size.load / 100 * sum(gpu.speed for gpu in self._gpus) * run_ms / mean_ms)
        for at, person in make_requests(self.people, jobs, run_ms, self._rng):
            self._at(at, "ask", person)
        self._at(0, "refresh", None)
        for gpu in self._gpus:
            lost_at = self._rng.expovariate(LOST_PER_DAY / 24) * HOUR_MS
            while lost_at < run_ms:
                self._at(int(lost_at), "lose", gpu)
                lost_at += self._rng.expovariate(LOST_PER_DAY / 24) * HOUR_MS

    def _at(self, ms: int, kind: str, what: Any) -> None:
        heapq.heappush(self._events, (ms, next(self._numbers), kind, what))

    async def run(self) -> Measured:
        """Live through the day, and until everybody who asked in it has an answer."""
        self._plan()
        self._store = JobStore(InlineDatabase(self._folder), Limits(), BUILT_IN, lambda: self.now_ms)
        self._store.jobs.executors = self.size.gpus
        began, written = time.perf_counter(), _written()
        handlers = {
            name: getattr(self, name) for name in ("ask", "refresh", "lose", "up", "end", "begin", "show", "cancel")
        }
        try:
            while self._events:
                self.now_ms, _, kind, what = heapq.heappop(self._events)
                await handlers[kind](what)
            self.measured.database_bytes = (self._folder / "vivant.db").stat().st_size
        finally:
            await self._store.close()
        self.measured.seconds = time.perf_counter() - began
        self.measured.written_bytes = _written() - written
        return self.measured

    async def _timed(self, name: str, call: Awaitable[T]) -> T:
        began = time.perf_counter()
        result = await call
        self.measured.calls[name].append((len(self._queued), (time.perf_counter() - began) * 1000))
        return result

    # -- what happens -------------------------------------------------------------------------------------------

    async def ask(self, person: Person) -> None:
        """Accept a request, or refuse it where the person has too many."""
        new = new_request(next(self._numbers), person, self.now_ms, self._rng)
        try:
            job = await self._timed("enqueue", self._store.jobs.enqueue(new))
        except QueueFull:
            self.measured.outcomes["refused"] += 1
            return
        cost = float(model_ms(job.settings, BUILT_IN))
        self.fluid.ask(person.id, cost)
        self._queued[job.id] = (person, self.now_ms, cost, self._active[person.id] == 0)
        self._active[person.id] += 1
        position = await self._timed("position", self._store.jobs.position(job.id))
        assert position is not None
        self._told[job.id] = (self.now_ms + position.eta_low_ms, self.now_ms + position.eta_high_ms)
        for cards in (self.cards, self.before):
            cards.open(job.id, person.channel, position.position)
        if self._rng.random() < CANCELLED:
            self._at(self.now_ms + int(self._rng.expovariate(1 / PATIENCE_MS)), "cancel", job)
        await self._fill()

    async def _fill(self) -> None:
        """Let the cards claim as many jobs as they take, the one that is free first beginning first."""
        while self._queued:
            open_gpus = [gpu for gpu in self._gpus if gpu.is_up and len(gpu.jobs) < SLOTS]
            if not open_gpus:
                return
            job = await self._timed("claim", self._store.jobs.claim())
            if job is None:
                return
            self._start(min(open_gpus, key=lambda gpu: (len(gpu.jobs), gpu.free_ms)), job)

    def _start(self, gpu: Gpu, job: Job) -> None:
        person, asked_ms, cost, is_alone = self._queued.pop(job.id)
        self.fluid.give(person.id, cost)
        begins = max(self.now_ms, gpu.free_ms)
        gpu.free_ms = begins + int(cost / gpu.speed * self._rng.uniform(0.95, 1.05))
        gpu.jobs[job.id] = job
        self.measured.waits.append(Wait(person, asked_ms, begins - asked_ms, is_alone))
        self._at(begins, "begin", (gpu, gpu.generation, job))
        self._at(gpu.free_ms, "end", (gpu, gpu.generation, job, begins))

    async def begin(self, what: tuple[Gpu, int, Job]) -> None:
        """Show that a GPU has begun a job."""
        gpu, generation, job = what
        if generation == gpu.generation and job.id in gpu.jobs:
            for cards in (self.cards, self.before):
                self._at(cards.begin(job.id, self.now_ms), "show", (cards, job.id, job.attempt))

    async def show(self, what: tuple[Cards, int, int]) -> None:
        """Show progress on one card."""
        cards, job_id, attempt = what
        later = cards.progress(job_id, self.now_ms)
        if later is not None:
            self._at(later, "show", (cards, job_id, attempt))

    async def end(self, what: tuple[Gpu, int, Job, int]) -> None:
        """Settle a job as its GPU ended it."""
        gpu, generation, job, began = what
        if generation != gpu.generation or job.id not in gpu.jobs:
            return
        del gpu.jobs[job.id]
        drawn = self._rng.random()
        if drawn < CRASHED:
            state = await self._store.jobs.give_back(job, counts=True, error=ExecutorLost("it crashed"))
            self._again(job, state)
        elif drawn < CRASHED + FAILED:
            await self._settled(job, await self._store.jobs.settle_failed(job, RenderCrashed("it failed")))
        else:
            clip = _rendered(job, (self.now_ms - began) / 1000)
            await self._settled(job, await self._timed("settle", self._store.jobs.settle_rendered(job, clip)))
            low, high = self._told[job.id]
            self.measured.etas.append(low <= self.now_ms <= high)
        await self._fill()

    def _again(self, job: Job, state: JobState | None) -> None:
        """Note that a job waits again."""
        self.measured.outcomes["given_back"] += 1
        assert state is JobState.QUEUED
        person, cost = self._by_id[job.user_id], float(model_ms(job.settings, BUILT_IN))
        self.fluid.give(person.id, -cost)
        self._queued[job.id] = (person, self.now_ms, cost, False)
        for cards in (self.cards, self.before):
            cards.stop(job.id)

    async def _settled(self, job: Job, state: JobState | None) -> None:
        """Post what became of a job."""
        assert state is not None
        self.measured.outcomes[state] += 1
        self._active[job.user_id] -= 1
        if await self._timed("mark_sending", self._store.deliveries.mark_sending(job.id)):
            await self._timed("mark_sent", self._store.deliveries.mark_sent(job.id, job.id << 22))
        for cards in (self.cards, self.before):
            cards.end(job.id, self.now_ms)

    async def cancel(self, job: Job) -> None:
        """Let a person give up a job that is not ready yet."""
        outcome = await self._store.jobs.cancel(job.id)
        if outcome is CancelOutcome.QUEUED_CANCELLED:
            person, _, cost, _ = self._queued.pop(job.id)
            self.fluid.ask(person.id, -cost)
            await self._settled(job, JobState.CANCELLED)
        elif outcome is CancelOutcome.RUNNING_REQUESTED:
            gpu = next(gpu for gpu in self._gpus if job.id in gpu.jobs)
            held = gpu.jobs.pop(job.id)
            await self._settled(held, await self._store.jobs.settle_cancelled(held))
            await self._fill()

    async def lose(self, gpu: Gpu) -> None:
        """Take a card away with all its jobs, which is nobody's fault."""
        if not gpu.is_up:
            return
        gpu.is_up, gpu.generation = False, gpu.generation + 1
        for job in gpu.jobs.values():
            self._again(job, await self._store.jobs.give_back(job, counts=False))
        gpu.jobs.clear()
        gpu.free_ms = self.now_ms + DOWN_MS
        self._at(gpu.free_ms, "up", gpu)
        await self._fill()

    async def up(self, gpu: Gpu) -> None:
        """Bring a card back."""
        gpu.is_up = True
        await self._fill()

    async def refresh(self, _: None) -> None:
        """Refresh the waiting cards; each minute look at the fairness, each hour sweep."""
        waiting = await self._timed("waiting_ids", self._store.jobs.waiting_ids())
        for cards in (self.cards, self.before):
            cards.refresh(waiting, self.now_ms)
        wal = self._folder / "vivant.db-wal"
        self.measured.wal_bytes = max(self.measured.wal_bytes, wal.stat().st_size)
        if self.now_ms % MINUTE_MS == 0:
            self.measured.depths.append(len(waiting))
            self.fluid.minute(person.id for person, _, _, _ in self._queued.values())
            await self._timed("counts", self._store.jobs.counts())
            if waiting:
                await self._timed("position_last", self._store.jobs.position(waiting[-1]))
        if self._queued or self.now_ms + REFRESH_MS < self.size.hours * HOUR_MS:
            self._at(self.now_ms + REFRESH_MS, "refresh", None)
        if self.now_ms % HOUR_MS == 0:
            self.measured.errors += self.cards.errors(waiting)
            await self._timed("sweep", self._store.retention.sweep())


def _rendered(job: Job, seconds: float) -> Rendered:
    path = Path(f"{job.id}-{job.attempt}.mp4")
    return Rendered(clip_path=path, bytes=1_500_000, width=1024, height=576, frames=25, playback_fps=7, seconds=seconds)


def _written() -> int:
    """Return how many bytes this process has given to the kernel to write."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("wchar"))
