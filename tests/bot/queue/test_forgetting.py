"""What stays on the disk of somebody who was forgotten: nothing that names them, and nothing that pays for them."""

from __future__ import annotations

import os
import sqlite3
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue.database import PRAGMAS, StoreFull
from bot.queue.fair_queue import DEBT_KEPT_MS, claim, delete_paid_debts, enqueue
from bot.queue.job import JobState, Limits, NewJob, Outcome
from bot.queue.life.attempts import settle
from bot.queue.life.retention import forget
from bot.queue.opening.migrations import migrate, scripts
from bot.queue.store import JobStore
from generator.variants import BUILT_IN
from tests.bot.queue.test_old_data import old_folder
from tests.support.jobs import HOUR_MS, Clock, claimed, faults, in_memory, kept, new_job, opened, rendered

TOKEN = "aW50ZXJhY3Rpb246-secret-token"
PERSON = 4_711_000_000_000_000_471


def with_token(user_id: int = PERSON, *, expires_ms: int = 2**60) -> NewJob:
    new = new_job(user_id)
    key = f"{TOKEN}-{new.key}"
    route = replace(new.route, interaction_token=TOKEN + "x" * 1500, token_expires_ms=expires_ms)
    return replace(new, key=key, route=route)


def readable(folder: Path, text: str = TOKEN) -> list[str]:
    """Return the files of the data folder that hold the text anywhere in their bytes."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() and text.encode() in path.read_bytes())


async def used_store(store: JobStore) -> None:
    """Leave rows of the person in every state, between those of others, and some that were deleted before."""
    for number in range(30):
        await store.jobs.enqueue(with_token() if number % 3 == 0 else new_job(number))
    for number in range(12):
        job = await claimed(store)
        if number % 2:
            await store.jobs.settle_rendered(job, rendered(job))


async def test_nothing_of_a_forgotten_person_is_readable_in_any_file(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_user=0)) as store:
        await used_store(store)
        assert readable(tmp_path), "the negative control: it was written there"
        await store.retention.forget_user(PERSON)
        assert readable(tmp_path) == []
        with sqlite3.connect(tmp_path / "vivant.db") as db:
            assert faults(db) == []
        db.close()


async def test_a_disk_that_does_not_take_the_emptied_log_undoes_no_forgetting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, Limits(queued_per_user=0)) as store:
        await used_store(store)

        async def full() -> None:
            raise StoreFull("no room")

        with monkeypatch.context() as patch:
            patch.setattr(store.database, "checkpoint", full)
            forgotten = await store.retention.forget_user(PERSON)
        assert forgotten.jobs
        assert forgotten.files
        assert readable(tmp_path), "the negative control: the log still has it"
        await store.retention.sweep()
        assert readable(tmp_path) == []


@pytest.mark.parametrize("left_out", ["secure_delete", "emptied log"])
async def test_each_of_the_two_means_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    """The negative control: without overwriting, or without emptying the log, something is left."""
    if left_out == "secure_delete":
        kept_pragmas = tuple(pragma for pragma in PRAGMAS if left_out not in pragma)
        monkeypatch.setattr("bot.queue.database.PRAGMAS", (*kept_pragmas, "pragma secure_delete = off"))
    else:
        monkeypatch.setattr("bot.queue.database.EMPTY_LOG", "pragma wal_checkpoint(passive)")
    async with opened(tmp_path, Limits(queued_per_user=0)) as store:
        await used_store(store)
        await store.retention.forget_user(PERSON)
        assert readable(tmp_path) == ["vivant.db" if left_out == "secure_delete" else "vivant.db-wal"]


async def test_a_server_that_is_forgotten_takes_its_tokens_and_its_people_s_lanes_along(tmp_path: Path) -> None:
    async with opened(tmp_path, Limits(queued_per_user=0)) as store:
        await used_store(store)
        await store.jobs.enqueue(new_job(2, guild_id=6))
        await store.retention.forget_guild(5)
        assert readable(tmp_path) == []
        lanes = await store.database.read(lambda db: db.execute("select user_id from lane").fetchall())
        assert lanes == [(2,)], "who still has a job elsewhere"


async def test_a_bot_that_was_killed_after_forgetting_leaves_an_empty_log_at_its_next_start(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(pragma).fetchall()
    migrate(db, scripts(), tmp_path / "vivant.db")
    enqueue(db, with_token(), Limits(), BUILT_IN, 0)
    forget(db, "user_id", PERSON, 0)
    copied = tmp_path / "after the kill"
    copied.mkdir()
    for path in tmp_path.glob("vivant.db*"):
        (copied / path.name).write_bytes(path.read_bytes())
    db.close()
    assert readable(copied) == ["vivant.db-wal"], "the negative control"
    async with opened(copied):
        assert readable(copied) == []


async def test_an_answer_token_goes_when_it_is_good_for_nothing(store: JobStore, clock: Clock, tmp_path: Path) -> None:
    await store.jobs.enqueue(with_token(1, expires_ms=clock.now_ms + 15 * 60_000))
    await store.retention.sweep()
    assert (await kept(store, 1)).route.interaction_token, "it can still be answered"
    clock.now_ms += HOUR_MS
    await store.retention.sweep()
    assert (await kept(store, 1)).route.interaction_token is None
    assert readable(tmp_path, TOKEN + "x") == []


async def test_a_sweep_goes_on_until_nothing_too_old_is_left(
    store: JobStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.queue.life.retention.ROWS_AT_ONCE", 2)
    for number in range(5):
        await store.jobs.enqueue(new_job(number))
        job = await claimed(store)
        await store.jobs.settle_rendered(job, rendered(job))
        await store.deliveries.mark_sending(job.id)
        await store.deliveries.mark_sent(job.id, 5)
    clock.now_ms += 25 * HOUR_MS
    assert len(await store.retention.sweep()) == 10
    assert await store.retention.known_files() == set()


# -- copies of earlier versions -------------------------------------------------------------------------------------


async def test_a_person_is_forgotten_in_the_copy_that_an_update_made(tmp_path: Path) -> None:
    async with opened(old_folder(tmp_path)) as store:
        [copy] = tmp_path.glob("*-before-version-*.db")
        people = _people(copy)
        person = next(iter(people))
        assert len(people) > 1
        made = copy.stat().st_mtime
        await store.retention.forget_user(person)
        assert _people(copy) == people - {person}
        assert _lanes(copy) == people - {person}
        assert copy.stat().st_mtime == made, "its age counts from when it was made"
        for guild_id in (row[0] for row in _rows(copy, "select distinct guild_id from job where guild_id is not null")):
            await store.retention.forget_guild(guild_id)
            assert not _rows(copy, f"select 1 from job where guild_id = {guild_id}")


async def test_the_bytes_of_a_forgotten_person_leave_the_copy_too(tmp_path: Path) -> None:
    async with opened(old_folder(tmp_path)) as store:
        [person] = _rows(tmp_path / "vivant.db", "select user_id from job where route like '%a-token%' limit 1")[0]
        assert "vivant.db" in readable(tmp_path, "a-token")
        assert len(readable(tmp_path, "a-token")) == 2
        for (user_id,) in _rows(tmp_path / "vivant.db", "select distinct user_id from job"):
            await store.retention.forget_user(user_id)
        assert readable(tmp_path, "a-token") == [], f"{person}'s token"


async def test_a_copy_in_which_nobody_can_be_forgotten_is_deleted(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        damaged = tmp_path / "vivant-before-version-2.db"
        damaged.write_bytes(b"no database" * 500)
        await store.retention.forget_user(1)
        assert not damaged.exists()


async def test_copies_are_kept_for_a_week(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        old, new = (tmp_path / f"vivant-before-version-{number}.db" for number in (2, 3))
        for copy, days in ((old, 8), (new, 6)):
            copy.touch()
            os.utime(copy, times=(time.time() - days * 24 * 3600,) * 2)
        await store.retention.sweep()
        assert (old.exists(), new.exists()) == (False, True)
        await store.retention.sweep(row_days=5)
        assert not new.exists(), "no longer than rows are kept"


async def test_half_a_copy_of_a_start_that_was_killed_is_deleted(tmp_path: Path) -> None:
    half = tmp_path / "vivant-before-version-2.part"
    half.write_bytes(TOKEN.encode())
    async with opened(tmp_path):
        assert not half.exists()


async def test_what_an_earlier_version_had_only_marked_as_free_is_gone_after_the_update(tmp_path: Path) -> None:
    db = sqlite3.connect(old_folder(tmp_path) / "vivant.db", isolation_level=None)
    db.execute("pragma secure_delete = off").fetchall()
    for number in range(40):
        db.execute("insert into setting values (?, ?)", (f"{number}", TOKEN * 50))
    db.execute(f"delete from setting where value like '{TOKEN}%'")
    db.close()
    assert "vivant.db" in readable(tmp_path), "the negative control"
    async with opened(tmp_path):
        assert readable(tmp_path) == []


def _rows(path: Path, sql: str) -> list[tuple[int]]:
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def _people(path: Path) -> set[int]:
    return {row[0] for row in _rows(path, "select user_id from job")}


def _lanes(path: Path) -> set[int]:
    return {row[0] for row in _rows(path, "select user_id from lane")}


# -- the fair share -------------------------------------------------------------------------------------------------


def shares(people: int, rounds: int, *, forgets: bool, keeps_debt: bool = True) -> list[float]:
    """Return each person's part of the claims when all always have two jobs waiting; the first one has themselves
    forgotten whenever a clip of theirs is done."""
    db = in_memory()
    claims: Counter[int] = Counter()
    for turn in range(rounds):
        for person in range(people):
            [(waiting,)] = db.execute(
                "select count(*) from job where user_id = ? and state = 'queued'", (person,)
            ).fetchall()
            for _ in range(2 - waiting):
                enqueue(db, new_job(person), Limits(), BUILT_IN, turn)
        job = claim(db, Limits(), turn)
        assert job is not None
        claims[job.user_id] += 1
        settle(db, job, Outcome(state=JobState.RENDERED), turn)
        if forgets and job.user_id == 0:
            forget(db, "user_id", 0, turn)
            if not keeps_debt:
                db.execute("delete from debt")
    assert faults(db) == []
    return [claims[person] / rounds for person in range(people)]


@pytest.mark.parametrize("people", [2, 6])
def test_who_is_forgotten_after_each_clip_gets_no_more_of_the_gpu(people: int) -> None:
    assert shares(people, 240, forgets=True)[0] <= 1 / people + 0.01
    assert shares(people, 240, forgets=True) == pytest.approx(shares(people, 240, forgets=False), abs=0.01)


def test_without_the_debt_forgetting_would_pay() -> None:
    """The negative control."""
    assert shares(6, 240, forgets=True, keeps_debt=False)[0] > 1 / 6 + 0.02


def test_a_debt_names_nobody_and_goes_when_the_queue_has_caught_up() -> None:
    db = in_memory()
    for _ in range(2):
        enqueue(db, new_job(PERSON), Limits(), BUILT_IN, 0)
        claim(db, Limits(), 0)
    forget(db, "user_id", PERSON, 0)
    [(who, served, _)] = db.execute("select * from debt").fetchall()
    assert (str(PERSON) in who, len(who), served > 0) == (False, 64, True)
    assert not db.execute("select 1 from lane where user_id = ?", (PERSON,)).fetchall()
    forget(db, "user_id", PERSON, 0)
    assert db.execute("select served from debt").fetchall() == [(served,)], "a second time changes nothing"


def test_a_debt_is_its_persons_own() -> None:
    db = in_memory()

    def begin_anew() -> None:
        db.execute("update meta set value = 0 where key = 'vtime'")

    for person, count in ((PERSON, 3), (PERSON + 1, 2)):
        for _ in range(count):
            enqueue(db, new_job(person), Limits(), BUILT_IN, 0)
            claim(db, Limits(), 0)
        begin_anew()
        forget(db, "user_id", person, 0)
    more, less = (served for (served,) in db.execute("select served from debt order by served desc").fetchall())
    starts = []
    for person in (PERSON, PERSON + 1, PERSON + 2):
        job = enqueue(db, new_job(person), Limits(), BUILT_IN, 0)
        starts += db.execute("select start_tag from job where id = ?", (job.id,)).fetchall()
    assert starts == [(more,), (less,), (0,)], "whoever was not forgotten begins with the queue"


async def test_a_debt_is_deleted_when_it_is_paid_and_after_a_day_at_the_latest(store: JobStore, clock: Clock) -> None:
    async def debts() -> int:
        return len(await store.database.read(lambda db: db.execute("select 1 from debt").fetchall()))

    async def owe(user_id: int) -> None:
        for _ in range(2):
            await store.jobs.enqueue(new_job(user_id))
            await claimed(store)
        await store.retention.forget_user(user_id)

    await owe(1)
    await store.retention.sweep()
    assert await debts() == 1, "nobody has caught up yet"
    for _ in range(3):
        await store.jobs.enqueue(new_job(2))
        await claimed(store)
    await store.retention.sweep()
    assert await debts() == 0
    await owe(3)
    clock.now_ms += 25 * HOUR_MS
    await store.retention.sweep()
    assert await debts() == 0


def test_a_debt_is_kept_for_a_day_to_the_millisecond_from_the_last_forgetting() -> None:
    db = in_memory()
    for _ in range(2):
        enqueue(db, new_job(PERSON), Limits(), BUILT_IN, 0)
        claim(db, Limits(), 0)
    forget(db, "user_id", PERSON, 1_000)
    enqueue(db, new_job(PERSON), Limits(), BUILT_IN, 0)
    claim(db, Limits(), 0)
    forget(db, "user_id", PERSON, 5_000)
    for now_ms, kept_on in ((5_000 + DEBT_KEPT_MS, True), (5_001 + DEBT_KEPT_MS, False)):
        delete_paid_debts(db, now_ms)
        assert bool(db.execute("select 1 from debt").fetchall()) is kept_on


def test_a_debt_is_paid_when_the_queue_has_caught_up_to_the_millisecond() -> None:
    for behind, kept_on in ((1, True), (0, False)):
        db = in_memory()
        for _ in range(2):
            enqueue(db, new_job(PERSON), Limits(), BUILT_IN, 0)
            claim(db, Limits(), 0)
        forget(db, "user_id", PERSON, 0)
        db.execute("update meta set value = (select served from debt) - ? where key = 'vtime'", (behind,))
        delete_paid_debts(db, 0)
        assert bool(db.execute("select 1 from debt").fetchall()) is kept_on


async def test_a_person_without_a_job_leaves_no_lane_behind_either(store: JobStore) -> None:
    """Theirs was kept for what they had used; another one's without a job stays."""
    for user_id in (1, 2):
        for _ in range(2):
            await store.jobs.enqueue(new_job(user_id))
            await store.jobs.settle_cancelled(await claimed(store))
    await store.database.write(lambda db: db.execute("delete from job").fetchall())
    assert (await store.retention.forget_user(1)).jobs == []
    assert (await store.retention.forget_guild(2)).jobs == [], "a server of that number is nobody"
    lanes = await store.database.read(lambda db: db.execute("select user_id from lane").fetchall())
    assert lanes == [(2,)]


async def test_what_was_forgotten_says_where_each_job_stood(store: JobStore) -> None:
    """The cards of those that were not answered are still to be ended, and posts still to be deleted."""
    for number, end in enumerate(("sent", "dead", "pending", "sending", "running", "queued")):
        await store.jobs.enqueue(new_job(1, guild_id=number % 2))
        if end == "queued":
            continue
        job = await claimed(store)
        if end == "running":
            continue
        await store.jobs.settle_rendered(job, rendered(job))
        if end != "pending":
            await store.deliveries.mark_sending(job.id)
        if end == "sent":
            await store.deliveries.mark_sent(job.id, 4711)
        if end == "dead":
            await store.deliveries.mark_dead(job.id, "refused")
    forgotten = await store.retention.forget_user(1)
    found = [(item.job.id, item.message_id, item.is_answered) for item in forgotten.jobs]
    assert found == [(1, 4711, True), (2, None, True), *((number, None, False) for number in (3, 4, 5, 6))]
    assert forgotten.jobs[4].job.state is JobState.RUNNING


def test_who_used_nothing_owes_nothing() -> None:
    db = in_memory()
    for _ in range(3):
        enqueue(db, new_job(1), Limits(), BUILT_IN, 0)
    forget(db, "user_id", 1, 0)
    assert db.execute("select * from debt").fetchall() == []


def test_a_row_that_cannot_be_read_is_forgotten_too() -> None:
    db = in_memory()
    for _ in range(2):
        enqueue(db, new_job(1), Limits(), BUILT_IN, 0)
    db.execute("""update job set settings = '{"format": "of next year"}' where id = 1""")
    forgotten = forget(db, "user_id", 1, 0)
    assert [item.job.id for item in forgotten.jobs] == [2]
    assert len(forgotten.files) == 2
    assert db.execute("select * from job").fetchall() == []


async def test_a_variation_of_somebody_else_keeps_the_picture(store: JobStore) -> None:
    first = new_job(1)
    await store.jobs.enqueue(first)
    await store.jobs.enqueue(replace(new_job(2), picture=first.picture))
    assert (await store.retention.forget_user(1)).files == []
    assert (await kept(store, 2)).picture == first.picture
    assert (await store.retention.forget_user(2)).files == [first.picture]
