"""Whole transactions on aiosqlite, one writer, one lock on the data folder. Knows no jobs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar

import aiosqlite

from bot.queue.opening.checks import find_damage, find_foreign, mark_as_ours
from bot.queue.opening.copies import is_half_restored, leave_mark, note_restored, was_restored
from bot.queue.opening.faults import Patience
from bot.queue.opening.faults import StoreBusy as StoreBusy
from bot.queue.opening.faults import StoreDamaged as StoreDamaged
from bot.queue.opening.faults import StoreError as StoreError
from bot.queue.opening.faults import StoreFull as StoreFull
from bot.queue.opening.faults import StoreLocked as StoreLocked
from bot.queue.opening.faults import StoreTooNew as StoreTooNew
from bot.queue.opening.folder import chown_advice, lock_folder, unusable_files
from bot.queue.opening.migrations import migrate, scripts, version_of

P = ParamSpec("P")
T = TypeVar("T")

SQLITE_NEEDED = (3, 37, 0)
"""for STRICT tables; RETURNING needs 3.35"""

PRAGMAS = (
    "pragma auto_vacuum = incremental",  # counts only before the first table exists
    "pragma journal_mode = wal",
    "pragma secure_delete = on",  # what was deleted is overwritten, on free pages too
    "pragma synchronous = full",  # an accepted request survives a power cut; NORMAL loses the last ones
    "pragma foreign_keys = on",
    "pragma busy_timeout = 5000",
    "pragma journal_size_limit = 67108864",
    "pragma cache_size = -16384",  # 16 MiB
    "pragma wal_autocheckpoint = 4000",  # 16 MiB: fewer commits that also pay for a checkpoint
)

EMPTY_LOG = "pragma wal_checkpoint(truncate)"

OPENING_SECONDS = 60.0
"""how long a start waits for a lock that another program holds"""


class Rows(Protocol):
    """The result of a statement."""

    def fetchone(self) -> Any:
        """Return the first row, or None. Only for a select: it may leave the statement unfinished."""
        ...

    def fetchall(self) -> list[Any]:
        """Return all rows, which also runs the statement to its end."""
        ...


class Statements(Protocol):
    """The part of a connection that a transaction may use: sqlite3's and apsw's both have it."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Rows:
        """Run one statement."""
        ...


def fetch(db: Statements, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[Any]:
    """Run one statement to its end and return its rows."""
    return db.execute(sql, parameters).fetchall()


def fetch_one(db: Statements, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Any:
    """Run one statement to its end and return its first row, or None."""
    rows = db.execute(sql, parameters).fetchall()
    return rows[0] if rows else None


@contextlib.contextmanager
def transaction(db: Any, begin: str = "begin immediate") -> Iterator[None]:
    """Run a block as one transaction: all of it, or nothing.

    SQLite has already rolled back after some errors (a full disk), so the rollback is guarded.
    """
    db.execute(begin)
    try:
        yield
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise


class Database:
    """A writing and a reading connection, each in its own thread; a transaction is one function that runs there.

    When the task that awaits a transaction is cancelled, the transaction still runs to its end.
    """

    def __init__(
        self,
        folder: Path,
        connections: tuple[aiosqlite.Connection, aiosqlite.Connection],
        lock: int,
        patience: Patience,
    ) -> None:
        self.folder = folder
        writer, reader = connections
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._patience = patience
        self._running: set[asyncio.Future[Any]] = set()
        self._closed = False

    @classmethod
    async def open(cls, folder: Path) -> Self:
        """Lock `folder`, open and migrate its database. Raises StoreLocked, StoreTooNew, StoreError."""
        if sqlite3.sqlite_version_info < SQLITE_NEEDED:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old; 3.37 or newer is needed.")
        path = folder / "vivant.db"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if foreign := unusable_files(folder):
                raise StoreError(f"{foreign[0]} may not be read and written by this user. {chown_advice(folder)}")
            if is_half_restored(folder):
                raise StoreError(
                    f"A backup was not restored into {folder} to its end: run `vivant restore` again. "
                    f"To start with nothing instead, move {folder} away."
                )
            return await cls._open_locked(path, lock_folder(folder))
        except OSError as error:
            raise StoreError(
                f"{folder} cannot be used as the data folder ({error.strerror}): set another data_dir."
            ) from error
        except sqlite3.Error as error:
            raise StoreError(f"{path} cannot be opened: {error}.") from error

    @classmethod
    async def _open_locked(cls, path: Path, lock: int) -> Self:
        try:
            uri = path.absolute().as_uri()
            patience = Patience(path, OPENING_SECONDS)
            writer = await _connect(uri, partial(_prepare_writer, path), patience)
            try:
                # Read-only connections never checkpoint, which avoids the WAL-reset bug before SQLite 3.51.3.
                reader = await _connect(f"{uri}?mode=ro", _prepare_reader, patience)
            except BaseException:
                await writer.close()
                raise
        except BaseException:
            os.close(lock)
            raise
        return cls(path.parent, (writer, reader), lock, Patience(path))

    async def close(self) -> None:
        """Wait for the transactions under way, close both connections, unlock the folder."""
        self._patience.end()
        while self._running:
            await asyncio.wait(self._running)
        if self._closed:
            return
        self._closed = True
        await self._reader.close()
        await self._writer.close()
        os.close(self._lock)

    async def write(self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(db, ...)` as one transaction of the writer. Raises StoreFull and what `function` raises."""
        return await asyncio.shield(self.start_write(function, *args, **kwargs))

    def start_write(
        self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Start a transaction that runs to its end even when nobody awaits it; `close` waits for it too."""

        def work(connection: sqlite3.Connection) -> T:
            return transaction(connection)(function)(connection, *args, **kwargs)

        return self._start(self._writer, work)

    async def read(self, function: Callable[Concatenate[Statements, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `function(db, ...)` on one snapshot of the reader. Raises what `function` raises."""

        def work(connection: sqlite3.Connection) -> T:
            return transaction(connection, "begin")(function)(connection, *args, **kwargs)

        return await asyncio.shield(self._start(self._reader, work))

    async def checkpoint(self) -> None:
        """Copy the write-ahead log into the database, empty it, and return freed pages to the disk.

        An emptied log no longer holds what was deleted. A reader of another program may prevent it until the next time.
        """

        def tidy(connection: sqlite3.Connection) -> None:
            # Not execute, which takes one step of it: that frees one page.
            connection.executescript("pragma incremental_vacuum(200)")
            connection.execute(EMPTY_LOG).fetchall()

        await asyncio.shield(self._start(self._writer, tidy))

    def track(self, work: asyncio.Future[T]) -> asyncio.Future[T]:
        """Make `close` wait for `work`, whoever else does."""
        self._running.add(work)
        work.add_done_callback(self._ended)
        return work

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._running.discard(work)
        if not work.cancelled():
            work.exception()  # marks it as seen when the awaiting task is gone

    def _start(
        self, connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]
    ) -> asyncio.Future[T]:
        if self._closed:
            raise StoreError("The database is closed.")
        return self.track(_in_thread(connection, function, self._patience))


def _in_thread(
    connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T], patience: Patience
) -> asyncio.Future[T]:
    """Run a whole function in a connection's thread, after what was put there before.

    Every public method of aiosqlite is one statement, and a task cancelled between two of them leaves a transaction
    open. So this puts the function into the queue that aiosqlite's own `_execute` uses (0.22.x; pyproject.toml holds it
    there), and needs no coroutine that a cancelled caller would cancel too.
    """
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    connection._tx.put_nowait((future, partial(patience.run, function, connection._conn)))
    return future


async def _connect(
    path: str, prepare: Callable[[sqlite3.Connection], None], patience: Patience
) -> aiosqlite.Connection:
    connection = aiosqlite.connect(path, uri=True, isolation_level=None, cached_statements=256)
    connection._thread.daemon = True  # else a start that fails half-way never ends
    await connection
    try:
        await _in_thread(connection, prepare, patience)
    except BaseException:
        await connection.close()
        raise
    return connection


def _prepare_writer(path: Path, connection: sqlite3.Connection) -> None:
    if foreign := find_foreign(connection, path):
        raise StoreDamaged(foreign)
    steps = scripts()
    found = version_of(connection)
    if found > len(steps):
        raise StoreTooNew(
            f"{path} was written by a newer version (schema {found}; this one knows {len(steps)}). "
            "Install that version again, or move the file away to start anew."
        )
    if damage := find_damage(connection, path):
        raise StoreDamaged(damage)
    for pragma in PRAGMAS:
        connection.execute(pragma).fetchall()
    if 0 < found < len(steps):
        connection.execute("vacuum")  # an earlier version left readable on free pages what it had deleted
    migrate(connection, steps, path)
    mark_as_ours(connection)
    with transaction(connection):
        if was_restored(connection, path.parent):
            note_restored(connection)
        with contextlib.suppress(OSError):  # a full disk: the old mark stays
            leave_mark(connection, path.parent)
    connection.execute(EMPTY_LOG).fetchall()  # of a bot that was killed


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("pragma busy_timeout = 5000").fetchall()
