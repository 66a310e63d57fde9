"""Who comes before a waiting job, and when it may be done: with what the running renders tell, and without."""

from __future__ import annotations

from dataclasses import replace

from bot.queue.job import Job, QueuePosition
from bot.queue.store import JobStore
from tests.support.jobs import Clock, claimed, new_job, rendered

PHASES = {"prepare": 1.0, "denoise": 15.0, "decode": 4.0, "encode": 3.0}


async def position(store: JobStore, job: Job) -> QueuePosition:
    found = await store.jobs.position(job.id)
    assert found is not None
    return found


def company(found: QueuePosition) -> tuple[int, int, int, int]:
    return found.position, found.running, found.people, found.own


async def test_it_counts_whose_clips_come_before(store: JobStore) -> None:
    running = [await store.jobs.enqueue(new_job(user)) for user in (1, 2)]
    for _ in running:
        await claimed(store)
    third = await store.jobs.enqueue(new_job(3))
    first_again = await store.jobs.enqueue(new_job(1))
    third_again = await store.jobs.enqueue(new_job(3))
    assert company(await position(store, third)) == (1, 2, 2, 0)
    assert company(await position(store, first_again)) == (2, 2, 3, 1)
    assert company(await position(store, third_again)) == (3, 2, 3, 1)
    await store.jobs.cancel(third.id)
    assert company(await position(store, first_again)) == (1, 2, 2, 1)


async def test_the_time_goes_from_asking_to_the_post(store: JobStore, clock: Clock) -> None:
    for _ in range(3):
        await store.jobs.enqueue(new_job())
        job = await claimed(store)
        await store.jobs.settle_rendered(job, replace(rendered(job), phase_seconds=PHASES))
        await store.deliveries.mark_sending(job.id)
        clock.now_ms += 2_000
        await store.deliveries.mark_sent(job.id, 9)
    found = await position(store, await store.jobs.enqueue(new_job()))
    assert found.after_ms == 5_000
    assert found.eta_ms == 25_000


async def test_a_running_render_tells_itself_how_long_it_still_takes(store: JobStore, clock: Clock) -> None:
    for _ in range(3):
        await store.jobs.enqueue(new_job())
        job = await claimed(store)
        await store.jobs.settle_rendered(job, replace(rendered(job), phase_seconds=PHASES))
    await store.jobs.enqueue(new_job(1))
    running = await claimed(store)
    waits = await store.jobs.enqueue(new_job(2))
    untold = (await position(store, waits)).eta_ms
    store.jobs.left_ms = lambda: {running.id: 70_000}
    told = (await position(store, waits)).eta_ms
    assert untold is not None and told is not None
    assert told - untold == 50_000


async def test_an_overdue_render_is_expected_to_take_longer_still(store: JobStore, clock: Clock) -> None:
    for _ in range(3):
        await store.jobs.enqueue(new_job())
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    await store.jobs.enqueue(new_job(1))
    await claimed(store)
    waits = await store.jobs.enqueue(new_job(2))
    times = []
    for seconds in (0, 10, 10, 100, 1000):
        clock.now_ms += seconds * 1000
        times.append((await position(store, waits)).eta_ms or 0)
    assert times[0] - times[1] == 10_000
    assert times[2] < times[3] < times[4]
    assert times[4] > 400_000
