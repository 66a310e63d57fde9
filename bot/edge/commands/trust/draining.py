"""Says when a drain is done: nothing is waiting, nothing is being made, everything is posted.

Tested in tests/bot/edge/commands/trust/test_operators.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bot.queue.job import JobState
from bot.queue.store import JobStore
from bot.work.switches import Switches

LOOK_SECONDS = 1.0
"""while it drains; a job's end wakes too many others to be worth an event of its own here"""


async def tell_drained(store: JobStore, switches: Switches, tell: Callable[[str], None]) -> None:
    """Call `tell` once for each drain that is done, until cancelled; also for one that began before a restart."""
    while True:
        switches.drains.clear()
        while switches.draining is not None and not await store.settings.get("drained"):
            if await _is_done(store):
                tell(switches.draining)
                await store.settings.set("drained", "told")
                break
            await asyncio.sleep(LOOK_SECONDS)
        await switches.drains.wait()


async def _is_done(store: JobStore) -> bool:
    counts = await store.jobs.counts()
    return counts[JobState.QUEUED] + counts[JobState.RUNNING] == 0 and await store.deliveries.count_open() == 0
