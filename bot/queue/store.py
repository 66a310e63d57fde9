"""JobStore: opens and closes the database, and holds one store for each theme. Knows no Discord.

Each public method of a theme is one transaction. The themes are in `jobs`, `deliveries`, `retention`, `past`,
`opening.recheck`, `servers.settings` and `trust`; what the operator switched is in `Settings` below.

Tested in tests/bot/queue/test_store.py, tests/bot/queue/test_deliveries.py and tests/bot/queue/test_retention.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from bot.queue.database import Database, fetch, fetch_one
from bot.queue.deliveries import Deliveries
from bot.queue.job import Limits, running_ms, wall_clock_ms
from bot.queue.jobs import Jobs
from bot.queue.life.past import Past
from bot.queue.life.picture_names import PictureNames
from bot.queue.life.retention import Retention
from bot.queue.opening.recheck import Recheck
from bot.queue.servers.choices import Choices
from bot.queue.servers.reviews import Reviews
from bot.queue.servers.settings import Servers
from bot.queue.servers.trust.trust import Trust
from generator.variants import BUILT_IN, Variant


class JobStore:
    """Every accepted request, on disk before the call that accepts it returns."""

    def __init__(
        self,
        database: Database,
        limits: Limits,
        variants: Mapping[str, Variant],
        now_ms: Callable[[], int],
        elapsed_ms: Callable[[], int] = running_ms,
    ) -> None:
        self.database = database
        """for statements of one's own: the tests look at rows through it"""
        self.now_ms = now_ms
        self.elapsed_ms = elapsed_ms
        """the milliseconds of a clock that nobody sets"""
        self.deliveries = Deliveries(database, now_ms, elapsed_ms)
        self.jobs = Jobs(database, self.deliveries, limits, variants, now_ms)
        self.past = Past(database)
        self.names = PictureNames()
        self.retention = Retention(database, now_ms)
        self.recheck = Recheck(database, now_ms)
        self.settings = Settings(database)
        self.servers = Servers(database, now_ms)
        self.reviews = Reviews(database, self.deliveries, now_ms)
        self.trust = Trust(database, now_ms)
        self.choices = Choices(database, now_ms)

    @classmethod
    async def open(
        cls,
        folder: Path,
        *,
        limits: Limits | None = None,
        variants: Mapping[str, Variant] = BUILT_IN,
        executors: int = 1,
        now_ms: Callable[[], int] = wall_clock_ms,
        elapsed_ms: Callable[[], int] = running_ms,
    ) -> Self:
        """Lock and open the data folder. Raises StoreLocked, StoreTooNew, StoreError. Call `jobs.recover` next."""
        store = cls(await Database.open(folder), limits or Limits(), variants, now_ms, elapsed_ms)
        store.jobs.executors = executors
        await store.servers.load()
        await store.trust.load()
        return store

    async def close(self) -> None:
        """Finish what was started, close the database, unlock the folder."""
        await self.database.close()


class Settings:
    """Words that outlive the process, each under a key: the variant in use, the pause."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> str | None:
        """Read a setting; None when it is not set."""
        row = await self._database.read(fetch_one, "select value from setting where key = ?", (key,))
        return None if row is None else str(row[0])

    async def set(self, key: str, value: str | None) -> None:
        """Write a setting; None deletes it."""
        if value is None:
            await self._database.write(fetch, "delete from setting where key = ?", (key,))
            return
        sql = "insert into setting values (?, ?) on conflict (key) do update set value = excluded.value"
        await self._database.write(fetch, sql, (key, value))
