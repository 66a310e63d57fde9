"""How attempts begin and end: the insides of transactions that claim a job, and that settle it or queue it again.

`fair_queue` has those that come before.

Tested in tests/bot/queue/test_jobs.py and tests/bot/queue/test_unreadable.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.queue import deliveries, fair_queue
from bot.queue.database import Statements
from bot.queue.estimates import learn
from bot.queue.fair_queue import Sizes
from bot.queue.job import CancelOutcome, Job, JobState, Limits, Outcome
from bot.queue.life.phases import learn_phases
from bot.queue.opening.set_aside import set_aside
from bot.queue.rows import BY_MODERATOR, Unreadable, outcome_values, select_jobs


def settle(db: Statements, job: Job, outcome: Outcome, now_ms: int) -> JobState | None:
    """Write how `job` ended and insert its delivery; return None when `job.attempt` is not the current one.

    A clip that was finished after its person asked to cancel is settled as cancelled.
    """
    rows = db.execute(
        """
        update job set
          state = case when cancel_requested and :state = 'rendered' then 'cancelled' else :state end,
          finished_ms = :now, clip = :clip, master = :master, facts = :facts, failure = :failure, notes = :notes
        where id = :id and attempt = :attempt and state = 'running'
        returning user_id, state, kind_id
        """,
        outcome_values(job, outcome) | {"id": job.id, "attempt": job.attempt, "now": now_ms},
    ).fetchall()
    if not rows:
        return None
    [(user_id, state, kind_id)] = rows
    deliveries.add(db, job.id, now_ms)
    if outcome.took_ms > 0:
        learn(db, kind_id, outcome.took_ms)
    learn_phases(db, kind_id, (outcome.facts or {}).get("phase_seconds", {}))
    # Who is first in the lane has not changed, so its index is left alone.
    db.execute("update lane set running = running - 1 where user_id = ?", (user_id,))
    return JobState(state)


def give_back(
    db: Statements, job: Job, failure: Mapping[str, Any] | None, max_attempts: int, now_ms: int
) -> JobState | None:
    """Queue a running job again with its old tag, or settle it as cancelled or failed; None as in `settle`.

    `failure` is what ended the attempt when that may be the job's own fault: then it counts as a strike, and the job
    fails at `max_attempts` strikes.
    """
    rows = db.execute(
        """
        update job set strikes = strikes + :counts
        where id = :id and attempt = :attempt and state = 'running' returning strikes, cancel_requested
        """,
        {"counts": int(failure is not None), "id": job.id, "attempt": job.attempt},
    ).fetchall()
    if not rows:
        return None
    [(strikes, cancel_requested)] = rows
    if cancel_requested:
        return settle(db, job, Outcome(state=JobState.CANCELLED), now_ms)
    if failure is not None and strikes >= max_attempts:
        return settle(db, job, Outcome(state=JobState.FAILED, failure={**failure, "attempts": strikes}), now_ms)
    db.execute("update job set state = 'queued', started_ms = null where id = ?", (job.id,))
    fair_queue.refresh_lane(db, job.user_id)
    return JobState.QUEUED


def cancel(db: Statements, job_id: int, now_ms: int, *, by_moderator: bool = False) -> CancelOutcome:
    """Settle a queued job as cancelled, or mark a running one as to be cancelled."""
    requested = BY_MODERATOR if by_moderator else 1
    row = db.execute("select state, user_id from job where id = ?", (job_id,)).fetchone()
    if row is None:
        return CancelOutcome.NOT_FOUND
    if row[0] == JobState.RUNNING:
        sql = "update job set cancel_requested = ? where id = ? and cancel_requested = 0"  # the first one did it
        db.execute(sql, (requested, job_id))
        return CancelOutcome.RUNNING_REQUESTED
    if row[0] != JobState.QUEUED:
        return CancelOutcome.ALREADY_SETTLED
    sql = "update job set state = 'cancelled', cancel_requested = ?, finished_ms = ? where id = ?"
    db.execute(sql, (requested, now_ms, job_id))
    deliveries.add(db, job_id, now_ms)
    fair_queue.refresh_lane(db, row[1])
    return CancelOutcome.QUEUED_CANCELLED


def claim(db: Statements, limits: Limits, now_ms: int, sizes: Sizes) -> tuple[Job | None, list[int]]:
    """Start an attempt of the next job that can be read; return it, and the jobs before it that were set aside."""
    unreadable: list[int] = []
    while True:
        try:
            return fair_queue.claim(db, limits, now_ms, sizes), unreadable
        except Unreadable as error:
            set_aside(db, error.job_id, now_ms)
            unreadable.append(error.job_id)


def recover(db: Statements, now_ms: int) -> list[Job]:
    """Queue again what a dead process was running, without a strike, and make its unfinished posts pending."""
    deliveries.recover(db)
    running = select_jobs(db, "where state = 'running' order by tag, id")
    for job in running:
        give_back(db, job, None, 0, now_ms)
    return [found for job in running for found in select_jobs(db, "where id = :id", {"id": job.id})]
