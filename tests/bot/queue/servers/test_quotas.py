"""What was used of a quota: counted from the jobs, given back, free again in time, and not left by being forgotten."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.policy.quota import DAY_MS, Allowance, Exceeded, Measure, Quota, Scope
from bot.queue.database import fetch
from bot.queue.job import Job, NewJob
from bot.queue.servers.quotas import Ask, QuotaReached
from bot.queue.store import JobStore
from generator.errors import BadFrames
from tests.support.jobs import HOUR_MS, Clock, claimed, new_job, opened, rendered

ADA, BEN, SERVER, OTHER = 1, 2, 5, 6


def held(scope: Scope = Scope.PERSON, user: int = ADA, guild: int | None = SERVER, **quota: int) -> NewJob:
    """Return a request that is held against one quota."""
    allowance = Allowance(((scope, Quota(**quota)),))
    return replace(new_job(user, guild_id=guild), allowance=allowance)


async def refused(store: JobStore, new: NewJob) -> Exceeded:
    with pytest.raises(QuotaReached) as found:
        await store.jobs.enqueue(new)
    return found.value.exceeded


async def make(store: JobStore, new: NewJob) -> Job:
    await store.jobs.enqueue(new)
    job = await claimed(store)
    await store.jobs.settle_rendered(job, rendered(job))
    return job


async def test_a_day_ends_for_each_clip_by_itself_and_the_time_is_told(store: JobStore, clock: Clock) -> None:
    began = clock.now_ms
    for _ in range(2):
        await make(store, held(clips_per_day=2))
        clock.now_ms += HOUR_MS
    found = await refused(store, held(clips_per_day=2))
    assert (found.measure, found.limit, found.free_again_ms) == (Measure.CLIPS_PER_DAY, 2, began + DAY_MS)
    clock.now_ms = began + DAY_MS - 1
    await refused(store, held(clips_per_day=2))
    clock.now_ms = began + DAY_MS
    await make(store, held(clips_per_day=2))
    found = await refused(store, held(clips_per_day=2))
    assert found.free_again_ms == began + HOUR_MS + DAY_MS


async def test_gpu_seconds_are_what_was_expected_when_it_was_accepted(store: JobStore, clock: Clock) -> None:
    cost = await store.jobs.expected_cost_ms(new_job().settings)
    limit = cost * 2 // 1000 + 1
    await make(store, held(gpu_seconds_per_day=limit))
    clock.now_ms += HOUR_MS
    await store.jobs.enqueue(held(gpu_seconds_per_day=10**6))
    ask = Ask(user_id=ADA, guild_id=SERVER, allowance=held(gpu_seconds_per_day=limit).allowance)
    used = (await store.jobs.quota_used(ask))[Scope.PERSON]
    assert (used.clips, used.active_clips) == (2, 1)
    assert used.cost_ms - used.active_cost_ms == cost
    assert used.active_cost_ms == await store.jobs.expected_cost_ms(new_job().settings), "what was learned since"
    found = await refused(store, held(gpu_seconds_per_day=used.cost_ms // 1000))
    assert found.measure is Measure.GPU_SECONDS_PER_DAY
    alone = await refused(store, held(gpu_seconds_per_day=1))
    assert (alone.never, alone.free_again_ms) == (True, None)


@pytest.mark.parametrize("ending", ["failed", "cancelled while it waits", "cancelled while it runs", "withdrawn"])
async def test_a_clip_that_never_came_is_given_back(store: JobStore, ending: str) -> None:
    job = await store.jobs.enqueue(held(clips_per_day=1))
    await refused(store, held(clips_per_day=1))
    match ending:
        case "failed":
            await store.jobs.settle_failed(await claimed(store), BadFrames("no", kind="nan"))
        case "cancelled while it waits":
            await store.jobs.cancel(job.id)
        case "cancelled while it runs":
            running = await claimed(store)
            await store.jobs.cancel(job.id)
            await store.jobs.settle_cancelled(running)
        case _:
            assert await store.jobs.withdraw(job.id)
    assert await store.jobs.enqueue(held(clips_per_day=1))


async def test_a_job_that_is_tried_again_counts_once_and_one_that_was_made_is_not_given_back(store: JobStore) -> None:
    await store.jobs.enqueue(held(clips_per_day=2))
    await store.jobs.give_back(await claimed(store), counts=True)
    await make(store, held(clips_per_day=2))
    assert (await refused(store, held(clips_per_day=2))).measure is Measure.CLIPS_PER_DAY


async def test_at_once_counts_what_waits_and_what_runs(store: JobStore) -> None:
    for _ in range(2):
        await store.jobs.enqueue(held(clips_at_once=2))
    running = await claimed(store)
    found = await refused(store, held(clips_at_once=2))
    assert (found.measure, found.free_again_ms) == (Measure.CLIPS_AT_ONCE, None)
    await store.jobs.settle_rendered(running, rendered(running))
    await store.jobs.enqueue(held(clips_at_once=2))
    seconds = await refused(store, held(gpu_seconds_at_once=60))
    assert seconds.measure is Measure.GPU_SECONDS_AT_ONCE


async def test_each_scope_counts_its_own(store: JobStore) -> None:
    await make(store, held())
    await refused(store, held(Scope.PERSON, guild=OTHER, clips_per_day=1))
    await refused(store, held(Scope.PERSON, guild=None, clips_per_day=1))
    await refused(store, held(Scope.MEMBER, clips_per_day=1))
    await refused(store, held(Scope.SERVER, user=BEN, clips_per_day=1))
    await store.jobs.enqueue(held(Scope.MEMBER, guild=OTHER, clips_per_day=1))
    await store.jobs.enqueue(held(Scope.SERVER, user=BEN, guild=OTHER, clips_per_day=2))
    assert await store.jobs.enqueue(held(Scope.PERSON, user=BEN, clips_per_day=2))


async def test_the_same_request_twice_counts_once(store: JobStore) -> None:
    new = held(clips_per_day=1)
    first = await store.jobs.enqueue(new)
    assert (await store.jobs.enqueue(new)).id == first.id


async def test_what_was_used_is_known_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(held(clips_per_day=1))
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        assert (await refused(store, held(clips_per_day=1))).limit == 1


@pytest.mark.parametrize("scope", list(Scope))
async def test_who_is_forgotten_has_no_more_of_a_quota(store: JobStore, clock: Clock, scope: Scope) -> None:
    began = clock.now_ms
    await make(store, held(scope, clips_per_day=1))
    await store.retention.forget_user(ADA)
    await store.retention.forget_guild(SERVER)
    found = await refused(store, held(scope, clips_per_day=1))
    assert found.free_again_ms == began + DAY_MS
    clock.now_ms = began + DAY_MS
    await store.jobs.enqueue(held(scope, clips_per_day=1))


async def test_what_is_kept_of_a_quota_names_nobody_and_goes_after_a_day(store: JobStore, clock: Clock) -> None:
    ada, server = 123456789012345678, 876543210987654321
    await make(store, held(user=ada, guild=server))
    await store.jobs.enqueue(held(user=ada, guild=server))
    await store.retention.forget_user(ada)
    [row] = await store.database.read(fetch, "select * from spent")
    assert not {ada, server, str(ada), str(server)} & set(row), "and what was never made is not kept"
    clock.now_ms += DAY_MS - 1
    await store.retention.sweep()
    assert len(await store.database.read(fetch, "select * from spent")) == 1
    clock.now_ms += 1
    await store.retention.sweep()
    assert await store.database.read(fetch, "select * from spent") == []
