"""Whether the data folder was restored from a copy since the last start.

A copy repeats the ids that were given after it was made, and asks again for what was answered since. So each start
leaves a new mark: a file, whose name and time of change lie in the database. A copied file has another time of change,
which nobody can set; a database that was copied alone does not know the newest mark.

Tested in tests/bot/queue/opening/test_recheck.py and tests/bot/edge/connection/test_restored.py.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

MARK = "mark"
"""the file's name in the data folder"""
RESTORING = ".restoring"
"""a folder in the data folder, for as long as a backup is put there"""


def was_restored(db: Any, folder: Path) -> bool:
    """Tell whether the folder or its database is another one than at the last start."""
    rows = db.execute("select value from meta where key = 'mark'").fetchall()
    # Neither of them knows a mark before version 2.
    return (rows[0][0] if rows else None) != _read(folder / MARK)


def leave_mark(db: Any, folder: Path) -> None:
    """Leave a new mark. A crash between the file and the row looks like a copy, which costs a few look-ups."""
    part = folder / f".{MARK}.part"
    part.touch(mode=0o600)  # as all files here are: a change of the mode later would look like a copy
    part.write_text(secrets.token_hex(8))
    part.replace(folder / MARK)
    sql = "insert into meta values ('mark', ?) on conflict (key) do update set value = excluded.value"
    db.execute(sql, (_read(folder / MARK),))


def mark_as_restored(folder: Path) -> None:
    """Leave a mark that no database knows, those from before there were marks included."""
    (folder / MARK).write_text("restored")


def is_half_restored(folder: Path) -> bool:
    """Tell whether a restoration began here and did not come to its end: the database is the last that it writes."""
    return (folder / RESTORING).exists() and not (folder / "vivant.db").exists()


def note_restored(db: Any) -> None:
    """Write that all jobs up to the newest one may have been answered after the copy was made."""
    db.execute(
        "insert into meta select 'restored_through', coalesce(max(id), 0) from job where true "
        "on conflict (key) do update set value = excluded.value"
    )
    db.execute("insert into meta values ('recheck', 1) on conflict (key) do nothing")


def forget_restored(db: Any) -> None:
    """Write that those jobs have been looked up."""
    db.execute("delete from meta where key = 'recheck'")


def is_recheck_due(db: Any) -> bool:
    """Tell whether those jobs are still to be looked up."""
    return bool(db.execute("select 1 from meta where key = 'recheck'").fetchall())


def _read(path: Path) -> str | None:
    try:
        return f"{path.read_text()} {path.stat().st_ctime_ns}"
    except OSError:
        return None
