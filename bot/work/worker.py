"""Worker: claim -> render -> settle, one loop for each slot of a backend. Knows no Discord and no SQL."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from bot.queue.database import StoreDamaged, StoreError
from bot.queue.estimates import size_of
from bot.queue.fair_queue import ANY_SIZE, Sizes
from bot.queue.job import Job
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.work.crew import Crew, Unfit
from bot.work.gate import Gate, HoldCause
from bot.work.ongoing import Owner
from bot.work.retry import hold_until_room, retry_while_full
from generator.backend.backend import Backend
from generator.backend.losses import Streak
from generator.errors import DiskFull, ExecutorLost, OutOfMemory, RenderCrashed, RenderError
from generator.protocol import Phase, Progress, Rendered, RenderRequest

log = logging.getLogger(__name__)

T = TypeVar("T")

STORM_CRASHES = 5
STORM_SECONDS = 600.0
SAME_CRASH_SECONDS = 0.5
"""losses within this time are one crash: an executor that dies loses all its jobs at once"""
STOP_SECONDS = 3.0
"""how long a stop waits for running renders; closing the backend ends what is left"""


class _Closed(Exception):
    """The backend is closed: there is nothing more to do here."""


class Worker:
    """Keeps one backend busy with the queue's next jobs while `run` is awaited.

    `on_step` is called with the id of each job whose render has moved on, `on_change` with that of each job whose state
    has changed. After STORM_CRASHES executor losses within STORM_SECONDS `on_storm` is called with the last of them and
    whether others of the `crew` go on; this worker then starts nothing until an admin resumes.
    """

    def __init__(
        self,
        store: JobStore,
        spool: Spool,
        backend: Backend,
        *,
        gate: Gate | None = None,
        on_step: Callable[[int], None] = lambda job_id: None,
        on_change: Callable[[int], None] = lambda job_id: None,
        on_storm: Callable[[ExecutorLost, bool], None] = lambda error, others_go_on: None,
        crew: Crew | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        room_check_seconds: float = 30.0,
    ) -> None:
        self._store = store
        self._spool = spool
        self._backend = backend
        self._gate = gate or Gate()
        self._on_step = on_step
        self._on_change = on_change
        self._on_storm = on_storm
        self._monotonic = monotonic
        self.unfit = Unfit(monotonic)
        self._crew = crew or Crew()
        self._crew.join(self)
        self._hold_until_room = partial(hold_until_room, self._gate, spool, room_check_seconds)
        self._renders: dict[int, asyncio.Task[Rendered]] = {}
        self._unsettled: dict[int, Job] = {}
        """claimed by it, and neither settled nor given back for sure"""
        self._crashes = Streak(STORM_CRASHES, STORM_SECONDS, SAME_CRASH_SECONDS)
        self._encoding: set[int] = set()
        """the jobs whose frames are rendered: they hold the GPU no longer"""
        self._claims = 0
        """claims under way"""
        self._is_stopped = False
        """too many crashes: it starts nothing until an admin resumes"""
        self.is_closed = False
        """it will never start a job again"""

    # -- what others ask ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled, then give the running jobs back; ends by itself when the backend is closed.

        When a surprise has ended it, it may be run again: first it gives back what it still holds.
        """
        for job in list(self._unsettled.values()):
            await self._insist(partial(self._store.jobs.give_back, job, counts=True))
            del self._unsettled[job.id]
        async with asyncio.TaskGroup() as group:
            loops = 0
            while not self.is_closed:
                for _ in range(self._backend.slots + self._backend.encoders - loops):  # a cluster's grow and shrink
                    group.create_task(self._serve())
                    loops += 1
                await self._crew.wait_for_change()

    def cancel(self, job_id: int) -> bool:
        """Stop a running render, after the store has marked its job. Return False when this worker does not run it."""
        render = self._renders.get(job_id)
        # A second cancel must not interrupt the first one, which waits for the executor's answer.
        return render is not None and (render.cancelling() > 0 or render.cancel())

    def resume(self) -> None:
        """Forget the crashes so far and start jobs again; `Switches.resume` opens the gate."""
        self._crashes.clear()
        self._is_stopped = False
        self._crew.changed()

    def describe(self) -> dict[str, object]:
        """Return what its backend says of itself, and whether crashes have stopped it."""
        stopped = {"stopped": "it broke down again and again"} if self._is_stopped else {}
        return self._backend.describe() | stopped

    @property
    def may_start(self) -> bool:
        """Whether it may start jobs: not stopped by crashes, its backend not closed and not without any card."""
        return not self._is_stopped and not self.is_closed and self._backend.slots > 0

    @property
    def executors(self) -> int:
        """How many cards its backend has that can render, with a model that could be loaded."""
        return 0 if "problem" in self._backend.describe() else self._backend.executors

    @property
    def has_job(self) -> bool:
        """Whether it has a job; a claim under way may still find none."""
        return bool(self._renders)

    # -- one loop -----------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        try:
            while not self.is_closed:
                await self._gate.wait_open()
                sizes = self._crew.sizes_for(self, has_work=bool(self._renders or self._claims))
                if self._is_stopped or self._has_no_slot() or sizes is None:
                    await self._crew.wait_for_change()
                    continue
                work = self._store.jobs.work
                job = await self._claim(sizes)
                if job is None:
                    waits = self._store.jobs.wait_for_work(work)
                    await (waits if sizes.only is None else self._crew.wait_for_change_or(waits))
                    continue
                self._unsettled[job.id] = job
                with self._crew.ongoing.noted(Owner(job.user_id, job.route.guild_id)):
                    await self._attempt(job)
                    del self._unsettled[job.id]
                    await self._leave_nothing_of_a_forgotten(job)
        except _Closed:
            self.is_closed = True
            self._crew.changed()

    def _has_no_slot(self) -> bool:
        """Tell whether the backend has as many jobs as it can begin soon, besides those that it encodes."""
        return len(self._renders) - len(self._encoding) + self._claims >= self._backend.slots

    async def _claim(self, sizes: Sizes) -> Job | None:
        self._claims += 1
        try:
            claim = self._store.jobs.claim
            job = await self._insist(claim if sizes == ANY_SIZE else partial(claim, sizes))
        finally:
            self._claims -= 1
        if job is not None:
            self._crew.changed()
        return job

    async def _attempt(self, job: Job) -> None:
        """Render one claimed job and settle it, or give it back; also when this task is cancelled."""
        render = asyncio.create_task(self._render(job), name=f"render {job.id}")
        self._renders[job.id] = render
        self._on_change(job.id)
        try:
            await asyncio.wait({render})
        except asyncio.CancelledError:
            render.cancel()
            with contextlib.suppress(StoreError, TimeoutError):  # then `recover` gives it back at the next start
                async with asyncio.timeout(STOP_SECONDS):
                    await self._store.jobs.give_back(job, counts=False)
            await asyncio.wait({render}, timeout=STOP_SECONDS)
            self._crew.ended((job.id, job.attempt))
            raise
        finally:
            del self._renders[job.id]
            self._encoding.discard(job.id)
            self._crew.changed()
        try:
            await self._conclude(job, render)
        except (_Closed, StoreDamaged):
            raise
        except Exception as error:
            log.error("job=%d could not be concluded", job.id, exc_info=error)
            crashed = RenderCrashed(str(error), type=type(error).__name__)
            await self._insist(partial(self._store.jobs.give_back, job, counts=True, error=crashed))
        finally:
            self._crew.ended((job.id, job.attempt))
            self._on_change(job.id)

    async def _leave_nothing_of_a_forgotten(self, job: Job) -> None:
        """Delete what the attempt left in the spool when its job was forgotten meanwhile."""
        if await self._store.jobs.get(job.id) is None:
            await asyncio.to_thread(self._spool.delete_attempts, job.id)

    async def _render(self, job: Job) -> Rendered:
        kept = await self._store.jobs.get(job.id)
        if kept is None or kept.cancel_requested:  # forgotten or cancelled before this worker could be told
            raise asyncio.CancelledError
        paths = self._spool.attempt_paths(job)
        request = RenderRequest(
            job=job.id,
            attempt=job.attempt,
            picture_path=paths.picture,
            clip_path=paths.clip,
            master_path=paths.master,
            frames_path=paths.frames,
            settings=job.settings,
            max_bytes=job.route.max_bytes,
        )
        render = asyncio.current_task()
        course = await self._store.jobs.course(job.settings)

        def note(progress: Progress) -> None:
            # An event may come after the end of its render, also when the job's next attempt has begun.
            if self._renders.get(job.id) is render:
                self._crew.note((job.id, job.attempt), progress, course)
                if progress.phase is Phase.ENCODE and job.id not in self._encoding:
                    self._encoding.add(job.id)
                    self._crew.changed()
                self._on_step(job.id)

        return await self._backend.render(request, note)

    async def _conclude(self, job: Job, render: asyncio.Task[Rendered]) -> None:
        if render.cancelled():
            await self._insist(partial(self._store.jobs.settle_cancelled, job))
            return
        error = render.exception()
        if error is None:
            await self._keep(job, render.result())
        elif isinstance(error, DiskFull):
            await self._insist(partial(self._store.jobs.give_back, job, counts=False))
            await self._hold_until_room(error)
        elif isinstance(error, ExecutorLost):
            await self._lost(job, error)
        elif isinstance(error, OutOfMemory) and self._crew.leaves_to_larger(self, size_of(job.settings)):
            log.warning("job=%d waits for a card with more memory: %s", job.id, error)
            await self._insist(partial(self._store.jobs.give_back, job, counts=False))
        elif isinstance(error, RenderError) and error.retryable:
            await self._insist(partial(self._store.jobs.give_back, job, counts=True, error=error))
        elif isinstance(error, RenderError):
            await self._insist(partial(self._store.jobs.settle_failed, job, error))
        elif isinstance(error, Exception):
            log.error("job=%d the backend raised something else than a RenderError", job.id, exc_info=error)
            crashed = RenderCrashed(str(error), type=type(error).__name__)
            await self._insist(partial(self._store.jobs.settle_failed, job, crashed))
        else:
            raise error

    async def _keep(self, job: Job, rendered: Rendered) -> None:
        rendered = self._crew.with_phases((job.id, job.attempt), rendered)
        if await self._insist(partial(self._store.jobs.settle_rendered, job, rendered)) is None:
            names = [path.name for path in (rendered.clip_path, rendered.master_path) if path]
            await asyncio.to_thread(self._spool.delete, names)

    async def _lost(self, job: Job, error: ExecutorLost) -> None:
        closed = error.data.get("cause") == "closed"
        counts = not closed and not error.data.get("innocent", False)
        log.warning("job=%d executor lost: %s", job.id, error)
        if not closed and "node" not in error.data:  # a cluster's bridge counts those of its nodes
            self._note_crash(error)  # before the job is back in the queue, where another slot may claim it at once
        await self._insist(partial(self._store.jobs.give_back, job, counts=counts, error=error))
        if closed:
            raise _Closed

    def _note_crash(self, error: ExecutorLost) -> None:
        if not self._crashes.note(self._monotonic()):
            return
        self._is_stopped = True
        self._crew.changed()
        others_go_on = self._crew.any_may_start()
        what = "it starts nothing more, the others go on" if others_go_on else "nothing is started"
        log.critical("an executor died %d times within %d s; %s", STORM_CRASHES, STORM_SECONDS, what)
        if not others_go_on:
            self._gate.close(HoldCause.CRASH_STORM, str(error))
        self._on_storm(error, others_go_on)

    async def _insist(self, transaction: Callable[[], Awaitable[T]]) -> T:
        return await retry_while_full(transaction, self._hold_until_room)
