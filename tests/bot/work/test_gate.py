"""The gate that all workers wait at: closed while any cause holds."""

from __future__ import annotations

import asyncio

from bot.work.gate import Gate, Hold, HoldCause


def state(gate: Gate) -> tuple[Hold | None, str | None]:
    return gate.hold, gate.paused


async def is_open(gate: Gate) -> bool:
    waiting = asyncio.create_task(gate.wait_open())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    return waiting.done() and not waiting.cancelled()


async def test_it_opens_when_the_last_cause_is_gone() -> None:
    gate = Gate()
    assert await is_open(gate)
    gate.close(HoldCause.DISK_FULL, "no room")
    gate.close(HoldCause.CRASH_STORM)
    assert not await is_open(gate)
    gate.open(HoldCause.DISK_FULL, HoldCause.PAUSED)
    assert not await is_open(gate)
    assert gate.hold == Hold(HoldCause.CRASH_STORM, "")
    gate.open(HoldCause.CRASH_STORM)
    assert await is_open(gate) and gate.hold is None


async def test_who_waits_goes_on_once_it_opens() -> None:
    gate = Gate()
    gate.close(HoldCause.PAUSED)
    waiting = asyncio.create_task(gate.wait_open())
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.open(HoldCause.PAUSED)
    await asyncio.wait_for(waiting, 5)


async def test_an_admins_pause_is_named_first_and_the_newest_words_count() -> None:
    gate = Gate()
    assert state(gate) == (None, None)
    gate.close(HoldCause.CRASH_STORM, "gone")
    gate.close(HoldCause.DISK_FULL, "no room")
    assert state(gate) == (Hold(HoldCause.DISK_FULL, "no room"), None)
    gate.close(HoldCause.PAUSED, "lunch")
    gate.close(HoldCause.PAUSED, "dinner")
    assert state(gate) == (Hold(HoldCause.PAUSED, "dinner"), "dinner")
    gate.open()
    assert state(gate)[1] == "dinner", "no cause was taken away"
