"""The one safe place around aiosqlite: whole transactions, one writer, one lock on the data folder. Knows no jobs."""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import aiosqlite

from bot.migrations import migrate, scripts, version_of

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_NEEDED = (3, 37, 0)
"""STRICT tables; RETURNING needs 3.35"""

PRAGMAS = (
    "pragma auto_vacuum = incremental",  # counts only before the first table exists
    "pragma journal_mode = wal",
    "pragma synchronous = full",  # an accepted request survives a power cut; NORMAL loses the last ones
    "pragma foreign_keys = on",
    "pragma busy_timeout = 5000",
    "pragma journal_size_limit = 67108864",
    "pragma cache_size = -16384",  # 16 MiB
    "pragma wal_autocheckpoint = 4000",  # 16 MiB: fewer commits that also pay for a checkpoint
)


class StoreError(Exception):
    """The database cannot be used; the text is a sentence for the operator."""


class StoreLocked(StoreError):
    """Another bot uses this data folder."""


class StoreTooNew(StoreError):
    """A newer version of the bot wrote this database."""


class StoreFull(StoreError):
    """The disk takes no more writes; nothing of the transaction was kept."""


class Rows(Protocol):
    """What a statement gives."""

    def fetchall(self) -> list[Any]:
        """Give all rows, which also runs the statement to its end."""
        ...


class Statements(Protocol):
    """The part of a connection that a transaction may use: sqlite3's and apsw's both have it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Run one statement."""
        ...


def fetch(db: Statements, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """Run one statement to its end and give its rows."""
    return db.execute(sql, parameters).fetchall()


def fetch_one(db: Statements, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """Run one statement to its end and give its first row, or None."""
    rows = db.execute(sql, parameters).fetchall()
    return rows[0] if rows else None


def in_transaction(db: Any, function: Callable[[], T], begin: str = "begin immediate") -> T:
    """Run `function` as one transaction: all of it, or nothing.

    SQLite has already rolled back after some errors (a full disk), so the rollback is guarded.
    """
    db.execute(begin)
    try:
        result = function()
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
    return result


class Database:
    """A writing and a reading connection, each in its own thread; a transaction is one function run there.

    Cancelling the task that awaits a transaction neither stops nor halves it.
    """

    def __init__(self, writer: aiosqlite.Connection, reader: aiosqlite.Connection, lock: int) -> None:
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Lock `folder`, open and migrate its database. Raises StoreLocked, StoreTooNew, StoreError."""
        if sqlite3.sqlite_version_info < SQLITE_NEEDED:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed.")
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder)
        path = folder / "vivant.db"
        try:
            uri = path.absolute().as_uri()
            writer = await _connect(uri, partial(_prepare_writer, path))
            try:
                # Read-only connections never checkpoint: that keeps clear of the WAL-reset bug before SQLite 3.51.3.
                reader = await _connect(f"{uri}?mode=ro", _prepare_reader)
            except BaseException:
                await writer.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return cls(writer, reader, lock)

    async def close(self) -> None:
        """Finish the transactions under way, close both connections, free the folder."""
        while self._running:
            await asyncio.wait(self._running)
        await self._reader.close()
        await self._writer.close()
        os.close(self._lock)

    async def write(self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(db, ...)` as one transaction of the writer. Raises StoreFull and whatever it raises."""
        return await asyncio.shield(self.start_write(function, *args, **kwargs))

    def start_write(
        self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Task[T]:
        """Start a transaction that ends whoever awaits it; `close` waits for it."""
        return self._start(self._writer, "begin immediate", function, args, kwargs)

    async def read(self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(db, ...)` on one snapshot of the reader."""
        return await asyncio.shield(self._start(self._reader, "begin", function, args, kwargs))

    async def checkpoint(self) -> None:
        """Bring the write-ahead log into the database and give freed pages back to the disk."""

        def tidy(connection: sqlite3.Connection) -> None:
            connection.execute("pragma incremental_vacuum(200)").fetchall()
            connection.execute("pragma wal_checkpoint(truncate)").fetchall()

        await asyncio.shield(self.track(_in_thread(self._writer, tidy)))

    def track(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` to its end whoever awaits it; `close` waits for it."""
        task = asyncio.create_task(work)
        self._running.add(task)  # the loop itself keeps only weak references
        task.add_done_callback(self._ended)
        return task

    def _start(
        self,
        connection: aiosqlite.Connection,
        begin: str,
        function: Callable[..., T],
        args: Iterable[Any],
        kwargs: Mapping[str, Any],
    ) -> asyncio.Task[T]:
        def transaction(db: sqlite3.Connection) -> T:
            try:
                return in_transaction(db, partial(function, db, *args, **kwargs), begin)
            except sqlite3.OperationalError as error:
                if _disk_refused(error):
                    raise StoreFull("The disk under the data folder takes no more writes. Free some space.") from error
                raise

        return self.track(_in_thread(connection, transaction))

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # marks it as seen when the awaiting task is gone


async def _in_thread(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    # _execute is aiosqlite's only door for a whole function (0.22.1); every public method is one statement, and a
    # task cancelled between two of them leaves a transaction open.
    result: T = await connection._execute(function, connection._conn)  # type: ignore[no-untyped-call]
    return result


async def _connect(path: str, prepare: Callable[[sqlite3.Connection], None]) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, uri=True, isolation_level=None, cached_statements=256)
    connection._thread.daemon = True  # else a start that fails half-way hangs at exit instead of ending
    await connection
    try:
        await _in_thread(connection, prepare)
    except BaseException:
        await connection.close()
        raise
    return connection


def _prepare_writer(path: Path, connection: sqlite3.Connection) -> None:
    steps = scripts()
    found = version_of(connection)
    if found > len(steps):
        raise StoreTooNew(
            f"{path} was written by a newer version (schema {found}; this one knows {len(steps)}). "
            "Install that version again, or move the file away to start anew."
        )
    for pragma in PRAGMAS:
        connection.execute(pragma).fetchall()
    migrate(connection, steps, path)


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("pragma busy_timeout = 5000").fetchall()


def _lock(folder: Path) -> int:
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreLocked(
            f"Another bot is running on {folder}. Stop it first, or give this one its own data_dir."
        ) from error
    return lock


def _disk_refused(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorname == "SQLITE_FULL" or error.sqlite_errorname.startswith("SQLITE_IOERR")
