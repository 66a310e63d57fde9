"""Repeating a transaction that a full disk refused, and waiting for room. Knows no jobs.

Tested in tests/faults/test_store_full.py and tests/bot/edge/test_delivery.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.queue.database import StoreFull
from bot.queue.spool import Spool, SpoolFull
from bot.work.gate import Gate, HoldCause

log = logging.getLogger(__name__)

T = TypeVar("T")


async def retry_while_full(
    transaction: Callable[[], Awaitable[T]], wait_for_room: Callable[[StoreFull], Awaitable[None]]
) -> T:
    """Run the transaction until the disk takes it, so that what was rendered or posted is not lost for want of room."""
    while True:
        try:
            return await transaction()
        except StoreFull as error:
            await wait_for_room(error)


async def hold_until_room(gate: Gate, spool: Spool, check_seconds: float, error: Exception) -> None:
    """Close the gate until the disk has room again; nothing announces that, so it is looked at every so often."""
    log.error("no room on the disk, nothing is started: %s", error)
    gate.close(HoldCause.DISK_FULL, str(error))
    while True:
        await asyncio.sleep(check_seconds)
        try:
            spool.require_room()
        except SpoolFull:
            continue
        gate.open(HoldCause.DISK_FULL)
        return
