"""A backup is one whole, also while the bot writes and deletes; it appears complete or not at all."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from bot.doctor.upkeep.backup import make_backup
from bot.doctor.upkeep.contents import DATABASE, LIST, BackupFailed, Contents, describe
from bot.queue.life.named_files import named_files
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from tests.support.jobs import claimed, new_job, opened, rendered


async def fill(store: JobStore, folder: Path, jobs: int) -> Spool:
    """Enqueue jobs with a picture each, and render every second one."""
    spool = Spool(folder / "spool", 0)
    for number in range(jobs):
        job = await store.jobs.enqueue(new_job(user_id=number))
        spool.path(job.picture).write_bytes(os.urandom(64))
        if number % 2:
            job = await claimed(store)
            spool.path(f"{job.id}-{job.attempt}.mp4").write_bytes(os.urandom(64))
            await store.jobs.settle_rendered(job, rendered(job))
    return spool


def require_whole(folder: Path) -> int:
    """Check a backup in a folder against its own list and its own rows; return how many jobs it has."""
    contents = Contents.from_json((folder / LIST).read_text())
    found = {str(path.relative_to(folder)): describe(path) for path in folder.rglob("*") if path.is_file()}
    del found[LIST]
    assert found == contents.files
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        assert db.execute("pragma integrity_check").fetchall() == [("ok",)]
        assert {f"spool/{name}" for name in named_files(db)} == contents.files.keys() - {DATABASE}
        return int(db.execute("select count(*) from job").fetchone()[0])


async def test_a_running_bots_folder_is_saved_with_what_its_rows_name_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        spool = await fill(store, tmp_path / "data", 4)
        for name in ("incoming-key", ".picture-x.png.part", "99-1.mp4"):
            spool.folder.joinpath(name).touch()
        made = await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "new" / "backup")
        await store.jobs.enqueue(new_job(user_id=9))
    assert made.jobs == require_whole(tmp_path / "new" / "backup") == 4
    assert made.contents.missing == []
    modes = {oct(path.stat().st_mode & 0o077) for path in (tmp_path / "new" / "backup").rglob("*")}
    assert modes == {"0o0"}, "pictures of people"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["backup"]


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz", "B.TGZ"])
async def test_an_archive_holds_the_same(tmp_path: Path, name: str) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 2)
        await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / name)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["data", name])
    with tarfile.open(tmp_path / name) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    assert require_whole(tmp_path / "out") == 2


async def test_a_picture_that_is_deleted_after_the_database_was_copied_makes_another_copy(tmp_path: Path) -> None:
    times: list[str] = []
    async with opened(tmp_path / "data") as store:
        spool = await fill(store, tmp_path / "data", 3)
        loop = asyncio.get_running_loop()

        async def forget() -> None:
            spool.delete((await store.retention.forget_user(0)).files)

        def forget_one() -> None:
            times.append("copied")
            if len(times) == 1:
                asyncio.run_coroutine_threadsafe(forget(), loop).result()

        made = await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "backup", forget_one)
    assert times == ["copied", "copied"]
    assert require_whole(tmp_path / "backup") == made.jobs == 2


async def test_a_file_that_was_lost_before_is_told_and_keeps_nothing_else_from_being_saved(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 2)
        job = await store.jobs.get(1)
        assert job is not None
        (tmp_path / "data" / "spool" / job.picture).unlink()
        made = await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "backup")
    assert made.contents.missing == [job.picture]
    assert len(made.contents.files) == 3 and made.jobs == 2


async def test_files_that_are_deleted_all_the_time_end_it_with_a_sentence(tmp_path: Path) -> None:
    count = iter(range(1000))

    def name_another() -> None:
        """Let a row name another picture after each copy, of which no file is ever there."""
        with closing(sqlite3.connect(tmp_path / "data" / DATABASE)) as db:
            db.execute("update job set picture = ? where id = 1", (f"gone-{next(count)}",))
            db.commit()

    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 1)
        name_another()
        with pytest.raises(BackupFailed, match="Try again in a quieter moment"):
            await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "backup", name_another)
    assert not (tmp_path / "backup").exists()


async def test_backups_of_a_busy_bot_are_all_whole(tmp_path: Path) -> None:
    """Jobs come and go in one thread as fast as they can, and backups are made in another."""
    stop = threading.Event()

    async def work(store: JobStore) -> int:
        spool, count = Spool(tmp_path / "data" / "spool", 0), 0
        while not stop.is_set():
            count += 1
            new = new_job(user_id=count % 5)
            spool.path(new.picture).write_bytes(b"x" * 100)
            await store.jobs.enqueue(new)
            job = await claimed(store)
            spool.path(f"{job.id}-{job.attempt}.mp4").write_bytes(b"clip")
            await store.jobs.settle_rendered(job, rendered(job))
            if count % 3 == 0:
                spool.delete((await store.retention.forget_user(count % 5)).files)
        return count

    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 4)
        working = asyncio.create_task(work(store))
        try:
            for number in range(8):
                await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / f"backup-{number}")
        finally:
            stop.set()
        assert await working > 8
    for number in range(8):
        require_whole(tmp_path / f"backup-{number}")


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("full", "is not empty"),
        ("file", "is there already"),
        ("there.tar", "is there already"),
        ("link", "is there already"),
        ("data/backup", "lies in the data folder itself"),
        ("data", "lies in the data folder itself"),
        ("file/backup", "File exists"),
    ],
)
async def test_a_bad_target_is_a_sentence_and_nothing_is_left(tmp_path: Path, target: str, told: str) -> None:
    async with opened(tmp_path / "data"):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").touch()
    (tmp_path / "file").touch()
    (tmp_path / "there.tar").touch()
    (tmp_path / "link").symlink_to("nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackupFailed, match=told):
        make_backup(tmp_path / "data", tmp_path / target)
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before] == []


async def test_an_empty_folder_may_be_the_target_and_half_a_backup_is_done_anew(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 1)
    (tmp_path / "backup").mkdir()
    (tmp_path / ".backup.part" / "spool").mkdir(parents=True)
    (tmp_path / ".backup.part" / "spool" / "half").touch()
    make_backup(tmp_path / "data", tmp_path / "backup")
    assert require_whole(tmp_path / "backup") == 1
    assert not (tmp_path / ".backup.part").exists()


def test_a_folder_without_a_database_and_a_foreign_or_damaged_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(BackupFailed, match="no database"):
        make_backup(tmp_path, tmp_path.parent / "b")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("create table holiday (x)")
    with pytest.raises(BackupFailed, match="another program"):
        make_backup(tmp_path, tmp_path.parent / "b")
    (tmp_path / DATABASE).write_bytes(b"holiday pictures" * 1000)
    with pytest.raises(BackupFailed, match="not a database"):
        make_backup(tmp_path, tmp_path.parent / "b")


async def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 1)
    monkeypatch.setattr("bot.doctor.upkeep.backup.copy", full)
    with pytest.raises(BackupFailed, match="No space left"):
        make_backup(tmp_path / "data", tmp_path / "backup")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_a_database_that_another_program_holds_is_waited_for_and_then_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path / "data"):
        pass
    monkeypatch.setattr("bot.doctor.upkeep.contents.BUSY_SECONDS", 0.1)
    with closing(sqlite3.connect(tmp_path / "data" / DATABASE, isolation_level=None)) as holder:
        holder.execute("pragma locking_mode = exclusive")
        holder.execute("begin exclusive")
        with pytest.raises(BackupFailed, match="locked"):
            make_backup(tmp_path / "data", tmp_path / "backup")
    make_backup(tmp_path / "data", tmp_path / "backup")
    assert require_whole(tmp_path / "backup") == 0
