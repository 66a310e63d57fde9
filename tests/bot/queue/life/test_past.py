"""Putting back what was cancelled: where it was, and never in front of what its person asked for instead."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bot.policy.quota import NO_LIMITS, Allowance, Quota, Scope
from bot.queue import fair_queue
from bot.queue.job import DeliveryState, Job, JobState, Limits, QueueFull
from bot.queue.life import attempts
from bot.queue.life.past import PUT_BACK_MS, PutBack, put_back, read_page
from bot.queue.servers.quotas import Ask, QuotaReached
from generator.variants import BUILT_IN
from tests.support.jobs import Clock, claimed, faults, in_memory, new_job, opened, rendered

FREE = Limits(queued_per_user=0)
NOW = 1_800_000_000_000


def ask(db: sqlite3.Connection, user: int) -> Job:
    return fair_queue.enqueue(db, new_job(user), FREE, BUILT_IN, NOW)


def cancel(db: sqlite3.Connection, job: Job, *, by_moderator: bool = False) -> None:
    attempts.cancel(db, job.id, NOW, by_moderator=by_moderator)
    db.execute("update outbox set state = 'sent' where job_id = ?", (job.id,))


def back(db: sqlite3.Connection, job: Job, user: int = 1, later_ms: int = 1, limits: Limits = FREE) -> PutBack:
    asked = Ask(user_id=user, guild_id=5, allowance=NO_LIMITS)
    found = put_back(db, job.id, asked, limits, NOW + later_ms)
    assert faults(db) == []
    return found


def order(db: sqlite3.Connection) -> list[int]:
    return fair_queue.waiting_ids(db)


def test_it_waits_where_it_was() -> None:
    db = in_memory()
    mine, other, second = ask(db, 1), ask(db, 2), ask(db, 1)
    before = order(db)
    cancel(db, mine)
    assert order(db) == [other.id, second.id]
    assert back(db, mine) is PutBack.QUEUED
    assert order(db) == before == [mine.id, other.id, second.id]
    assert back(db, mine) is PutBack.TOO_LATE, "it waits already"


def test_cancelling_and_asking_again_gains_nothing() -> None:
    """Without this, whoever cancels, asks for another one and puts back would have two clips for the time of one."""
    db = in_memory()
    first, other, others_second = ask(db, 1), ask(db, 2), ask(db, 2)
    cancel(db, first)
    instead = ask(db, 1)
    assert back(db, first) is PutBack.QUEUED
    tags = dict(db.execute("select id, tag from job").fetchall())
    assert tags[first.id] == tags[others_second.id] > tags[instead.id] == tags[other.id]
    turns = order(db)
    cancel(db, instead)
    assert back(db, instead) is PutBack.QUEUED
    assert order(db) == turns, "nobody took its part meanwhile: as it was"


def test_two_that_were_cancelled_do_not_share_one_part_of_the_queue() -> None:
    db = in_memory()
    first = ask(db, 1)
    ask(db, 2)
    cancel(db, first)
    instead = ask(db, 1)
    cancel(db, instead)
    assert (back(db, first), back(db, instead)) == (PutBack.QUEUED, PutBack.QUEUED)
    assert order(db)[0] == first.id
    tags = dict(db.execute("select id, tag from job").fetchall())
    assert tags[instead.id] > tags[first.id]


def test_only_what_its_own_person_cancelled_while_it_waited_and_only_for_a_while() -> None:
    db = in_memory()
    by_moderator, foreign, late, without = (ask(db, 1) for _ in range(4))
    cancel(db, by_moderator, by_moderator=True)
    for job in (foreign, late, without):
        cancel(db, job)
    db.execute("update job set picture = '' where id = ?", (without.id,))
    assert back(db, by_moderator) is PutBack.TOO_LATE
    assert back(db, foreign, user=2) is PutBack.TOO_LATE
    assert back(db, late, later_ms=PUT_BACK_MS) is PutBack.TOO_LATE
    assert back(db, without) is PutBack.TOO_LATE
    assert order(db) == []
    assert back(db, late, later_ms=PUT_BACK_MS - 1) is PutBack.QUEUED, "the negative control"


def test_a_job_whose_card_is_being_closed_waits_for_that() -> None:
    db = in_memory()
    job = ask(db, 1)
    attempts.cancel(db, job.id, NOW)
    for state, found in ((DeliveryState.PENDING, PutBack.NOT_YET), (DeliveryState.SENDING, PutBack.NOT_YET)):
        db.execute("update outbox set state = ?", (state,))
        assert back(db, job) is found
    db.execute("update outbox set state = 'dead'")
    assert back(db, job) is PutBack.QUEUED
    assert db.execute("select count(*) from outbox").fetchone() == (0,), "its end will be told anew"


def test_the_limits_hold_when_something_is_put_back() -> None:
    db = in_memory()
    job = ask(db, 1)
    cancel(db, job)
    ask(db, 1)
    with pytest.raises(QueueFull):
        back(db, job, limits=Limits(queued_per_user=1))
    one_a_day = Allowance(((Scope.PERSON, Quota(clips_per_day=1)),))
    with pytest.raises(QuotaReached):
        put_back(db, job.id, Ask(user_id=1, guild_id=5, allowance=one_a_day), FREE, NOW + 1)
    assert back(db, job, limits=Limits(queued_per_user=2)) is PutBack.QUEUED


async def test_a_worker_that_waits_gets_what_was_put_back(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        job = await store.jobs.enqueue(new_job())
        await store.jobs.cancel(job.id)
        assert await store.jobs.claim() is None
        await store.deliveries.mark_sent(job.id, None)
        assert await store.jobs.put_back(job, NO_LIMITS) is PutBack.QUEUED
        await store.jobs.wait_for_work()
        again = await claimed(store)
        assert (again.id, again.attempt, again.cancel_requested) == (job.id, 1, False)
        assert await store.jobs.settle_rendered(again, rendered(again)) is JobState.RENDERED


async def test_pages_hold_ones_own_settled_jobs_the_newest_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for user in (1, 2, 1, 1):
            await store.jobs.enqueue(new_job(user))
        while job := await store.jobs.claim():
            await store.jobs.settle_rendered(job, rendered(job))
        await store.jobs.enqueue(new_job(1))
        found, older = await store.past.page(1, before=2**62, limit=2)
        assert [item.job.id for item in found] == [4, 3]
        assert older == 3, "what waits is not past"
        rest, older = await store.past.page(1, before=3, limit=2)
        assert ([item.job.id for item in rest], older) == ([1], 1)
        assert rest[0].delivery is DeliveryState.PENDING and rest[0].finished_ms > 0
        assert await store.database.read(read_page, 3, 2**62, 5) == []
