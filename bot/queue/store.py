"""JobStore: the one owner of the database. Jobs, the line, deliveries, settings, retention. Knows no Discord.

The statements themselves are in `line`, `outbox`, `estimates` and `retention`; each public method here is one
transaction of one of them, and one log line where a job changes its state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from bot.queue import deliveries as outbox
from bot.queue import jobs as line
from bot.queue import retention
from bot.queue.database import Database, Statements, StoreError, StoreFull, StoreLocked, StoreTooNew, fetch, fetch_one
from bot.queue.job import Delivery, Job, JobState, Limits, NewJob, Place
from bot.queue.jobs import CancelOutcome, Outcome, QueueFull
from generator.errors import RenderCrashed, RenderError
from generator.protocol import Rendered
from generator.variants import BUILT_IN, Variant

__all__ = ["CancelOutcome", "JobStore", "QueueFull", "StoreError", "StoreFull", "StoreLocked", "StoreTooNew"]

log = logging.getLogger(__name__)

_HOUR_MS = 3_600_000


def wall_ms() -> int:
    """Give the time now in UTC milliseconds; only for display, back-off and retention, never for who owns a job."""
    return time.time_ns() // 1_000_000


class JobStore:
    """Every accepted request, on disk before the call that accepts it returns.

    `executors` is how many jobs can run at once, for the times in `place`.
    """

    def __init__(
        self, database: Database, limits: Limits, variants: Mapping[str, Variant], now_ms: Callable[[], int]
    ) -> None:
        self._database = database
        self._limits = limits
        self._variants = variants
        self._now_ms = now_ms
        self._work = asyncio.Event()
        self._deliveries = asyncio.Event()
        self._settled_ms = 0
        self.executors = 1

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        limits: Limits | None = None,
        variants: Mapping[str, Variant] = BUILT_IN,
        executors: int = 1,
        now_ms: Callable[[], int] = wall_ms,
    ) -> Self:
        """Lock and open the data folder. Raises StoreLocked, StoreTooNew, StoreError. Call `recover` next."""
        store = cls(await Database.open(folder), limits or Limits(), variants, now_ms)
        store.executors = executors
        return store

    async def close(self) -> None:
        """Finish what was started, close the database, free the folder."""
        await self._database.close()

    # -- the line -----------------------------------------------------------------------------------------------

    async def enqueue(self, new: NewJob) -> Job:
        """Accept a request; the same key twice is the same job. Raises QueueFull, StoreFull."""
        job = await self._database.write(line.enqueue, new, self._limits, self._variants, self._now_ms())
        settings = job.settings
        log.info(
            "job=%d accepted variant=%s frames=%d steps=%d", job.id, settings.variant, settings.frames, settings.steps
        )
        self._work.set()
        return job

    async def withdraw(self, job_id: int) -> bool:
        """Take back a waiting job as if it had never been accepted; False: it has begun."""
        return await self._database.write(line.withdraw, job_id)

    async def claim(self) -> Job | None:
        """Take the next job in fair order: running, attempt + 1. None: nothing may run now; then `wait_for_work`.

        A claim whose awaiting task is cancelled gives its job back.
        """
        self._work.clear()  # before the transaction, so that a job accepted during it is not missed
        claiming = self._database.start_write(line.claim, self._limits, self._now_ms())
        try:
            job = await asyncio.shield(claiming)
        except asyncio.CancelledError:
            self._database.track(asyncio.create_task(self._return_claim(claiming)))
            raise
        if job is not None:
            self._work.set()
            log.info("job=%d running attempt=%d", job.id, job.attempt)
        return job

    async def _return_claim(self, claiming: asyncio.Future[Job | None]) -> None:
        job = await claiming
        if job is not None:
            await self.give_back(job, counts=False)

    async def wait_for_work(self) -> None:
        """Return when a claim may find a job that the last one did not."""
        await self._work.wait()

    async def settle_rendered(self, job: Job, rendered: Rendered) -> JobState | None:
        """Record the finished clip and owe its delivery. None: this try is not the current one, throw it away.

        Gives CANCELLED instead of RENDERED when its person asked for that meanwhile.
        """
        return await self._settle(job, rendered_outcome(rendered))

    async def settle_failed(self, job: Job, error: RenderError) -> JobState | None:
        """Record an honest failure and owe the person that answer; None as in `settle_rendered`."""
        return await self._settle(job, Outcome(state=JobState.FAILED, failure=error.to_wire()))

    async def settle_cancelled(self, job: Job) -> JobState | None:
        """Record that the render was stopped as its person asked; None as in `settle_rendered`."""
        return await self._settle(job, Outcome(state=JobState.CANCELLED))

    async def _settle(self, job: Job, outcome: Outcome) -> JobState | None:
        state = await self._database.write(line.settle, job, outcome, self._now_ms())
        self._changed(job, state)
        return state

    async def give_back(self, job: Job, *, counts: bool, error: RenderError | None = None) -> JobState | None:
        """Put a running job back to its place. A try that `counts` may be its last: then it is settled as failed.

        None as in `settle_rendered`. A job whose person asked to cancel is settled as cancelled.
        """
        failure = (error or RenderCrashed("the try ended")).to_wire() if counts else None
        most = self._limits.max_attempts
        state = await self._database.write(line.give_back, job, failure, most, self._now_ms())
        self._changed(job, state)
        return state

    def _changed(self, job: Job, state: JobState | None) -> None:
        log.info("job=%d %s attempt=%d", job.id, state or "late, thrown away", job.attempt)
        self._settled_ms = self._now_ms()
        self._work.set()
        self._deliveries.set()

    async def cancel(self, job_id: int) -> CancelOutcome:
        """Cancel a waiting job, or note the wish on a running one: then stop its render through the worker too."""
        outcome = await self._database.write(line.cancel, job_id, self._now_ms())
        log.info("job=%d cancel %s", job_id, outcome)
        self._work.set()
        self._deliveries.set()
        return outcome

    async def recover(self) -> list[Job]:
        """At start: queue again what the dead process was running, without a strike; give those jobs."""
        jobs = await self._database.write(line.recover, self._now_ms())
        for job in jobs:
            log.info("job=%d %s after a restart attempt=%d", job.id, job.state, job.attempt)
        self._work.set()
        self._deliveries.set()
        return jobs

    # -- looking ------------------------------------------------------------------------------------------------

    async def job(self, job_id: int) -> Job | None:
        """Give one job."""
        return await self._database.read(line.by_id, job_id)

    async def jobs_of(self, user_id: int, limit: int = 10) -> list[Job]:
        """Give a person's jobs, the newest first."""
        return await self._database.read(line.of_user, user_id, limit)

    async def active_jobs(self) -> list[Job]:
        """Give the running jobs, then the waiting ones in order."""
        return await self._database.read(line.active)

    async def line(self, limit: int = 25) -> list[Job]:
        """Give the waiting jobs in the order of claims."""
        return await self._database.read(line.waiting, limit)

    async def place(self, job_id: int) -> Place | None:
        """Tell a waiting job's place and when it may be done; None when it does not wait."""
        return await self._database.read(line.place, job_id, self.executors, self._now_ms(), self._settled_ms)

    async def counts(self) -> dict[JobState, int]:
        """Count the jobs kept in each state."""
        return await self._database.read(line.counts)

    # -- deliveries ---------------------------------------------------------------------------------------------

    async def due_deliveries(self, now_ms: int | None = None, limit: int = 25) -> list[Delivery]:
        """Give the deliveries to try now; one that is being sent is not among them."""
        self._deliveries.clear()
        found = await self._database.read(outbox.due, self._now_ms() if now_ms is None else now_ms, limit)
        if len(found) == limit:
            self._deliveries.set()  # there may be more than this look gave
        return found

    async def delivery(self, job_id: int) -> Delivery | None:
        """Give one job's delivery; None while it is not settled."""
        return await self._database.read(outbox.of_job, job_id)

    async def wait_for_delivery(self) -> None:
        """Return when a delivery was added or changed since `due_deliveries` last looked."""
        await self._deliveries.wait()

    async def mark_sending(self, job_id: int) -> bool:
        """Note, before the request goes out, that it does; False: it is not pending, do not send."""
        return await self._database.write(outbox.mark_sending, job_id, self._now_ms())

    async def mark_sent(self, job_id: int, message_id: int | None) -> bool:
        """Note that the post arrived, also when a look into the history found it."""
        sent = await self._database.write(outbox.mark_sent, job_id, message_id)
        log.info("job=%d sent", job_id)
        return sent

    async def mark_later(self, job_id: int, next_ms: int, error: str) -> bool:
        """Try again at `next_ms`, five minutes from now at the latest."""
        later = await self._database.write(outbox.mark_later, job_id, next_ms, error, self._now_ms())
        log.info("job=%d delivery waits: %s", job_id, error)
        self._deliveries.set()
        return later

    async def mark_dead(self, job_id: int, error: str) -> bool:
        """Give the delivery up; its clip stays for its person to fetch."""
        dead = await self._database.write(outbox.mark_dead, job_id, error)
        log.warning("job=%d delivery dead: %s", job_id, error)
        return dead

    # -- settings and retention ---------------------------------------------------------------------------------

    async def get_setting(self, key: str) -> str | None:
        """Give a setting that outlives the process."""
        return await self._database.read(_get_setting, key)

    async def set_setting(self, key: str, value: str | None) -> None:
        """Keep a setting; None forgets it."""
        await self._database.write(_set_setting, key, value)

    async def drop_files(self, job_id: int) -> list[str]:
        """Let a job whose post was deleted go of picture and clip; give the spool's files to delete."""
        return await self._database.write(retention.drop_files, job_id)

    async def untold_jobs(self, user_id: int) -> list[Job]:
        """Give a person's jobs whose card is still to be written: those in the line, and those to be delivered."""
        return await self._database.read(line.untold_jobs, user_id)

    async def forget_user(self, user_id: int) -> list[str]:
        """Delete everything about one person; give the spool's files to delete."""
        return await self._database.write(retention.forget_user, user_id)

    async def forget_guild(self, guild_id: int) -> list[str]:
        """Delete every job of one server; give the spool's files to delete."""
        return await self._database.write(retention.forget_guild, guild_id)

    async def guilds(self, application_id: int) -> set[int]:
        """Name the servers that have a job and had the bot as a member."""
        return await self._database.read(retention.guilds, application_id)

    async def known_files(self) -> set[str]:
        """Name every file in the spool that a row needs, and every running try."""
        return await self._database.read(retention.known_files)

    async def sweep(self, now_ms: int | None = None, *, clip_hours: int = 24, row_days: int = 30) -> list[str]:
        """Apply retention, a bounded part at a time; give the spool's files to delete.

        A sweep that the full disk refuses is left for the next time.
        """
        now = self._now_ms() if now_ms is None else now_ms
        holding = await self._database.read(retention.holding_files_before, now - clip_hours * _HOUR_MS)
        answered = await self._database.read(retention.answered_before, now - row_days * 24 * _HOUR_MS)
        names: set[str] = set()
        try:
            names.update(await self._database.write(retention.release_files, holding))
            names.update(await self._database.write(retention.delete_rows, answered))
            await self._database.write(retention.delete_idle_lanes)
            await self._database.checkpoint()
        except StoreFull as error:
            log.warning("the sweep waits for room: %s", error)
        return sorted(names)


def _get_setting(db: Statements, key: str) -> str | None:
    row = fetch_one(db, "select value from setting where key = ?", (key,))
    return None if row is None else str(row[0])


def _set_setting(db: Statements, key: str, value: str | None) -> None:
    if value is None:
        fetch(db, "delete from setting where key = ?", (key,))
        return
    sql = "insert into setting values (?, ?) on conflict (key) do update set value = excluded.value"
    fetch(db, sql, (key, value))


def rendered_outcome(rendered: Rendered) -> Outcome:
    """Give how a try ended that made a clip."""
    facts = {
        name: getattr(rendered, name)
        for name in ("bytes", "width", "height", "frames", "playback_fps", "seconds", "phase_seconds")
    }
    return Outcome(
        state=JobState.RENDERED,
        clip=rendered.clip_path.name,
        master=None if rendered.master_path is None else rendered.master_path.name,
        facts=facts,
        notes=rendered.notes,
        took_ms=int(rendered.seconds * 1000),
    )
