"""How the queue stands, for a bot that tells its figures and for whoever looks at its data folder from outside.

A look changes nothing in the folder: no lock is taken, no file is made. Of older versions it reads what they have.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bot.queue.opening.checks import damaged_text, find_foreign
from bot.queue.opening.faults import StoreBusy, StoreDamaged, StoreError, StoreTooNew
from bot.queue.opening.migrations import scripts, version_of

T = TypeVar("T")

BUSY_MS = 2000
"""how long a look waits for a lock that another program holds"""
LOCKS = Path("/proc/locks")

_JOBS = ("queued", "running", "rendered", "failed", "cancelled")
_DELIVERIES = ("pending", "sending", "sent", "dead")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something that went wrong with one job. It names nobody."""

    job: int
    at_ms: int | None
    """when the job ended, in UTC milliseconds; None while it goes on"""
    what: str
    """a render's error, as the generator's error tree names it, or "delivery" """
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How the queue stands at one moment. Ages are in seconds, 0 where there is nothing of the kind."""

    jobs: dict[str, int]
    """how many are in each state"""
    deliveries: dict[str, int]
    oldest_queued: float = 0.0
    """since it was asked for"""
    oldest_running: float = 0.0
    """since this attempt began"""
    oldest_undelivered: float = 0.0
    """since its job ended"""
    set_aside: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    """what the operator switched: variant, paused"""


def figures(db: Any, now_ms: int) -> Figures:
    """Read how the queue stands. It looks at every row of the jobs and the deliveries."""
    jobs, deliveries = (_count(db, table, states) for table, states in (("job", _JOBS), ("outbox", _DELIVERIES)))
    queued, running = (
        _value(db, f"select min({column}) from job where state = '{state}'")
        for column, state in (("created_ms", "queued"), ("started_ms", "running"))
    )
    ended = _value(
        db, "select min(finished_ms) from job join outbox on job_id = id where outbox.state in ('pending', 'sending')"
    )
    return Figures(
        jobs=jobs,
        deliveries=deliveries,
        oldest_queued=_age(queued, now_ms),
        oldest_running=_age(running, now_ms),
        oldest_undelivered=_age(ended, now_ms),
        set_aside=_value(db, "select count(*) from set_aside") if _has(db, "set_aside") else 0,
        settings=dict(db.execute("select key, value from setting where key in ('variant', 'paused')").fetchall()),
    )


def troubles(db: Any, limit: int = 5) -> list[Trouble]:
    """Read what went wrong last: renders that failed, and deliveries that wait after a failed attempt or are dead."""
    failed = "select id, finished_ms, failure from job where state = 'failed' order by finished_ms desc limit ?"
    undelivered = """
        select id, finished_ms, error from job join outbox on job_id = id
        where outbox.state <> 'sent' and error is not null order by finished_ms desc limit ?
    """
    found = [
        Trouble(job=job, at_ms=at, what=what, why=why)
        for job, at, text in db.execute(failed, (limit,)).fetchall()
        for what, why in [_failure(text)]
    ]
    found += [
        Trouble(job=job, at_ms=at, what="delivery", why=str(why))
        for job, at, why in db.execute(undelivered, (limit,)).fetchall()
    ]
    return sorted(found, key=lambda each: each.at_ms or 0, reverse=True)[:limit]


def _failure(text: str | None) -> tuple[str, str]:
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        wire = json.loads(text or "")
        return str(wire.get("code", "failed")), str(wire.get("text", ""))
    return "failed", "its row does not say why"


def _count(db: Any, table: str, states: tuple[str, ...]) -> dict[str, int]:
    sql = f"select {', '.join(f'count(*) filter (where state = {state!r})' for state in states)} from {table}"
    [found] = db.execute(sql).fetchall()
    return dict(zip(states, found, strict=True))


def _value(db: Any, sql: str) -> Any:
    [(value,)] = db.execute(sql).fetchall()
    return value


def _has(db: Any, table: str) -> bool:
    return bool(db.execute("select 1 from sqlite_schema where name = ?", (table,)).fetchall())


def _age(since_ms: int | None, now_ms: int) -> float:
    """Return the seconds since then; a clock that was set back makes none of them negative."""
    return 0.0 if since_ms is None else max(0, now_ms - since_ms) / 1000


# -- from outside --------------------------------------------------------------------------------------------------


def look_into(folder: Path, read: Callable[[sqlite3.Connection], T]) -> T:
    """Run `read` on one snapshot of a data folder's database, whether or not a bot runs on it. Raises StoreError."""
    path = folder / "vivant.db"
    try:
        if not path.exists():
            raise StoreError(_why_absent(folder))
        with contextlib.closing(sqlite3.connect(_uri(path), uri=True, isolation_level=None)) as db:
            db.execute(f"pragma busy_timeout = {BUSY_MS}").fetchall()
            db.execute("begin")
            _require_ours(db, path)
            return read(db)
    except PermissionError as error:
        raise StoreError(f"{path} may not be read by this user. Ask as the user that runs the bot.") from error
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}).") from error
    except sqlite3.Error as error:
        raise _translated(path, error) from error


def _uri(path: Path) -> str:
    """Return how to open the database without making a file.

    While it has no log, no bot has it open, and opening it plainly would make one: one that belongs to whoever looks,
    and keeps the bot's own user out.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    return f"{path.absolute().as_uri()}?mode=ro" + ("" if has_log else "&immutable=1")


def _require_ours(db: sqlite3.Connection, path: Path) -> None:
    if foreign := find_foreign(db, path):
        raise StoreDamaged(foreign)
    found, known = version_of(db), len(scripts())
    if found > known:
        raise StoreTooNew(f"{path} was written by a newer version (schema {found}; this one knows {known}).")
    if found == 0:
        raise StoreError(f"{path} is empty: no bot has finished a start on it yet.")


def _why_absent(folder: Path) -> str:
    if not folder.exists():
        return f"There is no folder {folder}. Say with --config which settings the bot has, or start it first."
    if not folder.is_dir():
        return f"{folder} is no folder. Set data_dir to the bot's data folder."
    os.listdir(folder)  # noqa: PTH208 - raises where it may not be read
    return f"No bot has run on {folder} yet: there is no vivant.db in it."


def _translated(path: Path, error: sqlite3.Error) -> StoreError:
    name = getattr(error, "sqlite_errorname", None) or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")):
        return StoreBusy(f"Another program holds {path} locked. Try again when it is done.")
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return StoreError(f"{path} may not be read by this user. Ask as the user that runs the bot.")
    return StoreDamaged(damaged_text(path, error))


def is_in_use(folder: Path) -> bool | None:
    """Tell whether a bot holds the folder's lock, without touching the lock; None where this system does not say.

    Trying to lock it would make a bot that starts at that moment believe that another one runs.
    """
    try:
        inode, lines = (folder / "lock").stat().st_ino, LOCKS.read_text().splitlines()
    except FileNotFoundError:
        return False if LOCKS.exists() else None
    except OSError:
        return None
    # A line ends in "device:inode first last". On Btrfs and overlays the device is another one than stat says.
    return any(re.search(rf"\bFLOCK\b.*:{inode} ", line) for line in lines)
