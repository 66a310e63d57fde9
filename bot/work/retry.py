"""Repeating a transaction that a full disk refused. Knows no jobs.

Tested in tests/faults/test_store_full.py and tests/bot/edge/test_delivery.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.queue.database import StoreFull

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
