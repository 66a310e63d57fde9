"""Turns between people: nobody waits for all that another one has asked for."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from bot.work.turns import Intake, Turns

ADA, BEN, CLEO = 1, 2, 3


async def order_of(turns: Turns, people: list[int]) -> list[int]:
    """Return in which order people who ask all at once get their turns."""
    served: list[int] = []

    async def work(person: int) -> None:
        async with turns.of(person):
            served.append(person)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(person) for person in people))
    return served


async def test_people_come_in_turn_and_not_in_the_order_of_their_requests() -> None:
    people = [ADA] * 5 + [BEN] * 2 + [CLEO]
    assert await order_of(Turns(at_once=1, each=1), people) == [ADA, BEN, CLEO, ADA, BEN, ADA, ADA, ADA]


async def test_one_person_holds_only_so_many_turns_at_once() -> None:
    turns, held, most = Turns(at_once=4, each=2), Counter[int](), Counter[int]()

    async def work(person: int) -> None:
        async with turns.of(person):
            held[person] += 1
            most[person] = max(most[person], held[person])
            most[0] = max(most[0], held.total())
            await asyncio.sleep(0)
            held[person] -= 1

    await asyncio.gather(*(work(person) for person in [ADA] * 9 + [BEN] * 9 + [CLEO] * 9))
    assert most == {ADA: 2, BEN: 2, CLEO: 2, 0: 4}


@pytest.mark.parametrize("has_its_turn", [True, False])
async def test_who_gives_up_blocks_nobody(has_its_turn: bool) -> None:
    turns = Turns(at_once=1, each=1)

    async def hang() -> None:
        async with turns.of(ADA):
            await asyncio.Event().wait()

    first, second = asyncio.create_task(hang()), asyncio.create_task(hang())
    await asyncio.sleep(0)
    for task in (first, second) if has_its_turn else (second, first):
        task.cancel()
        await asyncio.wait({task})
    assert await asyncio.wait_for(order_of(turns, [BEN, ADA]), 5) == [BEN, ADA]


async def test_a_turn_that_is_cancelled_as_it_comes_goes_to_the_next() -> None:
    turns = Turns(at_once=1, each=1)

    async def work() -> None:
        async with turns.of(ADA):
            pass

    async with turns.of(BEN):
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
    task.cancel()  # it has its turn, and has not run since
    await asyncio.wait({task})
    assert await asyncio.wait_for(order_of(turns, [ADA]), 5) == [ADA]


async def test_the_pictures_of_a_person_are_counted_while_they_come() -> None:
    intake = Intake(decoders=2)
    with intake.coming(ADA) as first, intake.coming(ADA) as second, intake.coming(BEN) as other:
        assert (first, second, other) == (1, 2, 1)
    with intake.coming(ADA) as again:
        assert again == 1


async def test_one_person_has_one_picture_decoded_at_a_time_whatever_waits() -> None:
    intake = Intake(decoders=2)
    async with intake.decoding(ADA):
        own = asyncio.create_task(intake.decoding(ADA).__aenter__())
        await asyncio.wait_for(intake.decoding(BEN).__aenter__(), 5)
        assert not own.done()
    await asyncio.wait_for(own, 5)


async def test_no_more_pictures_are_decoded_at_once_than_there_are_decoders() -> None:
    intake = Intake(decoders=2)
    async with intake.decoding(ADA), intake.decoding(BEN):
        third = asyncio.create_task(intake.decoding(CLEO).__aenter__())
        await asyncio.sleep(0)
        assert not third.done()
    await asyncio.wait_for(third, 5)


async def test_who_still_holds_a_turn_is_no_newcomer() -> None:
    """Whose second turn has ended waits behind who was served before; the control is somebody who holds none."""
    for ada_holds_one, order in ((True, [BEN, ADA]), (False, [ADA, BEN])):
        turns, served = Turns(at_once=3, each=2), list[int]()

        async def work(person: int, turns: Turns = turns, served: list[int] = served) -> None:
            async with turns.of(person):
                served.append(person)

        async with turns.of(BEN), turns.of(ADA if ada_holds_one else CLEO):
            async with turns.of(ADA):
                pass
            async with turns.of(CLEO):
                waiting = [asyncio.create_task(work(person)) for person in (ADA, BEN)]
                await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert served == order
