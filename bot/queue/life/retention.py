"""What is deleted: old clips, old rows, one person, one server. What deletes returns the names of the files to delete.

A row lets go of its files before the files are deleted. A crash in between leaves files without a row, which the spool
sweeps. Who is forgotten is forgotten in the copies of earlier versions too, and the write-ahead log is emptied.

Tested in tests/bot/queue/test_retention.py and tests/bot/queue/test_forgetting.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from bot.queue.database import Database, Statements, StoreFull, fetch
from bot.queue.estimates import delete_kind, kinds_of, unneeded_kinds
from bot.queue.fair_queue import delete_paid_debts, leave_lane, refresh_lane
from bot.queue.job import DeadReason, DeliveryState, Forgotten, ForgottenJob, Whose
from bot.queue.life.named_files import names_in, read_known_files
from bot.queue.opening.migrations import delete_old_copies, forget_in_copies
from bot.queue.rows import select_jobs
from bot.queue.servers.choices import delete_old_choices, forget_choices
from bot.queue.servers.quotas import delete_old_spent, keep_spent
from bot.queue.servers.reviews import delete_old_reviews, delete_reviews, is_needed
from bot.queue.servers.settings import delete_old_audit, forget_person_in_audit, forget_server
from bot.queue.servers.trust.trust import delete_old_trust, forget_trust

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
"""bounds how long one transaction of a sweep holds the connection that writes"""
ATTEMPTS_IN_VAIN = 100
"""after so many a delivery that is too old is given up; by one wrong clock alone it may look too old at once"""
COPY_DAYS = 7
"""how long the copy is kept that was made before an update changed the database"""
ROWS_LOOKED_AT = 10_000
"""bounds how long one look of a sweep holds the connection that reads"""
Span = tuple[int, int]
_DELETE_OLD = (delete_paid_debts, delete_old_spent, delete_old_audit, delete_old_trust, delete_old_choices)
"""the first and the last id of the jobs that one look is at; it walks over them, so that no index has to be written"""
ALL: Span = (0, 2**62)
_HOUR_MS = 3_600_000


def holding_files_before(db: Statements, finished_before_ms: int, span: Span = ALL) -> list[int]:
    """Read the answered jobs that still hold files. A dead delivery keeps its clip, if any, for its person."""
    is_waited_for = f"outbox.state <> 'sent' and clip is not null and outbox.error is not '{DeadReason.CLIP_GONE}'"
    sql = f"""
        select id from job join outbox on job_id = id
        where id between ? and ? and finished_ms < ? and picture <> ''
          and outbox.state in ('sent', 'dead') and not ({is_waited_for})
        order by id
    """
    return [row[0] for row in db.execute(sql, (*span, finished_before_ms)).fetchall()]


def release_files(db: Statements, job_ids: Sequence[int]) -> list[str]:
    """Remove picture, clip and master from the rows of settled jobs."""
    rows = _over(db, job_ids)
    for row in rows:
        db.execute("update job set picture = '', clip = null, master = null, told = null where id = ?", (row[0],))
    return _unreferenced(db, rows)


def _answered_before(db: Statements, finished_before_ms: int, span: Span) -> list[int]:
    """Read the jobs whose delivery is sent or dead, or has been tried for all that time."""
    sql = """
        select id from job join outbox on job_id = id
        where id between :first and :last and finished_ms < :before
          and (outbox.state in ('sent', 'dead') or (first_try_ms < :before and outbox.attempts >= :in_vain))
        order by id
    """
    values = {"first": span[0], "last": span[1], "before": finished_before_ms, "in_vain": ATTEMPTS_IN_VAIN}
    return [row[0] for row in db.execute(sql, values).fetchall()]


def _delete_rows(db: Statements, job_ids: Sequence[int]) -> list[str]:
    return _delete(db, _over(db, job_ids))


def _over(db: Statements, job_ids: Sequence[int]) -> list[Any]:
    """Read those of the jobs that are settled and whose delivery has been tried or given up."""
    sql = """
        select id, picture, clip, master from job
        where id = ? and exists (
          select 1 from outbox where job_id = id and (state in ('sent', 'dead') or first_try_ms is not null)
        )
    """
    return [row for job_id in job_ids for row in db.execute(sql, (job_id,)).fetchall()]


def _with_dead_token(db: Statements, now_ms: int, span: Span) -> list[int]:
    """Read jobs whose interaction can no longer be answered and whose row still holds the token for it."""
    sql = """
        select id from job
        where id between ? and ? and json_extract(route, '$.interaction_token') is not null
          and coalesce(json_extract(route, '$.token_expires_ms'), 0) < ?
    """
    return [row[0] for row in db.execute(sql, (*span, now_ms)).fetchall()]


def _delete_tokens(db: Statements, job_ids: Sequence[int]) -> list[str]:
    for job_id in job_ids:
        db.execute("update job set route = json_remove(route, '$.interaction_token') where id = ?", (job_id,))
    return []


def _ahead_of(db: Statements, now_ms: int, span: Span) -> list[int]:
    """Read the jobs that ended, or were first tried to be posted, an hour or more after now."""
    sql = """
        select id from job left join outbox on job_id = id
        where id between :first and :last and (finished_ms > :soon or first_try_ms > :soon)
    """
    values = {"first": span[0], "last": span[1], "soon": now_ms + _HOUR_MS}
    return [row[0] for row in db.execute(sql, values).fetchall()]


def _set_back(now_ms: int, db: Statements, job_ids: Sequence[int]) -> list[str]:
    for job_id in job_ids:
        db.execute("update job set finished_ms = min(finished_ms, ?) where id = ?", (now_ms, job_id))
        db.execute("update outbox set first_try_ms = min(first_try_ms, ?) where job_id = ?", (now_ms, job_id))
    return []


def _first_and_last(db: Statements) -> Span:
    [(first, last)] = db.execute("select (select min(id) from job), (select max(id) from job)").fetchall()
    return first or 1, last or 0


def _drop_files(db: Statements, job_id: int) -> list[str]:
    db.execute("update outbox set state = 'sent' where job_id = ?", (job_id,))
    return release_files(db, [job_id])


def forget(db: Statements, whose: Whose, value: int, now_ms: int) -> Forgotten:
    """Delete every job of a person or a server, also what is queued or runs, and the lanes that are then without one.

    A clip of theirs that is finished later is not settled.
    """
    rows = db.execute(
        f"select id, picture, clip, master, user_id from job where {whose} = ? order by id", (value,)
    ).fetchall()
    jobs = [found for row in rows if (found := _forgotten_job(db, row[0]))]
    keep_spent(db, whose, value, now_ms)
    files = sorted({*delete_reviews(db, f"{whose} = ?", value), *_delete(db, rows)})
    (forget_person_in_audit if whose == "user_id" else forget_server)(db, value)
    forget_trust(db, whose, value)
    if whose == "user_id":
        forget_choices(db, value)
    for user_id in {row[4] for row in rows} | ({value} if whose == "user_id" else set()):
        refresh_lane(db, user_id)
        if not db.execute("select 1 from job where user_id = ? limit 1", (user_id,)).fetchall():
            leave_lane(db, user_id, now_ms)
    return Forgotten(jobs, files)


def _forgotten_job(db: Statements, job_id: int) -> ForgottenJob | None:
    """Read a job with its delivery; None when the row cannot be read, which keeps nobody from being forgotten."""
    jobs = select_jobs(db, "where id = :id", {"id": job_id})
    if not jobs:
        log.warning("job=%d is forgotten unread", job_id)
        return None
    rows = db.execute("select state, message_id from outbox where job_id = ?", (job_id,)).fetchall()
    state, message_id = rows[0] if rows else (None, None)
    return ForgottenJob(jobs[0], message_id, state in (DeliveryState.SENT, DeliveryState.DEAD))


def _delete(db: Statements, rows: Sequence[Any]) -> list[str]:
    for row in rows:
        db.execute("delete from job where id = ?", (row[0],))
    return _unreferenced(db, rows)


def _unreferenced(db: Statements, rows: Iterable[Any]) -> list[str]:
    """Return the files of these rows that no other row needs: variations share their picture."""
    return sorted(name for name in names_in(rows) if not is_needed(db, name))


_Find = Callable[[Statements, int, Span], list[int]]
_Change = Callable[[Statements, Sequence[int]], list[str]]


class Retention:
    """What the bot forgets, and which files and servers it still knows."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms
        self._guilds: dict[int, tuple[int, frozenset[int]]] = {}
        """by application: the last job that `guilds` looked at, and what it found"""

    async def drop_files(self, job_id: int) -> list[str]:
        """Release the files of a job whose post was deleted with its button; return the spool's files to delete.

        The deleted post proves that the delivery arrived, so it is `sent` now.
        """
        return await self._database.write(_drop_files, job_id)

    async def forget_user(self, user_id: int) -> Forgotten:
        """Delete everything about one person, also what is queued or runs, and also from the copies."""
        return await self._forget("user_id", user_id)

    async def forget_guild(self, guild_id: int) -> Forgotten:
        """Delete every job of one server, also what is queued or runs, and also from the copies."""
        self._guilds = {each: (last, known - {guild_id}) for each, (last, known) in self._guilds.items()}
        return await self._forget("guild_id", guild_id)

    async def _forget(self, whose: Whose, value: int) -> Forgotten:
        forgotten = await self._database.write(forget, whose, value, self._now_ms())
        try:
            await self._database.checkpoint()
        except StoreFull as error:
            log.warning("the log is emptied by the next sweep: %s", error)
        for column in (whose, "author_id") if whose == "user_id" else (whose,):
            await asyncio.to_thread(forget_in_copies, self._database.folder, column, value)
        return forgotten

    async def guilds(self, application_id: int) -> set[int]:
        """Read the servers that have a job and had this application as a member.

        Servers where it only answers the people who installed it for themselves are not among them. It looks only at
        jobs that are newer than those of the last call.
        """
        sql = """
            select distinct guild_id from job where id between ? and ? and guild_id is not null
              and guild_id not in (select value from json_each(?))
              and json_extract(route, '$.can_post') and json_extract(route, '$.application_id') = ?
        """
        looked_at, known = self._guilds.get(application_id, (0, frozenset()))
        first, last = await self._database.read(_first_and_last)
        for begin in range(max(first, looked_at + 1), last + 1, ROWS_LOOKED_AT):
            span = (begin, min(begin + ROWS_LOOKED_AT - 1, last))
            values = (*span, json.dumps(sorted(known)), application_id)
            known |= {guild_id for (guild_id,) in await self._database.read(fetch, sql, values)}
            self._guilds[application_id] = (span[1], known)
        return set(known)

    async def known_files(self) -> set[str]:
        """Read every file that a row needs, and every running attempt (<job>-<attempt>): no row names its files yet."""
        return await self._database.read(read_known_files)

    async def sweep(self, now_ms: int | None = None, *, clip_hours: int = 24, row_days: int = 30) -> list[str]:
        """Delete what is older than that, a bounded part at a time; return the spool's files to delete.

        When the full disk refuses, the rest is left for the next sweep. What ended, or was first tried to be posted,
        later than `now_ms` by a clock that was ahead counts as if it were now.
        """
        now = self._now_ms() if now_ms is None else now_ms
        names: set[str] = set()
        passes: tuple[tuple[_Find, _Change, int], ...] = (
            (_ahead_of, partial(_set_back, now), now),
            (holding_files_before, release_files, now - clip_hours * _HOUR_MS),
            (_answered_before, _delete_rows, now - row_days * 24 * _HOUR_MS),
            (_with_dead_token, _delete_tokens, self._now_ms()),
        )
        kinds: set[int] = set()
        try:
            first, last = await self._database.read(_first_and_last)
            for begin in range(first, last + 1, ROWS_LOOKED_AT):
                span = (begin, min(begin + ROWS_LOOKED_AT - 1, last))
                for find, change, value in passes:
                    names.update(await self._change_in(span, find, change, value))
                kinds |= await self._database.read(kinds_of, *span)
            await self._delete_idle_lanes()
            for delete_old in _DELETE_OLD:
                await self._database.write(delete_old, self._now_ms())
            names.update(await self._database.write(delete_old_reviews, self._now_ms()))
            await self._delete_old_kinds(kinds, last)
            await self._database.checkpoint()
        except StoreFull as error:
            log.warning("the sweep waits for free space: %s", error)
        await asyncio.to_thread(delete_old_copies, self._database.folder, min(COPY_DAYS, row_days))
        return sorted(names)

    async def _change_in(self, span: Span, find: _Find, change: _Change, value: int) -> set[str]:
        """Change what one look finds, a bounded part at a time; return the names of files that nothing needs now."""
        found = await self._database.read(find, value, span)
        names: set[str] = set()
        for start in range(0, len(found), ROWS_AT_ONCE):
            names.update(await self._database.write(change, found[start : start + ROWS_AT_ONCE]))
        return names

    async def _delete_idle_lanes(self) -> None:
        """Delete the lanes of people who wait for nothing and either have used no more than others or have no job."""
        sql = """
            delete from lane where head_id is null and running = 0
              and (served <= (select value from meta where key = 'vtime')
                or not exists (select 1 from job where job.user_id = lane.user_id))
        """
        await self._database.write(fetch, sql)

    async def _delete_old_kinds(self, needed: set[int], last: int) -> None:
        """Delete kinds of render that no kept job has: `needed` are those of the jobs up to the id `last`."""
        for kind_id in await self._database.read(unneeded_kinds, needed):
            await self._database.write(delete_kind, kind_id, last)
