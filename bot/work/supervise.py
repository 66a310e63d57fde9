"""Loops that go on after a surprise: one fault must not end the bot. Knows no jobs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from bot.queue.database import StoreDamaged

log = logging.getLogger(__name__)

FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
"""a loop that ran for longer than this begins again with the first rest"""


async def keep_going(
    name: str,
    loop: Callable[[], Awaitable[None]],
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> None:
    """Run a loop until it returns, and begin it again after a rest when something surprises it.

    A damaged database ends it: no later attempt helps.
    """
    rest = FIRST_REST_SECONDS
    while True:
        began = monotonic()
        try:
            return await loop()
        except Exception as error:
            if damage_in(error):
                raise
            if monotonic() - began > LONGEST_REST_SECONDS:
                rest = FIRST_REST_SECONDS
            log.error("%s met a surprise, and begins again in %g s", name, rest, exc_info=error)
        await pause(rest)
        rest = min(2 * rest, LONGEST_REST_SECONDS)


def damage_in(error: BaseException) -> StoreDamaged | None:
    """Return the damage of the database that an error tells of, by itself or in a group."""
    if isinstance(error, StoreDamaged):
        return error
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return next((found for one in inner if (found := damage_in(one))), None)
