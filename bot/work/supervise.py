"""What ends the bot, and what it goes on after: one fault in a loop must not end it, a signal must. Knows no jobs.

Tested in tests/bot/work/test_supervise.py and tests/bot/test_app.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from typing import Any

from bot.queue.database import StoreDamaged

log = logging.getLogger(__name__)

FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
"""a loop that ran for longer than this begins again with the first rest"""


class StartError(Exception):
    """The bot cannot start, and starting it again will not help; the text says what to do."""


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


async def run_until_stopped(loops: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Keep every loop running until a signal; the first one that fails ends them all."""
    with _stop_signals() as stopped:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(loop) for loop in loops]
            ended = asyncio.create_task(stopped.wait())
            await asyncio.wait([ended, *running], return_when=asyncio.FIRST_COMPLETED)
            if not stopped.is_set():  # a loop that returns is a fault too: only a signal may end the bot
                raise RuntimeError("one of the bot's loops ended by itself")
            ended.cancel()
            log.info("stopping: running jobs go back into the queue")
            for task in running:
                task.cancel()


@contextlib.contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    # discord.py handles Ctrl-C only; a container is stopped by SIGTERM.
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        yield stopped
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
