"""What people chose last: kept for each, added to, forgotten in time and on demand."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from bot.queue.database import fetch
from bot.queue.opening.migrations import migrate, scripts
from bot.queue.servers.choices import KEPT_DAYS
from bot.queue.store import JobStore
from tests.support.jobs import HOUR_MS, Clock, opened

ADA, BEN = 1, 2


async def test_what_was_chosen_is_there_after_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.choices.of(ADA) == {}
        await store.choices.keep(ADA, {"motion": "wild", "extras": ["smooth"]})
    async with opened(tmp_path) as store:
        assert await store.choices.of(ADA) == {"motion": "wild", "extras": ["smooth"]}
        assert await store.choices.of(BEN) == {}


async def test_a_field_that_was_not_asked_stays_as_it_was(store: JobStore) -> None:
    await store.choices.keep(ADA, {"motion": "wild", "extras": ["smooth", "fast"]})
    await store.choices.keep(ADA, {"motion": "gentle", "loop": "none"})
    assert await store.choices.of(ADA) == {"motion": "gentle", "loop": "none", "extras": ["smooth", "fast"]}
    await store.choices.keep(ADA, {"extras": []})
    assert (await store.choices.of(ADA))["extras"] == []


async def test_what_was_chosen_goes_a_month_after_the_last_form(store: JobStore, clock: Clock) -> None:
    await store.choices.keep(ADA, {"motion": "wild"})
    clock.now_ms += KEPT_DAYS * 24 * HOUR_MS
    await store.choices.keep(BEN, {"motion": "medium"})
    await store.retention.sweep()
    assert await store.choices.of(ADA) == {"motion": "wild"}, "the negative control: not yet"
    clock.now_ms += 1
    await store.retention.sweep()
    assert await store.choices.of(ADA) == {}
    assert await store.choices.of(BEN) == {"motion": "medium"}


async def test_who_is_forgotten_has_chosen_nothing_also_in_the_copies(tmp_path: Path) -> None:
    copy = tmp_path / "vivant-before-version-8.db"
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        migrate(db, scripts(), None)
        db.executemany("insert into choice values (?, '{}', 0)", [(ADA,), (BEN,)])
    async with opened(tmp_path) as store:
        for person in (ADA, BEN):
            await store.choices.keep(person, {"motion": "wild"})
        await store.retention.forget_guild(ADA)
        assert len(await store.database.read(fetch, "select 1 from choice")) == 2, "a server of that number is nobody"
        await store.retention.forget_user(ADA)
        assert await store.database.read(fetch, "select user_id from choice") == [(BEN,)]
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("select user_id from choice").fetchall() == [(BEN,)]
