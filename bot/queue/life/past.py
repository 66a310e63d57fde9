"""What a person asked for before: reading it page by page, and putting back what they cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bot.queue.database import Database, Statements
from bot.queue.fair_queue import refresh_lane, refuse_when_full
from bot.queue.job import DeliveryState, Job, Limits
from bot.queue.rows import select_jobs
from bot.queue.servers.quotas import Ask, refuse_over_quota

PUT_BACK_MS = 10 * 60_000
"""how long after a cancel a request can be put back; the framed picture is kept longer"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastJob:
    """A settled job, with what became of its result."""

    job: Job
    finished_ms: int
    delivery: DeliveryState
    message_id: int | None
    """the post, or the card where that became the answer"""


def post_url(job: Job, message_id: int) -> str:
    """Return the address of a job's post."""
    return f"https://discord.com/channels/{job.route.guild_id or '@me'}/{job.route.channel_id}/{message_id}"


class PutBack(StrEnum):
    """What an attempt to put a cancelled job back did."""

    QUEUED = "queued"
    NOT_YET = "not-yet"
    """its card is still being closed"""
    TOO_LATE = "too-late"
    """or it is not this person's, or was not cancelled by them"""


def read_page(db: Statements, user_id: int, before: int, limit: int) -> list[PastJob]:
    """Read a person's settled jobs with an id below `before`, the newest first."""
    jobs = select_jobs(
        db,
        "where user_id = :user and id < :before and finished_ms is not null order by id desc limit :limit",
        {"user": user_id, "before": before, "limit": limit},
    )
    return [found for job in jobs if (found := _past(db, job))]


def _past(db: Statements, job: Job) -> PastJob | None:
    sql = """
        select finished_ms, outbox.state, outbox.message_id from job join outbox on job_id = id
        where id = ? and finished_ms is not null
    """
    for finished_ms, state, message_id in db.execute(sql, (job.id,)).fetchall():
        return PastJob(job=job, finished_ms=finished_ms, delivery=DeliveryState(state), message_id=message_id)
    return None


def count(db: Statements, user_id: int, before: int) -> int:
    """Count a person's settled jobs with an id below `before`."""
    sql = "select count(*) from job where user_id = ? and id < ? and finished_ms is not null"
    [(found,)] = db.execute(sql, (user_id, before)).fetchall()
    return int(found)


def put_back(db: Statements, job_id: int, ask: Ask, limits: Limits, now_ms: int) -> PutBack:
    """Queue a job again that its person has cancelled while it waited. Raises QueueFull, QuotaReached.

    It waits where it was. If something else of its person got its part of the queue since, it comes after all of
    theirs: else whoever cancels, asks again and puts back would come twice as often.
    """
    sql = """
        select outbox.state, start_tag, tag, cost_ms from job join outbox on job_id = id
        where id = ? and user_id = ? and job.state = 'cancelled' and cancel_requested = 1
          and attempt = 0 and picture <> '' and finished_ms > ?
    """
    rows = db.execute(sql, (job_id, ask.user_id, now_ms - PUT_BACK_MS)).fetchall()
    if not rows:
        return PutBack.TOO_LATE
    [(delivery, start, tag, cost_ms)] = rows
    if delivery not in (DeliveryState.SENT, DeliveryState.DEAD):
        return PutBack.NOT_YET
    refuse_when_full(db, ask.user_id, ask.guild_id, 1, limits)
    refuse_over_quota(db, ask, cost_ms, now_ms)
    moved = max(0, _free_from(db, ask.user_id, start, tag) - start)
    db.execute(
        """
        update job set state = 'queued', cancel_requested = 0, finished_ms = null,
          start_tag = start_tag + :moved, tag = tag + :moved where id = :id
        """,
        {"moved": moved, "id": job_id},
    )
    db.execute("delete from outbox where job_id = ?", (job_id,))
    db.execute("insert into lane (user_id) values (?) on conflict do nothing", (ask.user_id,))
    refresh_lane(db, ask.user_id)
    return PutBack.QUEUED


def _free_from(db: Statements, user_id: int, start: int, tag: int) -> int:
    """Read where a person's part of the queue ends, if something has taken the part from `start` to `tag`; else 0."""
    sql = """
        select
          exists (
            select 1 from job where user_id = :user and state <> 'cancelled' and start_tag < :tag and tag > :start
          ),
          max(
            (select value from meta where key = 'vtime'),
            coalesce((select served from lane where user_id = :user), 0),
            coalesce((select max(tag) from job where user_id = :user and state in ('queued', 'running')), 0)),
          coalesce((select served from lane where user_id = :user), 0)
    """
    values = {"user": user_id, "start": start, "tag": tag}
    [(is_taken, end, served)] = db.execute(sql, values).fetchall()
    return int(end) if is_taken or served > start else 0


class Past:
    """A person's settled jobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, user_id: int, *, before: int, limit: int) -> tuple[list[PastJob], int]:
        """Read some settled jobs of a person, the newest first, with an id below `before`; and how many there are."""
        found = await self._database.read(read_page, user_id, before, limit)
        return found, await self._database.read(count, user_id, before)

    async def of_job(self, job: Job) -> PastJob | None:
        """Read what became of a job; None when it is not settled."""
        return await self._database.read(_past, job)
