"""What can go wrong with the database as a whole, and what a transaction does about it. Knows no jobs.

Tested in tests/bot/queue/test_database.py and tests/faults/test_store_full.py.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bot.queue.opening.checks import damaged_text

T = TypeVar("T")

TELL_SECONDS = 60.0
"""between two lines in the log about such a lock"""
_DAMAGED = frozenset(
    {"SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_CORRUPT_SEQUENCE", "SQLITE_CORRUPT_VTAB", "SQLITE_NOTADB"}
    | {"SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_READ", "SQLITE_IOERR_CORRUPTFS"}
)

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The database cannot be used; the text is a sentence for the operator."""


class StoreLocked(StoreError):
    """Another bot uses this data folder."""


class StoreTooNew(StoreError):
    """A newer version of the bot wrote this database."""


class StoreDamaged(StoreError):
    """The database is not ours, or damaged; no later attempt helps."""


class StoreBusy(StoreError):
    """Another program has held the database locked for long; nothing of the transaction was kept."""


class StoreFull(StoreError):
    """The disk is full, or failed at a write; nothing of the transaction was kept."""


class Patience:
    """How transactions meet a lock that another program holds, and errors that mean more than their statement.

    SQLite itself waits as long as the pragma says. Then the whole transaction is run again, for as long as the bot
    runs: a backup or a person at the sqlite3 shell must not cost a job.
    """

    def __init__(self, path: Path, most_seconds: float | None = None) -> None:
        self._path = path
        self._most_seconds = most_seconds
        self._ended = threading.Event()

    def end(self) -> None:
        """Wait for no lock any more: the bot stops."""
        self._ended.set()

    def run(self, function: Callable[[sqlite3.Connection], T], connection: sqlite3.Connection) -> T:
        """Run a transaction. Raises StoreBusy, StoreFull, StoreDamaged, and what `function` raises."""
        began = time.monotonic()
        told = began - TELL_SECONDS
        while True:
            try:
                return function(connection)
            except sqlite3.DatabaseError as error:
                name = getattr(error, "sqlite_errorname", None) or ""
                if not name.startswith("SQLITE_BUSY"):
                    raise self._translated(error, name) from error
                now = time.monotonic()
                if self._ended.is_set() or (self._most_seconds is not None and now - began >= self._most_seconds):
                    raise StoreBusy(f"Another program holds {self._path} locked. End it first.") from error
                if now - told >= TELL_SECONDS:
                    log.warning("another program holds %s locked; waiting", self._path)
                    told = now

    def _translated(self, error: sqlite3.DatabaseError, name: str) -> Exception:
        if name in _DAMAGED:
            return StoreDamaged(damaged_text(self._path, error))
        if name == "SQLITE_FULL" or name.startswith("SQLITE_IOERR"):
            return StoreFull("The disk under the data folder takes no more writes. Free some space.")
        return error
