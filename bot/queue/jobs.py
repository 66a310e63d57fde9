"""The transactions on jobs: who waits, who is next, how a try ends. Each function is one transaction's inside.

The line is fair in GPU time. Every job gets a finish tag when it is accepted: it starts where its person's last job
ends, or at the line's virtual time when that is later, and ends its cost later, less for a larger weight. The smallest
tag is next. Tags never change, so a place in the line moves back only when somebody with less in it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.queue import deliveries as outbox
from bot.queue.database import Statements, fetch, fetch_one
from bot.queue.estimates import kind_for, learn
from bot.queue.job import Job, JobState, Limits, NewJob, Place
from bot.queue.rows import JOB_COLUMNS, job_from, notes_text, route_text, settings_text, to_text
from generator.protocol import Note
from generator.variants import Variant


class QueueFull(Exception):
    """A limit of the line is reached: `scope` is "user" or "guild", `limit` its number."""

    def __init__(self, scope: str, limit: int) -> None:
        super().__init__(f"the {scope} limit of {limit} waiting jobs is reached")
        self.scope = scope
        self.limit = limit


class CancelOutcome(StrEnum):
    """What a wish to cancel did."""

    NOT_FOUND = "not-found"
    QUEUED_CANCELLED = "queued-cancelled"
    RUNNING_REQUESTED = "running-requested"
    """the worker has to stop the render; it settles the job"""
    ALREADY_SETTLED = "already-settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a try ended for good."""

    state: JobState
    clip: str | None = None
    master: str | None = None
    facts: Mapping[str, Any] | None = None
    notes: tuple[Note, ...] = ()
    failure: Mapping[str, Any] | None = None
    took_ms: int = 0


# The next job: the person with the smallest head tag who is not at the running limit. One row per person.
CLAIM_SQL = """
    select head_id, user_id from lane
    where head_id is not null and running < :most
    order by head_tag, head_id limit 1
"""
_NO_LIMIT = 2**62
MOST_COUNTED = 10_000
"""a longer line is told as this long, so that a look at one's place stays quick"""


# Everything that decides about a request, in one statement. The counts stop at their limits, so that a long line
# costs no more than a full one. A new job starts after all its person was given or waits for, or now in virtual time.
_ADMIT_SQL = """
    select
      (select id from job where key = :key),
      (select count(*) from (select 1 from job where user_id = :user and state = 'queued' limit :user_limit)),
      (select count(*) from (select 1 from job where guild_id = :guild and state = 'queued' limit :guild_limit)),
      max(
        (select value from meta where key = 'vtime'),
        coalesce((select served from lane where user_id = :user), 0),
        coalesce((select max(tag) from job where user_id = :user and state = 'queued'), 0))
"""

_INSERT_SQL = """
    insert into job (key, user_id, guild_id, state, start_tag, tag, kind_id, cost_ms, created_ms, picture,
      route, settings, notes, card_message_id)
    values (:key, :user, :guild, 'queued', :start, :tag, :kind, :cost, :now, :picture, :route, :settings, :notes, :card)
    returning id
"""

_JOIN_LANE_SQL = """
    insert into lane (user_id, head_tag, head_id) values (?, ?, ?)
    on conflict do update set head_tag = excluded.head_tag, head_id = excluded.head_id where head_id is null
"""


def enqueue(db: Statements, new: NewJob, limits: Limits, variants: Mapping[str, Variant], now_ms: int) -> Job:
    """Accept a request; the same key gives the job it already is. Raises QueueFull."""
    scopes = (("user", limits.queued_per_user), ("guild", limits.queued_per_guild))
    values: dict[str, Any] = {"key": new.key, "user": new.user_id, "guild": new.route.guild_id}
    known, *waiting, start = fetch_one(db, _ADMIT_SQL, values | {f"{scope}_limit": limit for scope, limit in scopes})
    if known is not None:
        return _known(db, known)
    for (scope, limit), count in zip(scopes, waiting, strict=True):
        if limit and count >= limit:
            raise QueueFull(scope, limit)
    kind_id, cost_ms = kind_for(db, new.settings, variants)
    cost_ms = new.cost_ms or cost_ms
    tag = start + max(1, cost_ms * 100 // new.weight)
    values |= {"start": start, "tag": tag, "kind": kind_id, "cost": cost_ms, "now": now_ms, "picture": new.picture}
    values |= {"route": route_text(new.route), "settings": settings_text(new.settings), "notes": notes_text(new.notes)}
    values["card"] = new.card_message_id
    [job_id] = fetch_one(db, _INSERT_SQL, values)
    fetch(db, _JOIN_LANE_SQL, (new.user_id, tag, job_id))
    return Job(
        id=job_id,
        key=new.key,
        user_id=new.user_id,
        route=new.route,
        settings=new.settings,
        picture=new.picture,
        state=JobState.QUEUED,
        attempt=0,
        cost_ms=cost_ms,
        notes=new.notes,
        created_ms=now_ms,
        card_message_id=new.card_message_id,
    )


def _known(db: Statements, job_id: int) -> Job:
    [job] = _jobs(db, "where id = :id", {"id": job_id})
    return job


def refresh_lane(db: Statements, user_id: int, served: int = 0) -> None:
    """Bring one person's lane in line with their jobs; every change to a job ends with this."""
    sql = """
        update lane set
          served = max(served, :served),
          running = (select count(*) from job where user_id = :user and state = 'running'),
          (head_tag, head_id) =
            (select tag, id from job where user_id = :user and state = 'queued' order by tag, id limit 1)
        where user_id = :user
    """
    fetch(db, sql, {"user": user_id, "served": served})


def claim(db: Statements, limits: Limits, now_ms: int) -> Job | None:
    """Take the next job and start a try."""
    found = fetch_one(db, CLAIM_SQL, {"most": limits.running_per_user or _NO_LIMIT})
    if found is None:
        return None
    row = fetch_one(
        db,
        f"""
        update job set state = 'running', attempt = attempt + 1, started_ms = :now
        where id = :id and state = 'queued' returning {JOB_COLUMNS}, start_tag, tag
        """,
        {"id": found[0], "now": now_ms},
    )
    start_tag, tag = row[-2:]
    fetch(db, "update meta set value = ? where key = 'vtime' and value < ?", (start_tag, start_tag))
    refresh_lane(db, found[1], served=tag)
    return job_from(row)


def settle(db: Statements, job: Job, outcome: Outcome, now_ms: int) -> JobState | None:
    """End `job`'s try for good and owe its person the answer; None: the try is not the current one, throw it away.

    A clip that was finished after its person asked to cancel is settled as cancelled.
    """
    row = fetch_one(
        db,
        """
        update job set
          state = case when cancel_requested and :state = 'rendered' then 'cancelled' else :state end,
          finished_ms = :now, clip = :clip, master = :master, facts = :facts, failure = :failure, notes = :notes
        where id = :id and attempt = :attempt and state = 'running'
        returning user_id, state, kind_id
        """,
        {
            "state": str(outcome.state),
            "now": now_ms,
            "clip": outcome.clip,
            "master": outcome.master,
            "facts": None if outcome.facts is None else to_text(outcome.facts),
            "failure": None if outcome.failure is None else to_text(outcome.failure),
            "notes": notes_text((*job.notes, *outcome.notes)),
            "id": job.id,
            "attempt": job.attempt,
        },
    )
    if row is None:
        return None
    user_id, state, kind_id = row
    outbox.add(db, job.id, now_ms)
    if outcome.took_ms > 0:
        learn(db, kind_id, outcome.took_ms)
    # Who is first in the lane has not changed, so its index is left alone.
    fetch(db, "update lane set running = running - 1 where user_id = ?", (user_id,))
    return JobState(state)


def give_back(
    db: Statements, job: Job, failure: Mapping[str, Any] | None, max_attempts: int, now_ms: int
) -> JobState | None:
    """Put a running job back to its old place, or settle it: cancelled if that was asked, failed if it is poison.

    `failure` is what ended the try when that may be the job's own fault, and counts; None does not count.
    """
    row = fetch_one(
        db,
        """
        update job set strikes = strikes + :counts
        where id = :id and attempt = :attempt and state = 'running' returning strikes, cancel_requested
        """,
        {"counts": int(failure is not None), "id": job.id, "attempt": job.attempt},
    )
    if row is None:
        return None
    strikes, cancel_requested = row
    if cancel_requested:
        return settle(db, job, Outcome(state=JobState.CANCELLED), now_ms)
    if failure is not None and strikes >= max_attempts:
        return settle(db, job, Outcome(state=JobState.FAILED, failure={**failure, "attempts": strikes}), now_ms)
    _requeue(db, job)
    return JobState.QUEUED


def _requeue(db: Statements, job: Job) -> None:
    fetch(db, "update job set state = 'queued', started_ms = null where id = ? and state = 'running'", (job.id,))
    refresh_lane(db, job.user_id)


def cancel(db: Statements, job_id: int, now_ms: int) -> CancelOutcome:
    """Settle a waiting job as cancelled, or note the wish on a running one."""
    row = fetch_one(db, "select state, user_id from job where id = ?", (job_id,))
    if row is None:
        return CancelOutcome.NOT_FOUND
    if row[0] == JobState.RUNNING:
        fetch(db, "update job set cancel_requested = 1 where id = ?", (job_id,))
        return CancelOutcome.RUNNING_REQUESTED
    if row[0] != JobState.QUEUED:
        return CancelOutcome.ALREADY_SETTLED
    sql = "update job set state = 'cancelled', cancel_requested = 1, finished_ms = ? where id = ?"
    fetch(db, sql, (now_ms, job_id))
    outbox.add(db, job_id, now_ms)
    refresh_lane(db, row[1])
    return CancelOutcome.QUEUED_CANCELLED


def recover(db: Statements, now_ms: int) -> list[Job]:
    """Put back what a dead process was running (no strike: it was not the job's fault), and its unfinished posts."""
    outbox.recover(db)
    running = _jobs(db, "where state = 'running' order by tag, id")
    for job in running:
        give_back(db, job, None, 0, now_ms)
    return [found for job in running if (found := by_id(db, job.id)) is not None]


def _jobs(db: Statements, tail: str, parameters: Mapping[str, Any] | None = None) -> list[Job]:
    return [job_from(row) for row in fetch(db, f"select {JOB_COLUMNS} from job {tail}", parameters or {})]


def withdraw(db: Statements, job_id: int) -> bool:
    """Take back a waiting job as if it had never been accepted: nothing will be delivered. False: it has begun."""
    found = fetch(db, "delete from job where id = ? and state = 'queued' returning user_id", (job_id,))
    for (user_id,) in found:
        refresh_lane(db, user_id)
    return bool(found)


def by_id(db: Statements, job_id: int) -> Job | None:
    """Give one job."""
    return next(iter(_jobs(db, "where id = :id", {"id": job_id})), None)


def of_user(db: Statements, user_id: int, limit: int) -> list[Job]:
    """Give a person's jobs, the newest first."""
    return _jobs(db, "where user_id = :user order by id desc limit :limit", {"user": user_id, "limit": limit})


def untold_jobs(db: Statements, user_id: int) -> list[Job]:
    """Give a person's jobs that are in the line, or whose delivery is still owed."""
    tail = """
        where user_id = :user and (state in ('queued', 'running')
          or exists (select 1 from outbox where job_id = id and outbox.state in ('pending', 'sending')))
    """
    return _jobs(db, tail, {"user": user_id})


def active(db: Statements) -> list[Job]:
    """Give the running jobs, then the waiting ones as `waiting` orders them."""
    return [*_jobs(db, "where state = 'running' order by tag, id"), *waiting(db, _NO_LIMIT)]


def waiting(db: Statements, limit: int) -> list[Job]:
    """Give the line in the order of claims."""
    return _jobs(db, "where state = 'queued' order by tag, id limit :limit", {"limit": limit})


AHEAD_SQL = """
    select count(*), coalesce(sum(k.low_ms), 0), coalesce(sum(k.high_ms), 0)
    from job j join kind k on k.id = j.kind_id where j.state = 'queued' and (j.tag, j.id) < (:tag, :id)
"""


def place(db: Statements, job_id: int, executors: int, now_ms: int, settled_ms: int = 0) -> Place | None:
    """Tell a waiting job's place and when it may be done; None when it does not wait.

    `settled_ms` is when a job last left an executor.
    """
    sql = """
        select j.state, j.tag, k.low_ms, k.high_ms,
          (select count(*) from (select 1 from job where state = 'queued' limit :most))
        from job j join kind k on k.id = j.kind_id where j.id = :id
    """
    row = fetch_one(db, sql, {"id": job_id, "most": MOST_COUNTED})
    if row is None or row[0] != JobState.QUEUED:
        return None
    _, tag, low, high, waiting_total = row
    ahead, ahead_low, ahead_high = fetch_one(db, AHEAD_SQL, {"tag": tag, "id": job_id})
    running = _remaining(db, executors, now_ms, settled_ms)
    if ahead + len(running) >= executors:
        low += (ahead_low + sum(rest for rest, _ in running)) // executors
        high += (ahead_high + sum(rest for _, rest in running)) // executors
    return Place(position=ahead + 1, waiting=max(waiting_total, ahead + 1), eta_low_ms=low, eta_high_ms=high)


def _remaining(db: Statements, executors: int, now_ms: int, settled_ms: int) -> list[tuple[int, int]]:
    """Give, for each running job, the range of milliseconds it may still take.

    A backend takes one job more than it renders, so the later ones have not begun; and with one executor none began
    before the last one left. The wall clock is good enough for this: a jump only blurs what is shown for a while.
    """
    sql = """
        select j.started_ms, k.low_ms, k.high_ms from job j join kind k on k.id = j.kind_id
        where j.state = 'running' order by j.started_ms, j.id
    """
    ranges = []
    for number, (started, low, high) in enumerate(fetch(db, sql)):
        began = max(started, settled_ms) if executors == 1 else started
        elapsed = max(0, now_ms - began) if number < executors else 0
        ranges.append((max(0, low - elapsed), max(0, high - elapsed)))
    return ranges


def counts(db: Statements) -> dict[JobState, int]:
    """Count the jobs kept in each state."""
    found = dict(fetch(db, "select state, count(*) from job group by state"))
    return {state: int(found.get(str(state), 0)) for state in JobState}
