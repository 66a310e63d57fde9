"""The database's versions: numbered steps, each one transaction, with a copy of the file before. Knows no jobs.

Tested in tests/faults/test_store_kill.py.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

STEPS = ("schema.sql", "version_2.sql")
"""step n brings user_version from n-1 to n; a released step is never changed again"""


def scripts() -> list[str]:
    """Read every step's SQL."""
    return [files("bot.queue.opening").joinpath(name).read_text(encoding="utf-8") for name in STEPS]


def version_of(db: Any) -> int:
    """Return the schema version of an open database; 0 is an empty one."""
    [(version,)] = db.execute("pragma user_version").fetchall()
    return int(version)


def migrate(db: Any, steps: Sequence[str], path: Path | None) -> None:
    """Bring the database to `len(steps)`; a kill at any moment leaves the old or a newer whole version."""
    found = version_of(db)
    if 0 < found < len(steps) and path is not None:
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
    part.unlink(missing_ok=True)  # of a run that was killed here
    db.execute("vacuum into ?", (str(part),)).fetchall()
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
