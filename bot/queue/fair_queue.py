"""The fair queue: who waits, who is next, and where a job stands. Each public function is the inside of a transaction.

The queue is fair in GPU time, and in what a clip's file takes to write afterwards. Every job gets a finish tag when it
is accepted. Its start is where its person's last job ends, or the queue's virtual time when that is later; its tag is
its cost later, less for a larger share. The job with the smallest tag is next. Tags never change, so a job moves back
only when somebody with less GPU time arrives.

Tested in tests/bot/queue/test_fair_queue.py, tests/bot/queue/test_position.py, tests/bot/queue/test_forgetting.py and
tests/bot/queue/test_jobs.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.queue.database import Statements
from bot.queue.estimates import encoding_ms, kind_for
from bot.queue.job import Job, JobState, Limits, NewJob, PictureReleased, QueueFull, QueuePosition
from bot.queue.rows import JOB_COLUMNS, job_from, request_values, select_jobs
from bot.queue.servers.quotas import Ask, refuse_over_quota, unnamed
from bot.queue.servers.trust.pictures import keep_source
from generator.variants import Variant

MOST_COUNTED = 10_000
"""a longer queue is shown as this long, so that a look at one's position stays quick"""
NO_LIMIT = 2**62
DEBT_KEPT_MS = 24 * 3_600_000
"""after a day without a full queue nobody is ahead by a time that matters"""

# The counts stop at their limits, so that a long queue costs no more than a full one.
_COUNTS_SQL = """
      (select count(*) from (select 1 from job where user_id = :user and state = 'queued' limit :user_limit)),
      (select count(*) from (select 1 from job where guild_id = :guild and state = 'queued' limit :guild_limit))
"""

# Everything that decides about a request, in one statement. The last value is where the new job starts in virtual time.
_ADMIT_SQL = f"""
    select
      (select id from job where key = :key),
      {_COUNTS_SQL},
      max(
        (select value from meta where key = 'vtime'),
        coalesce((select served from lane where user_id = :user), 0),
        :debt,
        coalesce((select max(tag) from job where user_id = :user and state = 'queued'), 0))
"""

_INSERT_SQL = """
    insert into job (key, user_id, guild_id, state, start_tag, tag, kind_id, cost_ms, created_ms, picture,
      route, settings, notes, card_message_id, told, of_job)
    values (:key, :user, :guild, 'queued', :start, :tag, :kind, :cost, :now, :picture, :route, :settings, :notes, :card,
      :told, :of_job)
    returning id
"""

_JOIN_LANE_SQL = """
    insert into lane (user_id, head_tag, head_id) values (?, ?, ?)
    on conflict do update set head_tag = excluded.head_tag, head_id = excluded.head_id where head_id is null
"""

# The next job: of the people who are not at the running limit, the one with the smallest head tag. One row per person.
CLAIM_SQL = """
    select head_id, user_id from lane
    where head_id is not null and running < :most
    order by head_tag, head_id limit 1
"""

# The same for a card that has no room for some sizes of clips. Whose next job it cannot take is passed over.
CLAIM_SIZE_SQL = """
    select head_id, lane.user_id from lane join job on job.id = head_id join kind on kind.id = job.kind_id
    where head_id is not null and running < :most
      and not exists (select 1 from json_each(:without) where instr(kind.name, value) = 1)
      and (:only is null or exists (select 1 from json_each(:only) where instr(kind.name, value) = 1))
    order by head_tag, head_id limit 1
"""

WAITING = "where state = 'queued' order by tag, id limit :limit"
"""the queued jobs in the order of claims"""

AHEAD_SQL = """
    select count(*), coalesce(sum(k.low_ms), 0), coalesce(sum(k.high_ms), 0)
    from job j join kind k on k.id = j.kind_id where j.state = 'queued' and (j.tag, j.id) < (:tag, :id)
"""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Which jobs a claim may take, by the names that `estimates.size_of` gives to their sizes."""

    without: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """None: all others"""


ANY_SIZE = Sizes()


def enqueue(db: Statements, new: NewJob, limits: Limits, variants: Mapping[str, Variant], now_ms: int) -> Job:
    """Insert a request, or find the job that its key already has. Raises QueueFull, PictureReleased, QuotaReached."""
    who: dict[str, Any] = {"key": new.key, "user": new.user_id, "guild": new.route.guild_id}
    values = who | _limits(limits) | {"debt": _debt(db, new.user_id)}
    known, in_lane, in_guild, start = db.execute(_ADMIT_SQL, values).fetchone()
    if known is not None:
        [job] = select_jobs(db, "where id = :id", {"id": known})
        return job
    _refuse_more(limits, in_lane + 1, in_guild + 1)
    if new.of_job is not None and not _holds_files(db, new.of_job):
        raise PictureReleased(f"job {new.of_job} has let go of {new.picture}")
    kind_id, gpu_ms = kind_for(db, new.settings, variants)
    cost_ms = gpu_ms + encoding_ms(new.settings, variants)
    ask = Ask(user_id=new.user_id, guild_id=new.route.guild_id, allowance=new.allowance)
    refuse_over_quota(db, ask, cost_ms, now_ms)
    tag = start + max(1, cost_ms * 100 // new.share)
    tags = {"start": start, "tag": tag, "kind": kind_id, "cost": cost_ms, "now": now_ms}
    [(job_id,)] = db.execute(_INSERT_SQL, who | tags | request_values(new)).fetchall()
    db.execute(_JOIN_LANE_SQL, (new.user_id, tag, job_id))
    keep_source(db, job_id, new.source)
    return _queued_job(job_id, new)


def _holds_files(db: Statements, job_id: int) -> bool:
    """Tell whether a job still keeps its picture and clip: nothing was deleted before this transaction."""
    return bool(db.execute("select 1 from job where id = ? and picture <> ''", (job_id,)).fetchall())


def refuse_when_full(db: Statements, user_id: int, guild_id: int | None, coming: int, limits: Limits) -> None:
    """Raise QueueFull when `coming` more requests of a person would be too many for them, or one for their server."""
    values = {"user": user_id, "guild": guild_id, **_limits(limits)}
    in_lane, in_guild = db.execute(f"select {_COUNTS_SQL}", values).fetchone()
    _refuse_more(limits, in_lane + coming, in_guild + 1)


def _limits(limits: Limits) -> dict[str, int]:
    return {"user_limit": limits.queued_per_user, "guild_limit": limits.queued_per_guild}


def _refuse_more(limits: Limits, in_lane: int, in_guild: int) -> None:
    scopes = (("user", limits.queued_per_user, in_lane), ("guild", limits.queued_per_guild, in_guild))
    for scope, limit, count in scopes:
        if limit and count > limit:
            raise QueueFull(scope, limit)


def _queued_job(job_id: int, new: NewJob) -> Job:
    """Return what reading the new row would give."""
    return Job(
        id=job_id,
        key=new.key,
        user_id=new.user_id,
        route=new.route,
        settings=new.settings,
        picture=new.picture,
        state=JobState.QUEUED,
        attempt=0,
        notes=new.notes,
        card_message_id=new.card_message_id,
        told=new.told,
        of_job=new.of_job,
    )


def withdraw(db: Statements, job_id: int) -> bool:
    """Delete a queued job; return False when it is not queued."""
    found = db.execute("delete from job where id = ? and state = 'queued' returning user_id", (job_id,)).fetchall()
    for (user_id,) in found:
        refresh_lane(db, user_id)
    return bool(found)


def refresh_lane(db: Statements, user_id: int, served: int = 0) -> None:
    """Write one person's running jobs and first queued job into their lane, after a change to their jobs."""
    sql = """
        update lane set
          served = max(served, :served),
          running = (select count(*) from job where user_id = :user and state = 'running'),
          (head_tag, head_id) =
            (select tag, id from job where user_id = :user and state = 'queued' order by tag, id limit 1)
        where user_id = :user
    """
    db.execute(sql, {"user": user_id, "served": served})


def leave_lane(db: Statements, user_id: int, now_ms: int) -> None:
    """Delete the lane of a person of whom no job is kept; what they have used beyond the others is kept unnamed."""
    sql = """
        insert into debt select :who, served, :until from lane
        where user_id = :user and served > (select value from meta where key = 'vtime')
        on conflict do update set served = max(served, excluded.served), until_ms = excluded.until_ms
    """
    db.execute(sql, {"who": unnamed(db, user_id), "user": user_id, "until": now_ms + DEBT_KEPT_MS})
    db.execute("delete from lane where user_id = ?", (user_id,))


def delete_paid_debts(db: Statements, now_ms: int) -> None:
    """Delete the debts with which the queue has caught up, and those that are too old."""
    db.execute(
        "delete from debt where served <= (select value from meta where key = 'vtime') or until_ms < ?", (now_ms,)
    )


def _debt(db: Statements, user_id: int) -> int:
    """Read up to which tag a person was served before they were forgotten; 0 when that is not kept."""
    if not db.execute("select 1 from debt limit 1").fetchall():
        return 0
    rows = db.execute("select served from debt where who = ?", (unnamed(db, user_id),)).fetchall()
    return int(rows[0][0]) if rows else 0


def claim(db: Statements, limits: Limits, now_ms: int, sizes: Sizes = ANY_SIZE) -> Job | None:
    """Start an attempt of the next job of these sizes; return None when no job may run now."""
    values: dict[str, Any] = {"most": limits.running_per_user or NO_LIMIT}
    if sizes == ANY_SIZE:
        found = db.execute(CLAIM_SQL, values).fetchone()
    else:
        only = None if sizes.only is None else json.dumps(sorted(sizes.only))
        values |= {"without": json.dumps(sorted(sizes.without)), "only": only}
        found = db.execute(CLAIM_SIZE_SQL, values).fetchone()
    if found is None:
        return None
    [row] = db.execute(
        f"""
        update job set state = 'running', attempt = attempt + 1, started_ms = :now
        where id = :id and state = 'queued' returning {JOB_COLUMNS}, start_tag, tag
        """,
        {"id": found[0], "now": now_ms},
    ).fetchall()
    start_tag, tag = row[-2:]
    db.execute("update meta set value = ? where key = 'vtime' and value < ?", (start_tag, start_tag))
    refresh_lane(db, found[1], served=tag)
    return job_from(row)


def waiting(db: Statements, limit: int = NO_LIMIT) -> list[Job]:
    """Read the queued jobs in the order of claims."""
    return select_jobs(db, WAITING, {"limit": limit})


def waiting_ids(db: Statements) -> list[int]:
    """Read the ids of the queued jobs in the order of claims, from an index alone."""
    return [job_id for (job_id,) in db.execute(f"select id from job {WAITING}", {"limit": NO_LIMIT}).fetchall()]


def active(db: Statements) -> list[Job]:
    """Read the running jobs, then the queued ones in the order of claims."""
    return [*select_jobs(db, "where state = 'running' order by tag, id"), *waiting(db)]


def position(db: Statements, job_id: int, executors: int, now_ms: int, settled_ms: int = 0) -> QueuePosition | None:
    """Read where a queued job stands; return None when it is not queued.

    `settled_ms` is when a job last left an executor. Where cards differ in speed, each has its part in what was
    learned,
    by how many clips it renders: divided by the number of cards, that is what all of them together need.
    """
    sql = """
        select j.state, j.tag, k.low_ms, k.high_ms,
          (select count(*) from (select 1 from job where state = 'queued' limit :most))
        from job j join kind k on k.id = j.kind_id where j.id = :id
    """
    row = db.execute(sql, {"id": job_id, "most": MOST_COUNTED}).fetchone()
    if row is None or row[0] != JobState.QUEUED:
        return None
    _, tag, low, high, total = row
    ahead, ahead_low, ahead_high = db.execute(AHEAD_SQL, {"tag": tag, "id": job_id}).fetchone()
    running = _remaining(db, executors, now_ms, settled_ms)
    if ahead + len(running) >= executors:
        low += (ahead_low + sum(rest for rest, _ in running)) // executors
        high += (ahead_high + sum(rest for _, rest in running)) // executors
    return QueuePosition(position=ahead + 1, waiting=max(total, ahead + 1), eta_low_ms=low, eta_high_ms=high)


def _remaining(db: Statements, executors: int, now_ms: int, settled_ms: int) -> list[tuple[int, int]]:
    """Return, for each running job, the least and the most milliseconds that it may still need.

    A backend claims one job more than it renders, so the later ones have not begun; and with one executor none began
    before the last one left. The wall clock is good enough for this: when it jumps, only what people see is wrong.
    """
    sql = """
        select j.started_ms, k.low_ms, k.high_ms from job j join kind k on k.id = j.kind_id
        where j.state = 'running' order by j.started_ms, j.id
    """
    ranges = []
    for number, (started, low, high) in enumerate(db.execute(sql).fetchall()):
        began = max(started, settled_ms) if executors == 1 else started
        elapsed = max(0, now_ms - began) if number < executors else 0
        ranges.append((max(0, low - elapsed), max(0, high - elapsed)))
    return ranges
