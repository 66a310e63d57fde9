"""What is deleted when, and what is kept."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.queue.database import Statements, fetch
from bot.queue.estimates import KINDS_AT_ONCE, KINDS_KEPT
from bot.queue.job import DeliveryState, Job, JobState, Limits
from bot.queue.life.retention import ATTEMPTS_IN_VAIN, release_files
from bot.queue.store import JobStore
from generator.errors import RenderCrashed
from tests.support.jobs import HOUR_MS, Clock, claimed, faults, kept, new_job, opened, rendered


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


async def try_in_vain(store: JobStore, clock: Clock) -> None:
    """Try the first job's delivery as often as one that is given up; the last attempt has no end yet."""
    for _ in range(ATTEMPTS_IN_VAIN - 1):
        await store.deliveries.mark_sending(1)
        await store.deliveries.mark_later(1, clock.now_ms, "timeout")
    await store.deliveries.mark_sending(1)
    delivery = await store.deliveries.of_job(1)
    assert delivery is not None and delivery.attempts == ATTEMPTS_IN_VAIN


@pytest.mark.parametrize("state", ["pending", "sending"])
async def test_a_delivery_that_was_tried_in_vain_for_a_month_is_given_up_with_its_files(
    store: JobStore, clock: Clock, state: str
) -> None:
    stuck, untried = new_job(1), new_job(2)
    for new in (stuck, untried):
        await store.jobs.enqueue(new)
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    clock.now_ms += HOUR_MS
    await store.deliveries.mark_sending(1)
    clock.now_ms += 31 * 24 * HOUR_MS
    await store.retention.sweep()
    assert (await kept(store, 1)).clip == "1-1.mp4"  # tried once, by a clock that may have been wrong then
    clock.now_ms -= 31 * 24 * HOUR_MS
    await try_in_vain(store, clock)
    if state == "pending":
        await store.deliveries.mark_later(1, clock.now_ms, "timeout")

    clock.now_ms += 30 * 24 * HOUR_MS
    await store.retention.sweep()
    assert (await kept(store, 1)).clip == "1-1.mp4"  # tried for a month to the hour
    clock.now_ms += 1
    assert await store.retention.sweep() == ["1-1.mp4", stuck.picture]

    assert await store.jobs.get(1) is None
    assert not await store.deliveries.mark_sending(1)
    assert (await kept(store, 2)).clip == "2-1.mp4"  # it has not had its try yet


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


async def test_a_sweep_looks_at_a_bounded_part_of_the_jobs_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at a million rows would hold up whoever asks for their position, and a claim where it is a change."""
    monkeypatch.setattr("bot.queue.life.retention.ROWS_LOOKED_AT", 3)
    monkeypatch.setattr("bot.queue.life.retention.ROWS_AT_ONCE", 2)
    clock = Clock()
    async with opened(tmp_path, Limits(queued_per_user=0), now_ms=clock) as store:
        for _ in range(10):
            await store.jobs.enqueue(new_job())
            job = await claimed(store)
            await store.jobs.settle_rendered(job, rendered(job))
            await store.deliveries.mark_sending(job.id)
            await store.deliveries.mark_sent(job.id, 5)
        await store.jobs.withdraw((await store.jobs.enqueue(new_job())).id)  # its id is never used again
        await store.jobs.enqueue(new_job())
        clock.now_ms += 31 * 24 * HOUR_MS
        looks = []
        read, write = store.database.read, store.database.write

        async def look(function: Any, *args: Any) -> Any:
            found = await read(function, *args)
            looks.append(found)
            return found

        async def change(function: Any, *args: Any) -> Any:
            if args and isinstance(args[0], list):
                assert len(args[0]) <= 2
            return await write(function, *args)

        monkeypatch.setattr(store.database, "read", look)
        monkeypatch.setattr(store.database, "write", change)
        assert len(await store.retention.sweep()) == 20, "a picture and a clip of each"
        monkeypatch.undo()
        assert max(len(found) for found in looks if isinstance(found, list)) == 3
        assert [job.id for job in await store.jobs.of_user(1)] == [12]


async def test_kinds_of_render_do_not_pile_up(tmp_path: Path) -> None:
    """Anybody can ask for new ones: each number of steps and frames is one."""
    clock = Clock()
    async with opened(tmp_path, Limits(queued_per_user=0), now_ms=clock) as store:
        for number in range(KINDS_KEPT + 20):  # measured, and not needed by a job any more
            await store.database.write(add_kind, f"measured-{number}", "[1000]")
        for number in range(3 * KINDS_AT_ONCE // 2):
            await store.database.write(add_kind, f"never-measured-{number}", "[]")
        await store.jobs.enqueue(new_job(steps=11))
        waits = await store.database.read(fetch, "select kind_id from job")

        sizes = []
        for _ in range(3):
            await store.retention.sweep()
            sizes.append(len(await store.database.read(fetch, "select id from kind")))

        most = KINDS_KEPT + 20 + 3 * KINDS_AT_ONCE // 2 + 1
        assert sizes == [most - KINDS_AT_ONCE, KINDS_KEPT + 1, KINDS_KEPT + 1], "a bounded part at a time"
        assert (await store.database.read(fetch, "select id from kind order by id desc limit 1")) == waits
        left = {name for (name,) in await store.database.read(fetch, "select name from kind")}
        assert f"measured-{KINDS_KEPT + 19}" in left and "measured-0" not in left, "the oldest go"
        assert not any(name.startswith("never") for name in left)


def add_kind(db: Statements, name: str, recent: str) -> None:
    sql = (
        "insert into kind (name, variant, model_ms, recent, cost_ms, low_ms, high_ms) values (?, 'svd', 1, ?, 1, 1, 1)"
    )
    db.execute(sql, (name, recent))


async def answered(store: JobStore, user_id: int, end: str, guild_id: int | None = 5) -> Job:
    """End a job, with its clip, and its delivery."""
    await store.jobs.enqueue(new_job(user_id, guild_id=guild_id))
    job = await claimed(store)
    await store.jobs.settle_rendered(job, rendered(job))
    if end != "pending":
        await store.deliveries.mark_sending(job.id)
    if end == "sent":
        await store.deliveries.mark_sent(job.id, 5)
    elif end == "dead":
        await store.deliveries.mark_dead(job.id, "channel-gone")
    return job


async def test_a_dead_letter_keeps_its_clip_for_longer_and_goes_with_its_row(store: JobStore, clock: Clock) -> None:
    for number, end in enumerate(("sent", "dead", "pending", "sending")):
        await answered(store, number, end)

    clock.now_ms += 29 * 24 * HOUR_MS
    await store.retention.sweep()
    assert [(await kept(store, number)).clip for number in range(1, 5)] == [None, "2-1.mp4", "3-1.mp4", "4-1.mp4"]

    clock.now_ms += 2 * 24 * HOUR_MS
    assert "2-1.mp4" in await store.retention.sweep()
    assert [await store.jobs.get(number) is not None for number in range(1, 5)] == [False, False, True, True]


async def test_nothing_goes_before_its_time(store: JobStore, clock: Clock) -> None:
    await answered(store, 1, "sent")
    clock.now_ms += 24 * HOUR_MS
    assert await store.retention.sweep() == []
    clock.now_ms += 1
    assert "1-1.mp4" in await store.retention.sweep()
    clock.now_ms += 29 * 24 * HOUR_MS - 1
    await store.retention.sweep()
    assert await store.jobs.get(1) is not None
    clock.now_ms += 1
    await store.retention.sweep()
    assert await store.jobs.get(1) is None


async def test_servers_are_those_with_jobs_where_this_application_was_a_member(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for guild_id, application_id, can_post in (
            (5, 1, True),
            (5, 1, True),
            (6, 1, False),
            (7, 2, True),
            (None, 1, True),
            (8, 1, True),
        ):
            new = new_job(guild_id=guild_id)
            route = replace(new.route, application_id=application_id, can_post=can_post)
            await store.jobs.enqueue(replace(new, route=route))
        assert await store.retention.guilds(1) == {5, 8}
        assert await store.retention.guilds(2) == {7}


async def test_servers_are_looked_for_a_bounded_part_at_a_time_and_then_among_newer_jobs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot connects again and again, and a job of a million is not read each time."""
    monkeypatch.setattr("bot.queue.life.retention.ROWS_LOOKED_AT", 2)
    async with opened(tmp_path) as store:
        for guild_id in (5, 6, 7, 8, 9):
            await store.jobs.enqueue(new_job(guild_id=guild_id))
        assert await store.retention.guilds(1) == {5, 6, 7, 8, 9}
        await store.database.write(lambda db: db.execute("update job set guild_id = 1 where id <= 3").fetchall())
        assert await store.retention.guilds(1) == {5, 6, 7, 8, 9}, "the older jobs were read again"
        await store.jobs.enqueue(new_job(guild_id=10))
        await store.retention.forget_guild(5)
        assert await store.retention.guilds(1) == {6, 7, 8, 9, 10}


async def test_forgetting_one_person_or_server_leaves_the_others_as_they_are(store: JobStore) -> None:
    await answered(store, 1, "sent", guild_id=5)
    await answered(store, 2, "sent", guild_id=6)
    await answered(store, 2, "dead", guild_id=5)
    await answered(store, 3, "sent", guild_id=None)

    assert "1-1.mp4" in (await store.retention.forget_user(1)).files
    assert [await store.jobs.get(number) is not None for number in range(1, 5)] == [False, True, True, True]
    assert "3-1.mp4" in (await store.retention.forget_guild(5)).files
    assert [await store.jobs.get(number) is not None for number in range(1, 5)] == [False, True, False, True]
    assert "2-1.mp4" in await store.retention.known_files()


async def test_a_deleted_post_lets_go_of_its_own_job_alone(store: JobStore) -> None:
    await answered(store, 1, "sending")
    await answered(store, 2, "sending")

    assert await store.retention.drop_files(1) == ["1-1.mp4", (await picture_of(store, 1, 2))]
    states = [delivery.state for number in (1, 2) if (delivery := await store.deliveries.of_job(number))]
    assert states == [DeliveryState.SENT, DeliveryState.SENDING]
    assert (await kept(store, 2)).clip == "2-1.mp4"


async def picture_of(store: JobStore, dropped: int, other: int) -> str:
    """Return the picture of a job that has let go of it: the number before another one's."""
    assert (await kept(store, dropped)).picture == ""
    number = int((await kept(store, other)).picture.removeprefix("picture-key-").removesuffix(".png"))
    return f"picture-key-{number - 1}.png"


async def test_a_person_with_a_debt_keeps_their_lane_until_the_others_have_caught_up(tmp_path: Path) -> None:
    """Else whoever asks for one clip after the other would begin anew with each."""
    async with opened(tmp_path, now_ms=Clock()) as store:
        await answered(store, 1, "sent")  # has used the GPU: their lane is ahead of the queue's time
        await store.retention.sweep()
        await store.jobs.enqueue(new_job(1))
        await store.jobs.enqueue(new_job(2))
        assert (await claimed(store)).user_id == 2


async def test_a_person_whose_job_runs_for_long_keeps_their_lane(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job(1))
        running = await claimed(store)
        for number in range(2, 8):  # the queue's time moves past all that the first person has used
            await answered(store, 2 if number % 2 else 3, "sent")
        await store.retention.sweep()
        assert await store.database.read(faults) == []
        assert await store.jobs.settle_rendered(running, rendered(running)) is JobState.RENDERED


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


async def test_a_dead_letter_without_a_clip_keeps_no_picture_longer_than_others(store: JobStore, clock: Clock) -> None:
    failed, made, lost = new_job(1), new_job(2), new_job(3)
    for new, reason in ((failed, "no-permission"), (made, "no-permission"), (lost, "clip-gone")):
        await store.jobs.enqueue(new)
        job = await claimed(store)
        if new is failed:
            await store.jobs.settle_failed(job, RenderCrashed("no"))
        else:
            await store.jobs.settle_rendered(job, rendered(job))
        await store.deliveries.mark_dead(job.id, reason)
    clock.now_ms += 25 * HOUR_MS
    assert await store.retention.sweep() == sorted([failed.picture, lost.picture, "3-1.mp4"])
    assert await store.retention.known_files() == {made.picture, "2-1.mp4"}, "a clip waits, with its picture"


async def test_a_first_try_by_a_clock_that_was_ahead_counts_as_one_of_now(store: JobStore, clock: Clock) -> None:
    await store.jobs.enqueue(new_job(1))
    job = await claimed(store)
    clock.now_ms += 3650 * 24 * HOUR_MS
    await store.jobs.settle_rendered(job, rendered(job))
    await try_in_vain(store, clock)
    clock.now_ms -= 3650 * 24 * HOUR_MS
    await store.retention.sweep()
    clock.now_ms += 30 * 24 * HOUR_MS
    await store.retention.sweep()
    await kept(store, 1)
    clock.now_ms += 1
    await store.retention.sweep()
    assert await store.jobs.get(1) is None


@pytest.mark.parametrize("end", ["queued", "running", "pending"])
async def test_nothing_that_is_still_to_be_tried_lets_go_of_its_files(store: JobStore, end: str) -> None:
    """Whatever a look before the transaction has found."""
    new = new_job(1)
    await store.jobs.enqueue(new)
    if end != "queued":
        job = await claimed(store)
        if end == "pending":
            await store.jobs.settle_rendered(job, rendered(job))
    assert await store.database.write(release_files, [1]) == []
    assert (await kept(store, 1)).picture == new.picture
    if end == "pending":
        await store.deliveries.mark_sending(1)
        assert await store.database.write(release_files, [1]) == ["1-1.mp4", new.picture], "the negative control"


@pytest.mark.parametrize("end", ["pending", "sending", "sent"])
async def test_the_picture_of_a_failed_job_is_kept_until_its_person_knows(
    store: JobStore, clock: Clock, end: str
) -> None:
    new = new_job(1)
    await store.jobs.enqueue(new)
    await store.jobs.settle_failed(await claimed(store), RenderCrashed("no"))
    await store.deliveries.mark_sending(1)
    if end == "pending":
        await store.deliveries.mark_later(1, clock.now_ms, "timeout")
    if end == "sent":
        await store.deliveries.mark_sent(1, 5)
    clock.now_ms += 25 * HOUR_MS
    assert await store.retention.sweep() == ([new.picture] if end == "sent" else [])


async def test_a_sweep_goes_by_the_time_that_it_is_given(store: JobStore, clock: Clock) -> None:
    await answered(store, 1, "sent")
    assert await store.retention.sweep(clock.now_ms) == []
    assert "1-1.mp4" in await store.retention.sweep(clock.now_ms + 25 * HOUR_MS)
    assert await store.retention.sweep(clock.now_ms + 23 * HOUR_MS, clip_hours=1) == [], "it has none any more"
    await answered(store, 2, "sent")
    assert "2-1.mp4" in await store.retention.sweep(clock.now_ms + 2 * HOUR_MS, clip_hours=1)
    await store.retention.sweep(clock.now_ms + 25 * HOUR_MS, row_days=1)
    assert [await store.jobs.get(number) for number in (1, 2)] == [None, None]


async def test_a_job_lets_go_of_all_its_files_and_keeps_what_else_is_known(store: JobStore, clock: Clock) -> None:
    new = new_job(1)
    await store.jobs.enqueue(new)
    job = await claimed(store)
    await store.jobs.settle_rendered(job, replace(rendered(job), master_path=Path("1-1-master.mp4")))
    await store.deliveries.mark_sending(1)
    await store.deliveries.mark_sent(1, 5)
    assert await store.retention.known_files() == {new.picture, "1-1.mp4", "1-1-master.mp4"}
    before = await kept(store, 1)
    clock.now_ms += 25 * HOUR_MS
    assert await store.retention.sweep() == sorted(["1-1.mp4", "1-1-master.mp4", new.picture])
    assert await kept(store, 1) == replace(before, picture="", clip=None, master=None)
    assert await store.retention.sweep() == [], "once"


@pytest.mark.parametrize(("column", "ahead_ms"), [("finished_ms", 2 * HOUR_MS), ("finished_ms", HOUR_MS)])
async def test_only_an_end_that_is_more_than_an_hour_ahead_is_a_wrong_clocks(
    store: JobStore, clock: Clock, column: str, ahead_ms: int
) -> None:
    await answered(store, 1, "sent")
    await store.database.write(fetch, f"update job set {column} = {column} + {ahead_ms}")
    await store.retention.sweep()
    [(found,)] = await store.database.read(fetch, f"select {column} from job")
    assert found == clock.now_ms + (0 if ahead_ms > HOUR_MS else ahead_ms)


async def test_a_token_goes_in_the_moment_after_it_expires(store: JobStore, clock: Clock) -> None:
    for user_id, expires_ms in ((1, clock.now_ms), (2, clock.now_ms - 1), (3, None)):
        new = new_job(user_id)
        route = replace(new.route, interaction_token="a-token", token_expires_ms=expires_ms, spoiler=True)
        await store.jobs.enqueue(replace(new, route=route))
    await store.retention.sweep()
    routes = [(await kept(store, number)).route for number in (1, 2, 3)]
    assert [route.interaction_token for route in routes] == ["a-token", None, None]
    assert all(route.spoiler for route in routes), "and nothing else of the route"


@pytest.mark.parametrize(
    ("runs", "waits", "has_job", "is_behind", "stays"),
    [
        (False, False, True, True, False),
        (False, False, True, False, True),
        (False, False, False, False, False),
        (True, False, True, True, True),
        (False, True, True, True, True),
    ],
)
async def test_a_lane_goes_when_nothing_of_its_person_waits_or_runs_and_they_owe_nothing(
    tmp_path: Path, runs: bool, waits: bool, has_job: bool, is_behind: bool, stays: bool
) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job(1))
        if not waits:
            job = await claimed(store)
            if not runs:
                await store.jobs.settle_cancelled(job)
        if not has_job:
            await store.database.write(fetch, "delete from job")
        if is_behind:
            await store.database.write(fetch, "update meta set value = 10000000 where key = 'vtime'")
        await store.retention.sweep()
        assert bool(await store.database.read(fetch, "select 1 from lane")) is stays


async def test_a_deleted_clip_leaves_the_picture_to_another_clip_of_it(store: JobStore) -> None:
    first = new_job(1)
    for new in (first, replace(new_job(1), picture=first.picture)):
        await store.jobs.enqueue(new)
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
    assert await store.retention.drop_files(1) == ["1-1.mp4"]
    assert await store.retention.drop_files(2) == sorted(["2-1.mp4", first.picture])


# -- many rows ---------------------------------------------------------------------------------------------------------


async def test_nothing_that_holds_up_a_claim_looks_through_all_jobs(tmp_path: Path) -> None:
    """With a million rows each such look takes a second, and a sweep made one for each file that it deleted."""
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        said: list[str] = []
        await store.database.write(_trace, said.append)
        for _ in range(3):
            await store.jobs.enqueue(new_job())
        for _ in range(2):
            job = await claimed(store)
            await store.jobs.settle_rendered(job, rendered(job))
            await store.deliveries.mark_sending(job.id)
            await store.deliveries.mark_sent(job.id, 5)
        await store.jobs.give_back(await claimed(store), counts=True)
        await store.jobs.cancel(3)
        await store.retention.drop_files(1)
        for days in (2, 31):
            clock.now_ms += days * 24 * HOUR_MS
            await store.retention.sweep()
        await store.jobs.enqueue(new_job(2))
        await store.retention.forget_user(2)
        await store.database.write(_trace, None)
        statements = [text for text in said if text.lstrip().split()[0] in ("select", "insert", "update", "delete")]
        plans = [plan for text in statements for plan in await store.database.read(fetch, f"explain query plan {text}")]
        assert len(plans) > 50
        assert [plan[3] for plan in plans if plan[3].startswith("SCAN job") and "job_live" not in plan[3]] == []


def _trace(db: Any, hear: Any) -> None:
    db.set_trace_callback(hear)
