"""The transactions that forget: old clips, old rows, one person, one server. Each gives the file names to delete.

A row lets go of its files before the files go, so a crash between leaves files without a row, which the spool sweeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bot.queue.database import Statements, fetch
from bot.queue.jobs import refresh_lane

ROWS_AT_ONCE = 500
"""bounds how long one sweep keeps the writer"""


def answered_before(db: Statements, finished_before_ms: int) -> list[int]:
    """Name the oldest jobs that were answered, or never can be, and whose time has come.

    It walks over all rows, so that no index has to be written for it; run it on the reader.
    """
    sql = """
        select id from job join outbox on job_id = id
        where finished_ms < :before and outbox.state in ('sent', 'dead') order by id limit :most
    """
    return [row[0] for row in fetch(db, sql, {"before": finished_before_ms, "most": ROWS_AT_ONCE})]


def holding_files_before(db: Statements, finished_before_ms: int) -> list[int]:
    """Name the oldest answered jobs that still hold files. A dead delivery keeps its clip for its person."""
    sql = """
        select id from job join outbox on job_id = id
        where finished_ms < :before and picture <> '' and outbox.state = 'sent' order by id limit :most
    """
    return [row[0] for row in fetch(db, sql, {"before": finished_before_ms, "most": ROWS_AT_ONCE})]


def release_files(db: Statements, job_ids: Sequence[int]) -> list[str]:
    """Let settled jobs go of their picture, clip and master."""
    rows = _by_ids(db, job_ids)
    for row in rows:
        fetch(db, "update job set picture = '', clip = null, master = null where id = ?", (row[0],))
    return _unreferenced(db, rows)


def drop_files(db: Statements, job_id: int) -> list[str]:
    """Let a job whose post a person has deleted go of its files; that post is proof that its delivery arrived."""
    fetch(db, "update outbox set state = 'sent' where job_id = ? and state <> 'sent'", (job_id,))
    return release_files(db, [job_id])


def delete_rows(db: Statements, job_ids: Sequence[int]) -> list[str]:
    """Delete settled jobs and their deliveries."""
    return _delete(db, _by_ids(db, job_ids))


def _by_ids(db: Statements, job_ids: Sequence[int]) -> list[Any]:
    sql = """
        select id, picture, clip, master from job
        where id = ? and exists (select 1 from outbox where job_id = id and state in ('sent', 'dead'))
    """
    return [row for job_id in job_ids for row in fetch(db, sql, (job_id,))]


def delete_idle_lanes(db: Statements) -> None:
    """Delete the lanes of people who neither wait nor have an advantage to pay back, or of whom no job is kept."""
    sql = """
        delete from lane where head_id is null and running = 0
          and (served <= (select value from meta where key = 'vtime')
            or not exists (select 1 from job where job.user_id = lane.user_id))
    """
    fetch(db, sql)


def forget_user(db: Statements, user_id: int) -> list[str]:
    """Delete everything about one person, also what waits or runs; a late clip of it is thrown away."""
    names = _delete(db, _matching(db, "user_id = :who", {"who": user_id}))
    fetch(db, "delete from lane where user_id = ?", (user_id,))
    return names


def forget_guild(db: Statements, guild_id: int) -> list[str]:
    """Delete every job of one server, also what waits or runs."""
    rows = _matching(db, "guild_id = :who", {"who": guild_id})
    names = _delete(db, rows)
    for user_id in {row[4] for row in rows}:
        refresh_lane(db, user_id)
    return names


def guilds(db: Statements, application_id: int) -> set[int]:
    """Name the servers where this application was a member: not those where it only answers who installed it."""
    sql = """
        select distinct guild_id from job where guild_id is not null and json_extract(route, '$.can_post')
          and json_extract(route, '$.application_id') = ?
    """
    return {row[0] for row in fetch(db, sql, (application_id,))}


def known_files(db: Statements) -> set[str]:
    """Name every file that a row still needs, and every running try, whose files no row names yet."""
    rows = fetch(db, "select 0, picture, clip, master from job where picture <> ''")
    tries = fetch(db, "select id, attempt from job where state = 'running'")
    return _names(rows) | {f"{job}-{attempt}" for job, attempt in tries}


def _matching(db: Statements, condition: str, parameters: Mapping[str, Any]) -> list[Any]:
    return fetch(db, f"select id, picture, clip, master, user_id from job where {condition}", parameters)


def _delete(db: Statements, rows: Sequence[Any]) -> list[str]:
    for row in rows:
        fetch(db, "delete from job where id = ?", (row[0],))
    return _unreferenced(db, rows)


def _unreferenced(db: Statements, rows: Iterable[Any]) -> list[str]:
    """Keep the names that no other row needs: variations share their picture."""
    used = "select 1 from job where picture = ? limit 1"
    return sorted(name for name in _names(rows) if not fetch(db, used, (name,)))


def _names(rows: Iterable[Any]) -> set[str]:
    return {name for row in rows for name in row[1:4] if name}
