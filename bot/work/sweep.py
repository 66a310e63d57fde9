"""Retention, applied once an hour to rows and files. Knows no Discord."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from bot.config.sections import RetentionConfig
from bot.queue.database import StoreFull
from bot.queue.spool import Spool
from bot.queue.store import JobStore

log = logging.getLogger(__name__)

SWEEP_SECONDS = 3600.0
MOST_WHILE_OFF_MS = 12 * 3_600_000
"""the most that counts of the time for which the bot was off: only a clock that may be wrong tells it"""
STEP_MS = 600_000
"""a wall clock that moved by this much more or less than the time that passed was set"""
_SETTING = "retention_clock"


class RetentionClock:
    """The time by which things grow old. It never follows a step of the wall clock, which would delete everything.

    While the bot runs, it counts the time that passed; while it was off, what the wall clock says, within bounds.
    """

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._now_ms = 0
        self._wall_ms = 0
        self._elapsed_ms: int | None = None
        """None before the first `advance`"""

    async def advance(self) -> tuple[int, bool]:
        """Return the time now, in the wall clock's milliseconds, and whether the wall clock was set since last time."""
        wall_ms, elapsed_ms = self._store.now_ms(), self._store.elapsed_ms()
        if self._elapsed_ms is None:
            self._now_ms, was_set = after_start(await self._store.settings.get(_SETTING), wall_ms), False
        else:
            passed_ms = elapsed_ms - self._elapsed_ms
            self._now_ms += passed_ms
            was_set = abs(wall_ms - self._wall_ms - passed_ms) > STEP_MS
        self._wall_ms, self._elapsed_ms = wall_ms, elapsed_ms
        try:
            await self._store.settings.set(_SETTING, f"{self._now_ms} {wall_ms}")
        except StoreFull as error:
            log.warning("the time of this sweep is not kept: %s", error)
        return self._now_ms, was_set


def after_start(kept: str | None, wall_ms: int) -> int:
    """Return the time at a start, from what the last sweep kept: its time, and the wall clock then."""
    match (kept or "").split():
        case [now, wall] if now.isdecimal() and wall.isdecimal():
            return int(now) + min(max(wall_ms - int(wall), 0), MOST_WHILE_OFF_MS)
    return wall_ms


async def sweep_hourly(
    store: JobStore,
    spool: Spool,
    retention: RetentionConfig,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Delete what is older than the operator's limits, at once and then every hour."""
    clock = RetentionClock(store)
    while True:
        now_ms, was_set = await clock.advance()
        names = await store.retention.sweep(now_ms, clip_hours=retention.clip_hours, row_days=retention.row_days)
        store.names.drop(names)
        await asyncio.to_thread(spool.delete, names)
        if was_set:
            log.warning("the clock was set: files that no row names yet are left until the next sweep")
        else:
            known = await store.retention.known_files()
            await asyncio.to_thread(spool.sweep, known)
        await pause(SWEEP_SECONDS)
