"""What is deleted: old clips, old rows, one person, one server. What deletes returns the names of the files to delete.

A row lets go of its files before the files are deleted. A crash in between leaves files without a row, which the spool
sweeps.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from bot.queue.database import Database, Statements, StoreFull, fetch
from bot.queue.fair_queue import refresh_lane

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 500
"""bounds how long one sweep holds the connection that writes"""
KINDS_KEPT = 500
"""measured kinds of render that no kept job has: the newest of them"""
KINDS_AT_ONCE = 100
"""each deletion looks through all jobs for one of its kind"""
_HOUR_MS = 3_600_000


def holding_files_before(db: Statements, finished_before_ms: int) -> list[int]:
    """Read the oldest delivered jobs that still hold files. A dead delivery keeps its clip for its person."""
    sql = """
        select id from job join outbox on job_id = id
        where finished_ms < :before and picture <> '' and outbox.state = 'sent' order by id limit :most
    """
    return [row[0] for row in db.execute(sql, {"before": finished_before_ms, "most": ROWS_AT_ONCE}).fetchall()]


def release_files(db: Statements, job_ids: Sequence[int]) -> list[str]:
    """Remove picture, clip and master from the rows of settled jobs."""
    rows = _over(db, job_ids)
    for row in rows:
        db.execute("update job set picture = '', clip = null, master = null where id = ?", (row[0],))
    return _unreferenced(db, rows)


def _answered_before(db: Statements, finished_before_ms: int) -> list[int]:
    """Read the oldest jobs whose delivery is sent or dead, or has been tried for all that time.

    It walks over all rows, so that no index has to be written for it; run it on the reader.
    """
    sql = """
        select id from job join outbox on job_id = id
        where finished_ms < :before and (outbox.state in ('sent', 'dead') or first_try_ms < :before)
        order by id limit :most
    """
    return [row[0] for row in db.execute(sql, {"before": finished_before_ms, "most": ROWS_AT_ONCE}).fetchall()]


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


def _drop_files(db: Statements, job_id: int) -> list[str]:
    db.execute("update outbox set state = 'sent' where job_id = ? and state <> 'sent'", (job_id,))
    return release_files(db, [job_id])


def _forget_user(db: Statements, user_id: int) -> list[str]:
    names = _delete(
        db, db.execute("select id, picture, clip, master from job where user_id = ?", (user_id,)).fetchall()
    )
    db.execute("delete from lane where user_id = ?", (user_id,))
    return names


def _forget_guild(db: Statements, guild_id: int) -> list[str]:
    rows = db.execute("select id, picture, clip, master, user_id from job where guild_id = ?", (guild_id,)).fetchall()
    names = _delete(db, rows)
    for user_id in {row[4] for row in rows}:
        refresh_lane(db, user_id)
    return names


def _known_files(db: Statements) -> set[str]:
    rows = db.execute("select 0, picture, clip, master from job where picture <> ''").fetchall()
    attempts = db.execute("select id, attempt from job where state = 'running'").fetchall()
    return _names(rows) | {f"{job}-{attempt}" for job, attempt in attempts}


def _delete(db: Statements, rows: Sequence[Any]) -> list[str]:
    for row in rows:
        db.execute("delete from job where id = ?", (row[0],))
    return _unreferenced(db, rows)


def _unreferenced(db: Statements, rows: Iterable[Any]) -> list[str]:
    """Return the files of these rows that no other row needs: variations share their picture."""
    used = "select 1 from job where picture = ? limit 1"
    return sorted(name for name in _names(rows) if not db.execute(used, (name,)).fetchall())


def _names(rows: Iterable[Any]) -> set[str]:
    return {name for row in rows for name in row[1:4] if name}


class Retention:
    """What the bot forgets, and which files and servers it still knows."""

    def __init__(self, database: Database, now_ms: Callable[[], int]) -> None:
        self._database = database
        self._now_ms = now_ms

    async def drop_files(self, job_id: int) -> list[str]:
        """Release the files of a job whose post was deleted with its button; return the spool's files to delete.

        The deleted post proves that the delivery arrived, so it is `sent` now.
        """
        return await self._database.write(_drop_files, job_id)

    async def forget_user(self, user_id: int) -> list[str]:
        """Delete everything about one person, also what is queued or runs; return the spool's files to delete.

        A clip of theirs that is finished later is not settled.
        """
        return await self._database.write(_forget_user, user_id)

    async def forget_guild(self, guild_id: int) -> list[str]:
        """Delete every job of one server, also what is queued or runs; return the spool's files to delete."""
        return await self._database.write(_forget_guild, guild_id)

    async def guilds(self, application_id: int) -> set[int]:
        """Read the servers that have a job and had this application as a member.

        Servers where it only answers the people who installed it for themselves are not among them.
        """
        sql = """
            select distinct guild_id from job where guild_id is not null and json_extract(route, '$.can_post')
              and json_extract(route, '$.application_id') = ?
        """
        return {row[0] for row in await self._database.read(fetch, sql, (application_id,))}

    async def known_files(self) -> set[str]:
        """Read every file that a row needs, and every running attempt (<job>-<attempt>): no row names its files yet."""
        return await self._database.read(_known_files)

    async def sweep(self, now_ms: int | None = None, *, clip_hours: int = 24, row_days: int = 30) -> list[str]:
        """Delete what is older than that, a bounded part at a time; return the spool's files to delete.

        When the full disk refuses, the rest is left for the next sweep. What ended later than `now_ms` by a clock that
        was ahead counts as ended now.
        """
        now = self._now_ms() if now_ms is None else now_ms
        holding = await self._database.read(holding_files_before, now - clip_hours * _HOUR_MS)
        answered = await self._database.read(_answered_before, now - row_days * 24 * _HOUR_MS)
        names: set[str] = set()
        try:
            sql = "update job set finished_ms = :now where finished_ms > :now + :hour"
            await self._database.write(fetch, sql, {"now": now, "hour": _HOUR_MS})
            names.update(await self._database.write(release_files, holding))
            names.update(await self._database.write(_delete_rows, answered))
            await self._delete_idle_lanes()
            await self._delete_old_kinds()
            await self._database.checkpoint()
        except StoreFull as error:
            log.warning("the sweep waits for free space: %s", error)
        return sorted(names)

    async def _delete_idle_lanes(self) -> None:
        """Delete the lanes of people who wait for nothing and either have used no more than others or have no job."""
        sql = """
            delete from lane where head_id is null and running = 0
              and (served <= (select value from meta where key = 'vtime')
                or not exists (select 1 from job where job.user_id = lane.user_id))
        """
        await self._database.write(fetch, sql)

    async def _delete_old_kinds(self) -> None:
        """Delete the kinds of render that no kept job has and that taught nothing, and of the others the oldest."""
        unused = "select id from kind where id not in (select kind_id from job)"
        sql = f"""
            delete from kind where id in (
              select id from kind where id in ({unused}) and (recent = '[]' or id not in (
                select id from kind where id in ({unused}) and recent <> '[]' order by id desc limit :kept))
              order by id limit :most)
        """
        await self._database.write(fetch, sql, {"kept": KINDS_KEPT, "most": KINDS_AT_ONCE})
