"""The database's versions: numbered steps, each one transaction, with a copy of the file before. Knows no jobs.

A copy holds people like the database itself: who is forgotten there is forgotten in the copies, and none is kept long.

Tested in tests/bot/queue/opening/test_migrations.py, tests/faults/test_store_kill.py, tests/bot/queue/test_old_data.py
and tests/bot/queue/test_forgetting.py.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

STEPS = ("schema.sql", *(f"version_{number}.sql" for number in range(2, 10)))
"""step n brings user_version from n-1 to n; a released step is never changed again"""


def scripts() -> list[str]:
    """Read every step's SQL."""
    return [files("bot.queue.opening").joinpath("versions", name).read_text(encoding="utf-8") for name in STEPS]


def version_of(db: Any) -> int:
    """Return the schema version of an open database; 0 is an empty one."""
    [(version,)] = db.execute("pragma user_version").fetchall()
    return int(version)


def migrate(db: Any, steps: Sequence[str], path: Path | None) -> None:
    """Bring the database to `len(steps)`; a kill at any moment leaves the old or a newer whole version."""
    found = version_of(db)
    if path is not None:
        for part in path.parent.glob(f"{path.stem}-before-version-*.part*"):  # of a run that was killed
            part.unlink()
        if 0 < found < len(steps):
            _copy(db, path.with_name(f"{path.stem}-before-version-{found + 1}.db"))
    for version, script in enumerate(steps[found:], start=found + 1):
        _step(db, version, script)


def _step(db: Any, version: int, script: str) -> None:
    db.execute("begin immediate")
    try:
        # Not executescript, which commits first. Statements end with ";" at a line's end.
        for statement in script.split(";\n"):
            if statement.strip():
                db.execute(statement).fetchall()
        db.execute(f"pragma user_version = {version}").fetchall()
        db.execute("commit").fetchall()
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise


def _copy(db: Any, target: Path) -> None:
    part = target.with_suffix(".part")
    db.execute("vacuum into ?", (str(part),)).fetchall()
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def delete_old_copies(folder: Path, days: int) -> None:
    """Delete the copies in the data folder that are older than that."""
    before = time.time() - days * 24 * 3600
    for copy in _copies(folder):
        if copy.stat().st_mtime < before:
            copy.unlink()
            log.info("deleted %s: %d days old", copy.name, days)


def forget_in_copies(folder: Path, column: str, value: int) -> None:
    """Delete the rows with this value from every table that has the column. A copy that cannot be read is deleted."""
    for copy in _copies(folder):
        made = copy.stat()
        try:
            with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as db:
                _forget_in(db, column, value)
            os.utime(copy, ns=(made.st_atime_ns, made.st_mtime_ns))  # it is as old as before
        except sqlite3.Error as error:
            log.warning("deleted %s: nobody could be forgotten in it (%s)", copy.name, error)
            copy.unlink()


def _forget_in(db: sqlite3.Connection, column: str, value: int) -> None:
    for pragma in ("foreign_keys = on", "secure_delete = on", "journal_mode = delete"):
        db.execute(f"pragma {pragma}").fetchall()
    tables = "select t.name from sqlite_master t join pragma_table_info(t.name) c where t.type = 'table' and c.name = ?"
    deleted = [
        db.execute(f"delete from {table} where {column} = ?", (value,)).rowcount
        for (table,) in db.execute(tables, (column,)).fetchall()
    ]
    if any(deleted):
        db.execute("vacuum")


def _copies(folder: Path) -> list[Path]:
    return sorted(folder.glob("*-before-version-*.db"))
