"""Rows that this version does not understand: set aside, told, and in nobody's way."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.queue.database import Statements, fetch
from bot.queue.job import DeliveryState, JobState
from bot.queue.store import JobStore
from generator.clip import ClipSettings
from tests.support.jobs import Clock, claimed, failure, faults, kept, new_job, opened, rendered

FORMAT = "settings = json_set(settings, '$.format', 'hologram')"
SPOILT = {
    "an unknown format": FORMAT,
    "an unknown loop": "settings = json_set(settings, '$.loop', 'spiral')",
    "settings of another type": "settings = json_set(settings, '$.steps', 'many')",
    "settings out of range": "settings = json_set(settings, '$.steps', 100000)",
    "settings that are no object": "settings = '[]'",
    "notes that are no pairs": "notes = '[1]'",
    "notes that are no list": "notes = '7'",
    "a note without its data": """notes = '[["memory", 5]]'""",
    "a failure that is no object": "failure = '[]'",
    "facts that are no object": "facts = '1'",
    "a state of another version": "state = 'archived'",
}
WITHOUT_ROUTE = {
    "a route without its channel": "route = '{}'",
    "a route of another type": "route = json_set(route, '$.channel_id', 'general')",
    "a route that is no object": "route = '[]'",
}


def spoil(folder: Path, change: str, job_id: int = 1) -> None:
    with closing(sqlite3.connect(folder / "vivant.db")) as db:
        db.execute("pragma ignore_check_constraints = on")
        db.execute(f"update job set {change} where id = ?", (job_id,))
        db.commit()


async def state_then(store: JobStore, change: str, folder: Path) -> None:
    """Accept two people's requests, spoil the first one's row, and begin again as a start does."""
    for user_id in (1, 2):
        await store.jobs.enqueue(new_job(user_id))
    spoil(folder, change)


@pytest.mark.parametrize("change", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
async def test_a_start_sets_the_job_aside_and_tells_its_person_and_the_owner(
    tmp_path: Path, change: str, running: bool
) -> None:
    async with opened(tmp_path) as store:
        for user_id in (1, 2):
            await store.jobs.enqueue(new_job(user_id))
        if running:
            await claimed(store)
    spoil(tmp_path, change)
    told: list[int] = []

    async with opened(tmp_path, now_ms=Clock()) as store:
        await store.jobs.recover()
        store.jobs.tell_of_set_aside(told.append)
        job = await kept(store, 1)
        assert (job.state, failure(job)["data"]) == (JobState.FAILED, {"type": "Unreadable"})
        assert [delivery.job_id for delivery in await store.deliveries.due()] == [1], "its person is told"
        assert told == [1], "and so is the owner"
        assert (await claimed(store)).id == 2, "nobody else waits for it"
        assert await store.database.read(faults) == []


@pytest.mark.parametrize(("change", "steps"), [("notes = '7'", 17), (FORMAT, ClipSettings().steps)])
async def test_settings_that_can_be_read_are_kept(tmp_path: Path, change: str, steps: int) -> None:
    """Again asks for the same clip; the control is a row of which the settings are what cannot be read."""
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job(steps=17))
    spoil(tmp_path, change)
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        assert (await kept(store, 1)).settings.steps == steps


@pytest.mark.parametrize("change", WITHOUT_ROUTE.values(), ids=WITHOUT_ROUTE)
async def test_without_a_route_its_answer_is_a_dead_letter(tmp_path: Path, change: str) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job(1))
    spoil(tmp_path, change)
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        delivery = await store.deliveries.of_job(1)
        assert delivery is not None
        assert (delivery.state, delivery.error) == (DeliveryState.DEAD, "unreadable")
        assert (await kept(store, 1)).state is JobState.FAILED
        assert await store.deliveries.due() == []


@pytest.mark.parametrize("change", [*SPOILT.values(), *WITHOUT_ROUTE.values()])
async def test_a_claim_that_meets_such_a_row_takes_the_next_job(tmp_path: Path, change: str) -> None:
    if change.startswith("state"):
        change = FORMAT  # a row in no known state is never claimed
    told: list[int] = []
    async with opened(tmp_path) as store:
        store.jobs.tell_of_set_aside(told.append)
        await state_then(store, change, tmp_path)
        assert (await claimed(store)).id == 2
        assert (await kept(store, 1)).state is JobState.FAILED
        assert told == [1]
        assert await store.database.read(faults) == []


async def test_a_clip_that_waits_for_its_delivery_is_not_lost_silently(tmp_path: Path) -> None:
    async with opened(tmp_path, now_ms=Clock(1_000)) as store:
        await store.jobs.enqueue(new_job())
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    spoil(tmp_path, FORMAT)
    async with opened(tmp_path, now_ms=Clock(9_000)) as store:
        await store.jobs.recover()
        assert (await kept(store, 1)).state is JobState.FAILED
        assert len(await store.deliveries.due()) == 1
        assert await store.database.read(fetch, "select finished_ms from job") == [(1_000,)], "it ended then"


async def test_what_was_answered_is_left_as_it_is_and_out_of_every_list(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for _ in range(2):
            await store.jobs.enqueue(new_job())
            await store.jobs.settle_cancelled(await claimed(store))
        await store.deliveries.mark_sending(1)
        await store.deliveries.mark_sent(1, 5)
    spoil(tmp_path, FORMAT)
    told: list[int] = []
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        store.jobs.tell_of_set_aside(told.append)
        assert told == []
        assert await store.jobs.get(1) is None
        assert [job.id for job in await store.jobs.of_user(1)] == [2]


async def test_the_row_is_kept_for_the_operator_without_its_token_and_goes_with_its_person(tmp_path: Path) -> None:
    def put_aside(db: Statements) -> list[str]:
        return [row for (row,) in db.execute("select row from set_aside").fetchall()]

    async with opened(tmp_path) as store:
        for user_id in (1, 2):
            await store.jobs.enqueue(new_job(user_id))
    spoil(tmp_path, f"{FORMAT}, route = json_set(route, '$.interaction_token', 'secret')")
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        [row] = await store.database.read(put_aside)
        assert "hologram" in row
        assert "secret" not in row
        await store.retention.forget_user(1)
        assert await store.database.read(put_aside) == []


async def test_a_row_in_order_is_never_taken_for_unreadable(tmp_path: Path) -> None:
    """The negative control of everything above."""
    told: list[int] = []
    async with opened(tmp_path) as store:
        await state_then(store, "settings = json_set(settings, '$.hologram', 'a key of a newer version')", tmp_path)
    async with opened(tmp_path) as store:
        await store.jobs.recover()
        store.jobs.tell_of_set_aside(told.append)
        assert (await claimed(store)).id == 1
        assert told == []
