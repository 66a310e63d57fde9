"""Looking at a data folder from outside: whether or not a bot runs on it, of any age, and never leaving a trace."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bot.queue.database import StoreBusy, StoreDamaged, StoreError, StoreTooNew
from bot.queue.job import DeadReason
from bot.queue.opening.look import Figures, Trouble, figures, is_in_use, look_into, troubles
from bot.queue.opening.migrations import migrate, scripts
from generator.errors import BadFrames
from tests.bot.queue.test_old_data import NOW_MS, old_folder
from tests.support.jobs import Clock, new_job, opened, rendered


def look(folder: Path, now_ms: int = 0) -> Figures:
    return look_into(folder, lambda db: figures(db, now_ms))


async def test_a_look_sees_what_a_running_bot_has_written_a_moment_ago(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert look(tmp_path).jobs["queued"] == 0
        await store.jobs.enqueue(new_job())
        assert look(tmp_path).jobs["queued"] == 1
        assert is_in_use(tmp_path)
    assert look(tmp_path).jobs["queued"] == 1
    assert is_in_use(tmp_path) is False


async def test_a_look_leaves_no_file_and_does_not_keep_a_bot_from_starting(tmp_path: Path) -> None:
    """A file that root made by looking would keep the bot's user out."""
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert look(tmp_path).jobs["queued"] == 1
    is_in_use(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    async with opened(tmp_path) as store:
        assert look_into(tmp_path, lambda db: is_in_use(tmp_path))
        assert await store.jobs.claim() is not None


async def test_a_look_tells_the_last_troubles_and_names_nobody(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, now_ms=clock) as store:
        for _ in range(3):
            await store.jobs.enqueue(new_job(user_id=4711))
        failed, dead, fine = [await store.jobs.claim() for _ in range(3)]
        assert failed and dead and fine
        await store.jobs.settle_failed(failed, BadFrames("the frames are black", kind="black"))
        clock.now_ms += 1000
        await store.jobs.settle_rendered(dead, rendered(dead))
        await store.deliveries.mark_dead(dead.id, DeadReason.NO_PERMISSION)
        await store.jobs.settle_rendered(fine, rendered(fine))
        found = look_into(tmp_path, troubles)
        assert found == [
            Trouble(job=dead.id, at_ms=clock.now_ms, what="delivery", why="no-permission"),
            Trouble(job=failed.id, at_ms=clock.now_ms - 1000, what="bad-frames", why="the frames are black"),
        ]
        assert "4711" not in repr(found)


@pytest.mark.parametrize("version", range(1, len(scripts()) + 1))
def test_a_folder_of_every_earlier_version_is_read_as_it_is(tmp_path: Path, version: int) -> None:
    old_folder(tmp_path)
    with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as db:
        migrate(db, scripts()[:version], None)
    found = look(tmp_path, NOW_MS)
    assert found.jobs == {"queued": 1, "running": 2, "rendered": 2, "failed": 1, "cancelled": 0}
    assert found.settings["paused"] == "new model coming."
    assert "bad-frames" in [each.what for each in look_into(tmp_path, troubles)]


def test_a_failure_that_cannot_be_read_is_told_as_one(tmp_path: Path) -> None:
    old_folder(tmp_path)
    for text in ("null", "[1]"):
        with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as db:
            db.execute("update job set failure = ? where state = 'failed'", (text,))
        assert "failed" in [each.what for each in look_into(tmp_path, troubles)]


def test_what_cannot_be_looked_at_is_said_in_a_sentence(tmp_path: Path) -> None:
    def said(folder: Path) -> str:
        with pytest.raises(StoreError) as caught:
            look(folder)
        return str(caught.value)

    assert "There is no folder" in said(tmp_path / "none")
    assert "No bot has run" in said(tmp_path)
    (tmp_path / "file").write_text("")
    assert "is no folder" in said(tmp_path / "file")
    database = tmp_path / "vivant.db"
    database.touch()
    assert "no bot has finished a start" in said(tmp_path)
    database.write_bytes(b"no database at all, and long enough to be read as one" * 100)
    with pytest.raises(StoreDamaged):
        look(tmp_path)
    database.unlink()
    with closing(sqlite3.connect(database)) as db:
        db.execute("create table somebody_elses (number)")
    with pytest.raises(StoreDamaged, match="another program"):
        look(tmp_path)


def test_a_newer_database_is_refused_by_name(tmp_path: Path) -> None:
    old_folder(tmp_path)
    with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as db:
        migrate(db, scripts(), None)
        db.execute(f"pragma user_version = {len(scripts()) + 1}")
    with pytest.raises(StoreTooNew, match="newer version"):
        look(tmp_path)


def test_a_locked_database_is_told_as_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.queue.opening.look.BUSY_MS", 10)
    old_folder(tmp_path)
    with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as other:
        other.execute("pragma journal_mode = wal")
        other.execute("pragma locking_mode = exclusive")
        other.execute("begin exclusive")
        other.execute("update meta set value = 1 where key = 'vtime'")
        with pytest.raises(StoreBusy, match="Another program"):
            look(tmp_path)
        other.execute("rollback")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_folder_of_somebody_else_is_said_to_be_theirs(tmp_path: Path) -> None:
    folder = old_folder(tmp_path)
    (folder / "vivant.db").chmod(0o600)
    for path in (folder, *folder.parents):
        if path.stat().st_uid == os.geteuid() and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)  # below this the file itself keeps them out, as in a shared folder
    os.seteuid(65534)
    try:
        with pytest.raises(StoreError, match="may not be read by this user"):
            look(folder)
        os.seteuid(0)
        folder.chmod(0o700)
        os.seteuid(65534)
        with pytest.raises(StoreError, match="may not be read by this user"):
            look(folder)
    finally:
        os.seteuid(0)
