"""Loops that meet a surprise: begun again after a rest, and ended by a damaged database alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator

import pytest

from bot.queue.database import StoreBusy, StoreDamaged, StoreFull
from bot.work.supervise import LONGEST_REST_SECONDS, damage_in, keep_going


class Rests:
    """Notes each rest instead of resting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def failing(errors: list[Exception]) -> Callable[[], Awaitable[None]]:
    """Return a loop that raises one after the other, and then returns."""
    left: Iterator[Exception] = iter(errors)

    async def loop() -> None:
        for error in left:
            raise error

    return loop


SURPRISES = [
    KeyError("a bug"),
    OSError("no space"),
    StoreFull("full"),
    StoreBusy("locked"),
    ExceptionGroup("", [KeyError()]),
]


async def test_a_loop_goes_on_after_every_surprise_with_longer_and_longer_rests(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rests = Rests()
    await keep_going("the loop", failing(SURPRISES * 2), rests, monotonic=lambda: 0.0)
    assert rests.seconds == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert caplog.text.count("the loop met a surprise") == 10
    assert all(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


async def test_a_loop_that_ran_well_for_long_rests_briefly_again() -> None:
    rests, times = Rests(), iter([0.0, 0.0, 10.0, 10.0, 20.0, 21.0 + LONGEST_REST_SECONDS, 100.0])
    await keep_going("the loop", failing([KeyError()] * 3), rests, monotonic=lambda: next(times))
    assert rests.seconds == [1, 2, 1]


DAMAGE = StoreDamaged("a damaged page")


@pytest.mark.parametrize("error", [DAMAGE, ExceptionGroup("", [KeyError(), ExceptionGroup("", [DAMAGE])])])
async def test_a_damaged_database_ends_the_loop(error: Exception) -> None:
    rests = Rests()
    with pytest.raises(type(error)):
        await keep_going("the loop", failing([error]), rests)
    assert damage_in(error) is DAMAGE
    assert rests.seconds == []


@pytest.mark.parametrize("error", SURPRISES)
def test_nothing_else_is_damage(error: Exception) -> None:
    assert damage_in(error) is None


async def test_a_stop_ends_the_loop_at_once() -> None:
    going = asyncio.create_task(keep_going("the loop", asyncio.Event().wait))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    going.cancel()
    await asyncio.wait({going}, timeout=5)
    assert going.cancelled()
