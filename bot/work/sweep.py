"""Retention, applied once an hour to rows and files. Knows no Discord."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from bot.config import RetentionConfig
from bot.queue.spool import Spool
from bot.queue.store import JobStore

SWEEP_SECONDS = 3600.0


async def sweep_hourly(
    store: JobStore,
    spool: Spool,
    retention: RetentionConfig,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> None:
    """Delete what is older than the operator's limits, at once and then every hour."""
    while True:
        names = await store.retention.sweep(clip_hours=retention.clip_hours, row_days=retention.row_days)
        await asyncio.to_thread(spool.delete, names)
        known = await store.retention.known_files()
        await asyncio.to_thread(spool.sweep, known)
        await pause(SWEEP_SECONDS)
