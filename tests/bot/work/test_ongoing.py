"""What is being done for somebody: interrupted or waited for, theirs alone."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from bot.work.ongoing import Ongoing, Owner

ADA, BEN = Owner(1, 10), Owner(2, 10)


def of_ada(owner: Owner) -> bool:
    return owner == ADA


async def test_requests_of_one_person_are_interrupted_and_those_of_others_go_on() -> None:
    ongoing, cleaned = Ongoing(), list[int]()

    async def take(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append(number)

    requests = [SimpleNamespace(id=number) for number in (1, 2, 3)]
    tasks = [asyncio.create_task(take(request.id)) for request in requests]
    for owner, task, request in zip((ADA, BEN, ADA), tasks, requests, strict=True):
        ongoing.take(owner, task, request)
    await asyncio.sleep(0)
    with ongoing.noted(ADA):
        assert await ongoing.interrupt(of_ada) == [requests[0], requests[2]], "a block is no request"
    assert cleaned == [1, 3], "it waits for their end"
    assert [task.done() for task in tasks] == [True, False, True]
    assert await ongoing.interrupt(of_ada) == []
    tasks[1].cancel()
    await asyncio.wait({tasks[1]})
    assert await ongoing.interrupt(lambda owner: True) == []


async def test_a_request_that_takes_long_to_clean_up_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.work.ongoing.INTERRUPT_SECONDS", 0.01)
    ongoing, may_end = Ongoing(), asyncio.Event()

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await may_end.wait()

    task = asyncio.create_task(stubborn())
    ongoing.take(ADA, task, SimpleNamespace(id=1))
    await asyncio.sleep(0)
    assert len(await asyncio.wait_for(ongoing.interrupt(of_ada), 5)) == 1
    assert not task.done()
    may_end.set()
    await asyncio.wait({task})


async def test_what_is_done_for_somebody_is_waited_for_and_what_comes_later_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ongoing, ends = Ongoing(), asyncio.Event()

    async def work(owner: Owner) -> None:
        with ongoing.noted(owner):
            await ends.wait()

    works = [asyncio.create_task(work(owner)) for owner in (ADA, BEN)]
    await asyncio.sleep(0)
    await asyncio.wait_for(ongoing.wait(lambda owner: owner.user_id == 3, 60), 5)
    await ongoing.wait(of_ada, 0.01)
    assert "1 things done for somebody forgotten take long" in caplog.text
    caplog.clear()
    waiting = asyncio.create_task(ongoing.wait(of_ada, 60))
    await asyncio.sleep(0)
    assert not waiting.done()
    ends.set()
    await asyncio.wait_for(waiting, 5)
    assert caplog.text == ""
    await asyncio.wait(works)
    await asyncio.wait_for(ongoing.wait(lambda owner: True, 60), 5)


async def test_a_task_that_is_noted_twice_ends_once() -> None:
    ongoing, faults = Ongoing(), list[object]()
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context))
    task = asyncio.create_task(asyncio.sleep(0))
    for _ in range(2):
        ongoing.take(ADA, task, SimpleNamespace(id=1))
    await task
    await asyncio.sleep(0)
    assert faults == []
    assert await ongoing.interrupt(of_ada) == []


async def test_what_fails_is_over_too() -> None:
    ongoing = Ongoing()
    with pytest.raises(ZeroDivisionError), ongoing.noted(ADA):
        raise ZeroDivisionError
    await asyncio.wait_for(ongoing.wait(of_ada, 60), 5)
