"""Which files the rows name: all others in the spool are nobody's.

Tested in tests/bot/queue/test_retention.py and tests/bot/doctor/upkeep/test_backup.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bot.queue.database import Statements
from bot.queue.servers.reviews import pictures_held


def named_files(db: Statements) -> set[str]:
    """Read the names of all files that a row names; the database may be of an earlier version, for a backup."""
    names = names_in(db.execute("select 0, picture, clip, master from job where picture <> ''").fetchall())
    has_reviews = db.execute("select 1 from sqlite_schema where name = 'review'").fetchall()
    return names | pictures_held(db) if has_reviews else names


def read_known_files(db: Statements) -> set[str]:
    """Read the names of all files that are somebody's, those of running attempts included."""
    attempts = db.execute("select id, attempt from job where state = 'running'").fetchall()
    return named_files(db) | {f"{job}-{attempt}" for job, attempt in attempts}


def count_jobs(db: Statements) -> int:
    """Count all jobs, whatever their state."""
    [(jobs,)] = db.execute("select count(*) from job").fetchall()
    return int(jobs)


def names_in(rows: Iterable[Any]) -> set[str]:
    """Return the files in rows of a job's id, picture, clip and master."""
    return {name for row in rows for name in row[1:4] if name}
