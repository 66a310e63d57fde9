"""Whether a disk carries a database, and whether a database is ours and whole, before anything is written into it.

Tested in tests/bot/queue/test_database.py, tests/bot/queue/test_old_data.py and tests/bot/doctor/test_machine.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import sqlite3
from pathlib import Path
from typing import Any

APPLICATION_ID = 0x56697661
"""written into the file's header from version 2 on; 0 before"""
TABLES = frozenset({"meta", "setting", "kind", "lane", "job", "outbox"})
"""of version 1; every later one has them too"""


def find_foreign(db: Any, path: Path) -> str | None:
    """Say that the file belongs to another program; None when it is ours or empty."""
    [(application,)] = db.execute("pragma application_id").fetchall()
    [(version,)] = db.execute("pragma user_version").fetchall()
    tables = {name for (name,) in db.execute("select name from sqlite_schema where type = 'table'").fetchall()}
    is_empty = not tables and not version
    if application in (0, APPLICATION_ID) and (is_empty or tables >= TABLES):
        return None
    return f"{path} is the database of another program. Set another data_dir, or move that file away."


def find_damage(db: Any, path: Path) -> str | None:
    """Say that the file is damaged; None when SQLite finds every page in order.

    A row that breaks a rule of its table is no damage: `set_aside` deals with it.
    """
    db.execute("pragma ignore_check_constraints = on").fetchall()
    [(found,), *_] = db.execute("pragma quick_check(1)").fetchall()
    db.execute("pragma ignore_check_constraints = off").fetchall()
    return None if found == "ok" else damaged_text(path, str(found))


def damaged_text(path: Path, found: object) -> str:
    """Return what the operator reads about a file that SQLite cannot use, however that was found."""
    detail = " ".join(str(found).split())
    return f"{path} cannot be opened: {detail}. Restore a copy of the data folder, or move the file away."


def mark_as_ours(db: Any) -> None:
    """Write into the file's header whose it is."""
    db.execute(f"pragma application_id = {APPLICATION_ID}").fetchall()


def missing_for_sqlite(folder: Path) -> str:
    """Return what the disk under an empty folder lacks: locks, or the shared memory of SQLite's log; else nothing."""
    with (folder / "lock").open("w") as first, (folder / "lock").open("w") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return "locks"
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return "locks that hold"
        except BlockingIOError:
            pass
    try:
        with contextlib.closing(sqlite3.connect(folder / "trial.db")) as database:
            (mode,) = database.execute("pragma journal_mode = wal").fetchone()
            database.execute("create table trial (number integer)")
    except sqlite3.Error:
        return "shared memory for SQLite"
    return "" if mode == "wal" else "shared memory for SQLite"
