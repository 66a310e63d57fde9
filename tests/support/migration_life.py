"""A database on its way to later versions: run as a child that is killed at any moment."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

from bot.queue.migrations import migrate, scripts, version_of

NEXT_STEPS = [
    "alter table setting add column twice text;\nupdate setting set twice = value || value;\n",
    "create table copied as select key, twice from setting;\nupdate setting set value = 'three';\n",
]
"""what later versions might do"""


def migrate_carelessly(db: sqlite3.Connection, steps: list[str], path: Path) -> None:
    """The broken variant: each statement commits by itself, the version comes last."""
    for number, step in enumerate(steps[version_of(db) :], start=version_of(db) + 1):
        db.executescript(step)
        db.execute(f"pragma user_version = {number}")


def main(path: Path, how: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("pragma journal_mode = wal")
    print("ready", flush=True)
    (migrate if how == "safe" else migrate_carelessly)(db, [*scripts()[:1], *NEXT_STEPS], path)
    print("done", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
