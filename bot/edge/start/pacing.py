"""Start-up pacing: Discord resets the token of a bot that identifies 1,000 times in a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from bot.queue.database import StoreFull
from bot.queue.store import JobStore

log = logging.getLogger(__name__)

INTERVAL_MS = 100_000
"""one start per 100 s for ever is 864 a day"""
BURST = 20
"""starts that may follow at once: an upgrade that fails a few times is no crash loop"""


def pace(due_ms: int, now_ms: int) -> tuple[int, int]:
    """Return the wait before a start in milliseconds, and the new `due_ms`.

    The generic cell rate algorithm: `due_ms` is when the whole burst is available again; each start moves it on by one
    interval, and a start waits only while the burst is used up. A clock that jumps back costs one interval at most.
    """
    due_ms = min(max(due_ms, now_ms), now_ms + BURST * INTERVAL_MS)
    wait_ms = max(0, due_ms - now_ms - (BURST - 1) * INTERVAL_MS)
    return wait_ms, due_ms + INTERVAL_MS


async def paced_start(store: JobStore, now_ms: Callable[[], int]) -> None:
    """Wait until another start is allowed. The start is counted before it happens."""
    text = await store.settings.get("identifies")
    wait_ms, due_ms = pace(int(text) if text and text.isdigit() else 0, now_ms())
    try:
        await store.settings.set("identifies", str(due_ms))
    except StoreFull:
        log.error("no room on the disk to count this start")
    if wait_ms:
        log.warning("too many starts in a row: waiting %.0f s, to spare Discord's daily budget", wait_ms / 1000)
        await asyncio.sleep(wait_ms / 1000)
