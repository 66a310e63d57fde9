"""The database in the calling thread: the same file, settings and transactions, without the thread between.

What is measured is then the transaction, and not how soon a busy machine runs another thread; the benchmark `queue` has
both.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bot.queue.database import EMPTY_LOG, PRAGMAS, Database, transaction
from bot.queue.opening.migrations import migrate, scripts

T = TypeVar("T")


class InlineDatabase(Database):
    """A database of one connection."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._db = sqlite3.connect(folder / "vivant.db", isolation_level=None, cached_statements=256)
        for pragma in PRAGMAS:
            self._db.execute(pragma).fetchall()
        migrate(self._db, scripts(), None)

    def start_write(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> asyncio.Future[T]:
        """See `Database.start_write`; the transaction is over when this returns."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        future.set_result(transaction(self._db)(function)(self._db, *args, **kwargs))
        return future

    async def read(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """See `Database.read`."""
        return transaction(self._db, "begin")(function)(self._db, *args, **kwargs)

    async def checkpoint(self) -> None:
        """See `Database.checkpoint`."""
        self._db.execute("pragma incremental_vacuum(200)").fetchall()
        self._db.execute(EMPTY_LOG).fetchall()

    async def close(self) -> None:
        """Close the connection."""
        self._db.close()
