"""What is deleted when, and what is kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from bot.queue.store import JobStore
from tests.support.jobs import HOUR_MS, Clock, claimed, kept, new_job, opened, rendered


async def test_a_running_attempt_is_known_until_it_is_settled(store: JobStore) -> None:
    await store.jobs.enqueue(new_job())
    job = await claimed(store)
    assert await store.retention.known_files() == {job.picture, "1-1"}
    await store.jobs.settle_rendered(job, rendered(job))
    assert await store.retention.known_files() == {job.picture, "1-1.mp4"}


async def test_sweep_keeps_what_is_not_delivered_and_what_is_shared(store: JobStore, clock: Clock) -> None:
    sent, shares, unsent = new_job(1), new_job(2), new_job(3)
    shares = replace(shares, picture=sent.picture)
    for new in (sent, unsent):
        await store.jobs.enqueue(new)
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_sent(1, 5)
    await store.jobs.enqueue(shares)
    clock.now_ms += 25 * HOUR_MS

    assert await store.retention.sweep() == ["1-1.mp4"]
    assert await store.retention.known_files() == {"2-1.mp4", unsent.picture, sent.picture}

    clock.now_ms += 31 * 24 * HOUR_MS
    await store.retention.sweep()
    assert await store.jobs.get(1) is None
    assert (await kept(store, 2)).clip == "2-1.mp4"


async def test_forgetting_a_person_leaves_nothing_of_them(store: JobStore, tmp_path: Path) -> None:
    mine, theirs = new_job(1), new_job(2)
    await store.jobs.enqueue(mine)
    await store.jobs.enqueue(theirs)
    running = await claimed(store)

    forgotten = await store.retention.forget_user(1)

    assert forgotten.files == [mine.picture]
    assert await store.jobs.settle_rendered(running, rendered(running)) is None
    assert [job.user_id for job in await store.jobs.active()] == [2]
    with sqlite3.connect(tmp_path / "vivant.db") as db:
        assert db.execute("select user_id from lane").fetchall() == [(2,)]
    db.close()


async def test_nobody_is_remembered_longer_than_their_requests(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        await store.jobs.enqueue(new_job(4711))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
        await store.deliveries.mark_sending(job.id)
        await store.deliveries.mark_sent(job.id, 5)
        clock.now_ms += 40 * 24 * 3600 * 1000
        for _ in range(2):
            await store.retention.sweep()
        assert await store.jobs.get(job.id) is None
        assert await store.database.read(lambda db: db.execute("select user_id from lane").fetchall()) == []


async def test_forgetting_a_server_leaves_the_other_jobs_in_the_queue(store: JobStore) -> None:
    await store.jobs.enqueue(new_job(1, guild_id=5))
    await store.jobs.enqueue(new_job(1, guild_id=6))

    await store.retention.forget_guild(5)

    assert (await claimed(store)).route.guild_id == 6


async def test_a_clip_that_could_not_be_posted_waits_for_its_person(store: JobStore, clock: Clock) -> None:
    for user_id in (1, 2):
        await store.jobs.enqueue(new_job(user_id))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    await store.deliveries.mark_dead(1, "no-permission")
    await store.deliveries.mark_sending(2)
    await store.deliveries.mark_sent(2, 5)
    clock.now_ms += 29 * 24 * HOUR_MS
    assert "2-1.mp4" in await store.retention.sweep(), "the negative control: this one was posted"
    assert (await kept(store, 1)).clip == "1-1.mp4"
    clock.now_ms += 2 * 24 * HOUR_MS
    assert "1-1.mp4" in await store.retention.sweep()
    assert await store.jobs.get(1) is None


async def test_a_deleted_clip_leaves_the_picture_to_another_clip_of_it(store: JobStore) -> None:
    first = new_job(1)
    for new in (first, replace(new_job(1), picture=first.picture)):
        await store.jobs.enqueue(new)
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    assert await store.retention.drop_files(1) == ["1-1.mp4"]
    assert await store.retention.drop_files(2) == sorted(["2-1.mp4", first.picture])
