"""The jobs as the bot uses them: accepting, claiming, settling, cancelling and reading. Knows no Discord.

Tested in tests/bot/queue/test_jobs.py and tests/bot/queue/test_waking.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from bot.policy.quota import Allowance, Scope, Used
from bot.queue import fair_queue
from bot.queue.database import Database, Statements, fetch
from bot.queue.deliveries import Deliveries
from bot.queue.estimates import Measured, measured
from bot.queue.fair_queue import ANY_SIZE, Sizes
from bot.queue.job import (
    AttemptEnd,
    CancelOutcome,
    Job,
    JobState,
    Limits,
    NewJob,
    Outcome,
    QueuePosition,
    rendered_outcome,
)
from bot.queue.life.attempts import cancel, claim, give_back, recover, settle
from bot.queue.life.past import PutBack, put_back
from bot.queue.life.phases import Course, course_of
from bot.queue.life.standing import Cards, standing
from bot.queue.opening.set_aside import set_aside_unreadable
from bot.queue.rows import select_jobs
from bot.queue.servers.quotas import Ask, expected_cost, refuse_over_quota, used
from generator.clip import ClipSettings
from generator.errors import RenderCrashed, RenderError
from generator.protocol import Rendered
from generator.variants import Variant

log = logging.getLogger(__name__)

T = TypeVar("T")


class Jobs:
    """Every accepted request. `executors` is how many jobs can run at once, for the times in `position`."""

    def __init__(
        self,
        database: Database,
        delivery_store: Deliveries,
        limits: Limits,
        variants: Mapping[str, Variant],
        now_ms: Callable[[], int],
    ) -> None:
        self._database = database
        self._deliveries = delivery_store
        self._limits = limits
        self._variants = variants
        self._now_ms = now_ms
        self.work = asyncio.Event()
        """set, and replaced by a new one, when a claim may find more than before"""
        self._work_at_claim = self.work
        self._in_vain: set[Sizes] = set()
        self._claiming = asyncio.Lock()
        self._settled_ms = 0
        self._untold: list[int] = []
        self._tell_of_set_aside: Callable[[int], None] = self._untold.append
        self.executors = 1
        self.left_ms: Callable[[], Mapping[int, int]] = dict
        """by job, how long each render that has begun still takes, as its steps tell"""
        self.on_accepted: Callable[[], None] = lambda: None
        self.on_attempt_end: Callable[[AttemptEnd], None] = lambda end: None

    def follow_executors(self, executors: int, running_per_user: int) -> None:
        """Count with so many executors from now on, and let one person have so many jobs running."""
        self.executors = max(1, executors)
        self._limits = replace(self._limits, running_per_user=max(1, running_per_user))
        self._new_work()

    async def enqueue(self, new: NewJob) -> Job:
        """Accept a request; the same key twice is the same job.

        Raises QueueFull, PictureReleased, QuotaReached, StoreFull.
        """
        job = await self._write(fair_queue.enqueue, new, self._limits, self._variants)
        made = job.settings
        log.info("job=%d accepted variant=%s frames=%d steps=%d", job.id, made.variant, made.frames, made.steps)
        self.on_accepted()
        self._new_work()
        return job

    async def refuse_when_full(self, user_id: int, guild_id: int | None, coming: int) -> None:
        """Raise QueueFull when `coming` more requests of a person would be too many; `enqueue` asks again."""
        await self._database.read(fair_queue.refuse_when_full, user_id, guild_id, coming, self._limits)

    async def refuse_over_quota(self, ask: Ask, settings: ClipSettings, coming: int) -> None:
        """Raise QuotaReached when `coming` more such clips would exceed a quota; `enqueue` asks again."""
        await self._database.read(_refuse_over_quota, ask, (settings, coming), self._variants, self._now_ms())

    async def quota_used(self, ask: Ask) -> dict[Scope, Used]:
        """Read what was used of each quota that has a limit."""
        return await self._database.read(used, ask, self._now_ms())

    async def expected_cost_ms(self, settings: ClipSettings) -> int:
        """Read what such a clip would be charged, in GPU milliseconds."""
        return await self._database.read(expected_cost, settings, self._variants)

    async def withdraw(self, job_id: int) -> bool:
        """Delete a queued job as if it had never been accepted; return False when it is not queued any more."""
        return await self._database.write(fair_queue.withdraw, job_id)

    async def claim(self, sizes: Sizes = ANY_SIZE) -> Job | None:
        """Claim the next job in fair order; return None when no job may run now: then `wait_for_work`.

        A claim whose awaiting task is cancelled gives its job back.
        """
        async with self._claiming:
            begun = self._work_at_claim = self.work  # what is accepted during the transaction is not missed
            if sizes in self._in_vain:
                return None  # another worker has just looked: with 600 of them, each job would be looked for 600 times
            job = await self._claim(sizes)
            if job is None and begun is self.work:
                self._in_vain.add(sizes)
        if job is not None:
            self._new_work()
            log.info("job=%d running attempt=%d", job.id, job.attempt)
        return job

    async def _claim(self, sizes: Sizes) -> Job | None:
        claiming = self._database.start_write(claim, self._limits, self._now_ms(), sizes)
        try:
            job, unreadable = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._database.track(asyncio.create_task(self._return_claim(claiming)))
            raise
        self._note_set_aside(unreadable)
        return job

    async def _return_claim(self, claiming: asyncio.Future[tuple[Job | None, list[int]]]) -> None:
        job, unreadable = await claiming
        self._note_set_aside(unreadable)
        if job is not None:
            await self.give_back(job, counts=False)

    async def wait_for_work(self, since: asyncio.Event | None = None) -> None:
        """Wait until a claim may find more than the last one, or than one that began when `work` was `since`."""
        await (since or self._work_at_claim).wait()

    def _new_work(self) -> None:
        self._in_vain.clear()
        self.work.set()
        self.work = asyncio.Event()

    async def settle_rendered(self, job: Job, rendered: Rendered) -> JobState | None:
        """Record the finished clip; return None when the attempt is not the current one: then delete the clip.

        Returns CANCELLED instead of RENDERED when the job's person asked to cancel it meanwhile.
        """
        return await self._settle(job, rendered_outcome(rendered))

    async def settle_failed(self, job: Job, error: RenderError) -> JobState | None:
        """Record that the render failed; None as in `settle_rendered`."""
        return await self._settle(job, Outcome(state=JobState.FAILED, failure=error.to_wire()))

    async def settle_cancelled(self, job: Job) -> JobState | None:
        """Record that the render was stopped because its person asked; None as in `settle_rendered`."""
        return await self._settle(job, Outcome(state=JobState.CANCELLED))

    async def _settle(self, job: Job, outcome: Outcome) -> JobState | None:
        state = await self._write(settle, job, outcome)
        error = str((outcome.failure or {}).get("code", ""))
        self._left_executor(AttemptEnd(job=job, state=state, error=error, facts=outcome.facts or {}))
        return state

    async def give_back(self, job: Job, *, counts: bool, error: RenderError | None = None) -> JobState | None:
        """Queue a running job again where it was. An attempt that `counts` may be its last: then the job has failed.

        None as in `settle_rendered`. A job whose person asked to cancel it is settled as cancelled.
        """
        failure = (error or RenderCrashed("the attempt ended")).to_wire() if counts else None
        most = self._limits.max_attempts
        state = await self._write(give_back, job, failure, most)
        self._left_executor(AttemptEnd(job=job, state=state, error=error.code if error else ""))
        return state

    def _left_executor(self, end: AttemptEnd) -> None:
        log.info("job=%d %s attempt=%d", end.job.id, end.state or "late, thrown away", end.job.attempt)
        self.on_attempt_end(end)
        self._settled_ms = self._now_ms()
        self._wake()

    def _wake(self) -> None:
        self._new_work()
        self._deliveries.wake()

    async def cancel(self, job_id: int, *, by_moderator: bool = False) -> CancelOutcome:
        """Cancel a queued job, or mark a running one: then its render must be stopped through the worker too."""
        outcome = await self._write(partial(cancel, by_moderator=by_moderator), job_id)
        log.info("job=%d cancel %s", job_id, outcome)
        self._wake()
        return outcome

    async def put_back(self, job: Job, allowance: Allowance) -> PutBack:
        """Queue a job again that its person cancelled while it waited. Raises QueueFull, QuotaReached."""
        ask = Ask(user_id=job.user_id, guild_id=job.route.guild_id, allowance=allowance)
        found = await self._write(put_back, job.id, ask, self._limits)
        log.info("job=%d put back: %s", job.id, found)
        self._new_work()
        return found

    async def recover(self) -> list[Job]:
        """Queue again what a dead process was running, without a strike, and make its unfinished posts due.

        Returns those jobs. Call it once, at start: this process holds the folder's lock, so no other one runs anything.
        """
        self._note_set_aside(await self._write(set_aside_unreadable))
        jobs = await self._write(recover)
        for job in jobs:
            log.info("job=%d %s after a restart attempt=%d", job.id, job.state, job.attempt)
        self._wake()
        return jobs

    def tell_of_set_aside(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with each job that was set aside because its row cannot be read, earlier ones first."""
        self._tell_of_set_aside = tell
        while self._untold:
            tell(self._untold.pop(0))

    def _note_set_aside(self, job_ids: list[int]) -> None:
        for job_id in job_ids:
            log.error("job=%d cannot be read, and was set aside", job_id)
            self._tell_of_set_aside(job_id)
            self._deliveries.wake()

    async def _write(self, function: Callable[..., T], *args: object) -> T:
        """Run a transaction whose last argument is the time. Raises StoreFull and what `function` raises."""
        return await self._database.write(function, *args, self._now_ms())

    # -- reading ------------------------------------------------------------------------------------------------

    async def get(self, job_id: int) -> Job | None:
        """Read one job; None when it is not kept (any more)."""
        return next(iter(await self._read("where id = :id", id=job_id)), None)

    async def of_user(self, user_id: int, limit: int = 10) -> list[Job]:
        """Read a person's jobs, the newest first."""
        return await self._read("where user_id = :user order by id desc limit :limit", user=user_id, limit=limit)

    async def active(self) -> list[Job]:
        """Read the running jobs, then the queued ones in the order of claims."""
        return await self._database.read(fair_queue.active)

    async def waiting(self, limit: int = 25) -> list[Job]:
        """Read the first queued jobs in the order of claims."""
        return await self._read(fair_queue.WAITING, limit=limit)

    async def waiting_ids(self) -> list[int]:
        """Read the ids of all queued jobs in the order of claims, from an index alone."""
        return await self._database.read(fair_queue.waiting_ids)

    async def count_running(self) -> int:
        """Count the jobs that were started and are not settled."""
        [(count,)] = await self._database.read(fetch, "select count(*) from job where state = 'running'")
        return int(count)

    async def _read(self, tail: str, **parameters: object) -> list[Job]:
        return await self._database.read(select_jobs, tail, parameters)

    async def position(self, job_id: int) -> QueuePosition | None:
        """Read where a queued job stands and when it may be done; None when it is not queued."""
        cards = Cards(self.executors, self._now_ms(), self._settled_ms, self.left_ms())
        return await self._database.read(standing, job_id, cards, self._variants)

    async def course(self, settings: ClipSettings) -> Course:
        """Read what the phases of such a render are expected to take."""
        return await self._database.read(course_of, settings, self._variants)

    async def measured(self, variant: str) -> Measured | None:
        """Read how long the variant's most rendered kind of clip took here; None when none was rendered."""
        return await self._database.read(measured, variant)

    async def counts(self) -> dict[JobState, int]:
        """Count the kept jobs in each state."""
        sql = f"select {', '.join(f'count(*) filter (where state = {state.value!r})' for state in JobState)} from job"
        [found] = await self._database.read(fetch, sql)
        return dict(zip(JobState, found, strict=True))


def _refuse_over_quota(
    db: Statements, ask: Ask, wanted: tuple[ClipSettings, int], variants: Mapping[str, Variant], now_ms: int
) -> None:
    settings, coming = wanted
    if ask.allowance.limited():
        refuse_over_quota(db, ask, expected_cost(db, settings, variants) * coming, now_ms, coming)
