"""Deliveries from pending to sent or dead, on a real SQLite file."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue.deliveries import LONGEST_WAIT_MS, nonce_of
from bot.queue.job import DeliveryState
from bot.queue.store import JobStore
from tests.support.jobs import HOUR_MS, Clock, claimed, kept, new_job, opened


async def test_recover_makes_unfinished_posts_due_and_keeps_their_first_attempt(store: JobStore, clock: Clock) -> None:
    await store.jobs.enqueue(new_job())
    await store.jobs.settle_cancelled(await claimed(store))
    assert await store.deliveries.mark_sending(1)
    assert not await store.deliveries.mark_sending(1)
    assert await store.deliveries.due() == []
    first_attempt, clock.now_ms = clock.now_ms, clock.now_ms + HOUR_MS

    await store.jobs.recover()

    [delivery] = await store.deliveries.due()
    assert (delivery.state, delivery.first_attempt_ms, delivery.attempts) == (DeliveryState.PENDING, first_attempt, 1)


async def test_a_delivery_goes_from_pending_to_sent(store: JobStore, clock: Clock) -> None:
    await store.jobs.enqueue(new_job())
    await store.jobs.settle_cancelled(await claimed(store))

    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_later(1, clock.now_ms + 2_000, "HTTP 500")
    assert await store.deliveries.due() == []
    clock.now_ms += 2_000
    [delivery] = await store.deliveries.due()
    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_sent(1, 4711)

    assert (delivery.error, delivery.attempts, len(delivery.nonce) <= 25) == ("HTTP 500", 1, True)
    sent = await store.deliveries.of_job(1)
    assert sent is not None
    assert (sent.state, sent.message_id, sent.nonce) == (DeliveryState.SENT, 4711, delivery.nonce)
    assert await store.deliveries.due() == []


async def test_deliveries_that_one_look_had_no_room_for_are_not_forgotten(store: JobStore) -> None:
    for user_id in range(3):
        await store.jobs.enqueue(new_job(user_id))
        await store.jobs.settle_cancelled(await claimed(store))
    sent: list[int] = []

    async with asyncio.timeout(5):
        while len(sent) < 3:
            for delivery in await store.deliveries.due(limit=1):
                await store.deliveries.mark_sending(delivery.job_id)
                await store.deliveries.mark_sent(delivery.job_id, 1)
                sent.append(delivery.job_id)
            if len(sent) < 3:
                await store.deliveries.wait_for_delivery()

    assert sent == [1, 2, 3]


async def test_a_dead_delivery_keeps_its_reason_and_is_not_attempted_again(store: JobStore) -> None:
    await store.jobs.enqueue(new_job())
    await store.jobs.settle_cancelled(await claimed(store))
    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_dead(1, "channel gone")

    dead = await store.deliveries.of_job(1)
    assert dead is not None
    assert (dead.state, dead.error) == (DeliveryState.DEAD, "channel gone")
    await store.jobs.recover()
    assert await store.deliveries.due() == []


async def test_how_old_a_first_attempt_is_only_its_own_process_knows(tmp_path: Path) -> None:
    elapsed, clock = Clock(1_000), Clock()
    async with opened(tmp_path, now_ms=clock, elapsed_ms=elapsed) as store:
        await store.jobs.enqueue(new_job())
        await store.jobs.settle_cancelled(await claimed(store))
        [never] = await store.deliveries.due()
        for passed in (10_000, 70_000):  # the second attempt is not the first one's time
            await store.deliveries.mark_sending(1)
            await store.deliveries.mark_later(1, 0, "HTTP 500")
            elapsed.now_ms += passed
            clock.now_ms -= HOUR_MS
        [delivery] = await store.deliveries.due()
        assert (never.may_have_arrived, never.first_attempt_age_ms) == (False, None)
        assert (delivery.may_have_arrived, delivery.first_attempt_age_ms) == (True, 80_000)
        assert delivery.first_attempt_ms == clock.now_ms + 2 * HOUR_MS, "the first attempt's, whatever came later"
    async with opened(tmp_path, now_ms=clock, elapsed_ms=elapsed) as store:
        await store.jobs.recover()
        [delivery] = await store.deliveries.due()
        assert (delivery.may_have_arrived, delivery.first_attempt_age_ms) == (True, None)


async def settled(store: JobStore, count: int) -> None:
    for user_id in range(count):
        await store.jobs.enqueue(new_job(user_id))
        await store.jobs.settle_cancelled(await claimed(store))


async def test_a_delivery_has_the_nonce_of_its_job_and_its_key(store: JobStore) -> None:
    await settled(store, 2)
    found = [(delivery.job_id, delivery.nonce) for delivery in await store.deliveries.due()]
    assert found == [(job_id, nonce_of(job_id, (await kept(store, job_id)).key)) for job_id in (1, 2)]


async def test_the_delivery_that_waits_longest_comes_first(store: JobStore, clock: Clock) -> None:
    await settled(store, 4)
    for job_id, due_ms in ((1, 3_000), (2, 1_000), (3, 2_000), (4, 1_000)):
        await store.deliveries.mark_sending(job_id)
        await store.deliveries.mark_later(job_id, clock.now_ms + due_ms, "HTTP 500")
    clock.now_ms += 2_000
    assert [delivery.job_id for delivery in await store.deliveries.due()] == [2, 4, 3]
    assert [delivery.job_id for delivery in await store.deliveries.due(limit=1)] == [2]


@pytest.mark.parametrize("end", ["sent", "dead"])
async def test_a_delivery_that_has_ended_never_changes_again(store: JobStore, end: str) -> None:
    await settled(store, 2)
    await store.deliveries.mark_sending(1)
    if end == "sent":
        assert await store.deliveries.mark_sent(1, 4711)
    else:
        assert await store.deliveries.mark_dead(1, "channel-gone")
    before = await store.deliveries.of_job(1)

    assert not await store.deliveries.mark_sending(1)
    assert not await store.deliveries.mark_sent(1, 5)
    assert not await store.deliveries.mark_later(1, 0, "HTTP 500")
    assert not await store.deliveries.mark_dead(1, "refused")
    await store.jobs.recover()

    assert await store.deliveries.of_job(1) == before
    assert [delivery.job_id for delivery in await store.deliveries.due()] == [2], "and no other one was touched"


async def test_a_job_that_is_not_settled_has_no_delivery(store: JobStore) -> None:
    await store.jobs.enqueue(new_job())
    assert await store.deliveries.of_job(1) is None
    assert not await store.deliveries.mark_sending(1)


async def test_a_wait_is_never_longer_than_the_longest_back_off(store: JobStore, clock: Clock) -> None:
    await settled(store, 1)
    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_later(1, clock.now_ms + HOUR_MS, "HTTP 500")
    clock.now_ms += LONGEST_WAIT_MS - 1
    assert await store.deliveries.due() == []
    clock.now_ms += 1
    assert len(await store.deliveries.due()) == 1


async def test_every_nonce_is_its_requests_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await settled(store, 20)
        nonces = [delivery.nonce for delivery in await store.deliveries.due()]
    assert len(set(nonces)) == 20
    assert len({nonce.partition("-")[0] for nonce in nonces}) == 20, "not by the job's id alone"
    assert len(nonce_of(10**15, "1" * 30)) <= 25


async def test_the_newest_posts_are_those_that_are_messages_of_their_own(store: JobStore) -> None:
    """Not what became the card itself, nor what has arrived nowhere."""
    cards = [101, 102, 103, 104, 105]
    for user_id, card in enumerate(cards):
        await store.jobs.enqueue(replace(new_job(user_id, guild_id=user_id), card_message_id=card))
        await store.jobs.settle_cancelled(await claimed(store))
        await store.deliveries.mark_sending(user_id + 1)
    for job_id, message_id in ((1, 201), (2, 102), (5, 205)):
        await store.deliveries.mark_sent(job_id, message_id)
    await store.deliveries.mark_dead(3, "channel-gone")

    found = await store.deliveries.last_posted(10)
    assert [(job.id, job.card_message_id, message_id) for job, message_id in found] == [(5, 105, 205), (1, 101, 201)]
    assert [job.id for job, _ in await store.deliveries.last_posted(1)] == [5]


async def test_what_a_poster_began_that_was_ended_is_due_again(store: JobStore) -> None:
    await settled(store, 2)
    await store.deliveries.mark_sending(1)
    assert [delivery.job_id for delivery in await store.deliveries.due()] == [2]
    await store.deliveries.recover()
    assert [delivery.job_id for delivery in await store.deliveries.due()] == [1, 2]
