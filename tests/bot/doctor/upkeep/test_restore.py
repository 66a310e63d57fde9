"""A backup of a running bot that is restored into another folder: nothing is lost, and nothing is answered twice."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import sqlite3
import tarfile
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bot.doctor.upkeep.backup import make_backup
from bot.doctor.upkeep.contents import DATABASE, LIST, BackupFailed
from bot.doctor.upkeep.restore import restore_backup
from bot.queue.database import StoreError
from bot.queue.job import JobState
from bot.queue.opening.copies import RESTORING
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN
from tests.bot.doctor.upkeep.test_backup import fill
from tests.bot.queue.test_old_data import old_folder
from tests.support.edge import count_clips, hanging, running_edge, until
from tests.support.jobs import faults, opened


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


async def life(sandbox: Sandbox, folder: Path) -> None:
    """Answer job 1, save the folder while job 2 runs and job 3 waits, then answer job 2 and end the machine."""
    async with running_edge(folder / "data", sandbox) as edge:
        await edge.queued()
        await edge.delivered(1)
        edge.backend.usual = hanging().usual
        await edge.queued()
        await until(lambda: len(edge.backend.requests) == 2, "job 2 runs")
        await edge.queued(actor=BEN)
        await asyncio.to_thread(make_backup, folder / "data", folder / "backup.tar.gz")
    async with running_edge(folder / "data", sandbox) as edge:
        await edge.delivered(2)
        await edge.delivered(3)
        await edge.queued(actor=BEN)
        await edge.delivered(4)
    sandbox.faults.clear()


async def test_on_a_second_machine_nothing_is_lost_and_nothing_is_answered_twice(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    await life(sandbox, tmp_path)
    restored = restore_backup(tmp_path / "backup.tar.gz", tmp_path / "second")
    assert restored.jobs == 3
    async with running_edge(tmp_path / "second", sandbox) as edge:
        job = await edge.queued(actor=BEN)
        assert job.id == 4
        await edge.delivered(4)
        assert count_clips(edge.clips(), 3) == [1, 1, 1]
        assert [request.job for request in edge.backend.requests] == [4], "what was answered is not rendered again"
        assert (await edge.job(1)).state is JobState.RENDERED
        assert await edge.store.database.read(faults) == []


async def test_what_was_not_answered_is_answered_there(sandbox: Sandbox, tmp_path: Path) -> None:
    """The other side: the machine is lost right after the backup, and its jobs go on with their pictures."""
    async with running_edge(tmp_path / "data", sandbox, backend=hanging()) as edge:
        await edge.queued()
        await edge.queued(actor=BEN)
        await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "second")
    async with running_edge(tmp_path / "second", sandbox) as edge:
        for number in (1, 2):
            await edge.delivered(number)
        assert count_clips(edge.clips(), 2) == [1, 1]


async def test_without_the_look_up_the_same_restoration_renders_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the first: what the restoration leaves to the start is what prevents it."""

    async def look_at_nothing(*_: object) -> None: ...

    await life(sandbox, tmp_path)
    restore_backup(tmp_path / "backup.tar.gz", tmp_path / "second")
    monkeypatch.setattr("bot.edge.client.look_up_answered", look_at_nothing)
    async with running_edge(tmp_path / "second", sandbox) as edge:
        await until(lambda: {2, 3} <= {request.job for request in edge.backend.requests}, "they are rendered again")


@pytest.mark.parametrize("with_spool", [True, False])
async def test_the_pictures_that_jobs_wait_with_come_along(sandbox: Sandbox, tmp_path: Path, with_spool: bool) -> None:
    """With the negative control: a copy of the database alone."""
    async with running_edge(tmp_path / "data", sandbox, backend=hanging()) as edge:
        picture = Path((await edge.queued()).picture)
        await asyncio.to_thread(make_backup, tmp_path / "data", tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "second")
    if not with_spool:
        shutil.rmtree(tmp_path / "second" / "spool")
    async with running_edge(tmp_path / "second", sandbox, backend=hanging()) as edge:
        await until(lambda: edge.backend.requests, "it is rendered")
        found = Path(edge.backend.requests[0].picture_path)
        assert found == tmp_path / "second" / "spool" / picture
        assert found.exists() is with_spool
        if with_spool:
            assert found.read_bytes() == (tmp_path / "data" / "spool" / picture).read_bytes()


@pytest.mark.parametrize("mark", [True, False])
async def test_a_backup_from_before_there_were_marks_is_noticed_as_restored(tmp_path: Path, mark: bool) -> None:
    (tmp_path / "data").mkdir()
    old_folder(tmp_path / "data")
    make_backup(tmp_path / "data", tmp_path / "backup")
    restore_backup(tmp_path / "backup", tmp_path / "second")
    if not mark:
        (tmp_path / "second" / "mark").unlink()
    async with opened(tmp_path / "second") as store:
        assert await store.recheck.is_due() is mark, "without the mark that the restoration leaves, nobody would know"


# -- where to -------------------------------------------------------------------------------------------------------


@pytest.fixture
async def saved(tmp_path: Path) -> Path:
    async with opened(tmp_path / "data") as store:
        await fill(store, tmp_path / "data", 4)
    make_backup(tmp_path / "data", tmp_path / "backup")
    return tmp_path / "backup"


async def test_what_is_restored_is_private_and_whole_and_other_files_stay(saved: Path, tmp_path: Path) -> None:
    target = tmp_path / "second"
    (target / "huggingface").mkdir(parents=True)
    (target / "spool").mkdir()
    before = os.umask(0o077)
    try:
        restore_backup(saved, target)
    finally:
        os.umask(before)
    assert {path.name for path in target.iterdir()} == {"huggingface", "spool", DATABASE, "mark", "lock"}
    assert {oct(path.stat().st_mode & 0o077) for path in target.rglob("*") if path.is_file()} == {"0o0"}
    for path in (saved / "spool").iterdir():
        assert (target / "spool" / path.name).read_bytes() == path.read_bytes()


async def test_a_folder_that_is_in_use_is_left_as_it_is(saved: Path, tmp_path: Path) -> None:
    async with opened(tmp_path / "data"):
        with pytest.raises(BackupFailed, match="A bot is running"):
            restore_backup(saved, tmp_path / "data")
    with pytest.raises(BackupFailed, match="Move it away first"):
        restore_backup(saved, tmp_path / "data")
    (tmp_path / "third" / "spool").mkdir(parents=True)
    (tmp_path / "third" / "spool" / "1-1.mp4").touch()
    with pytest.raises(BackupFailed, match=r"holds 1-1\.mp4"):
        restore_backup(saved, tmp_path / "third")
    (tmp_path / "file").touch()
    with pytest.raises(BackupFailed, match="cannot be restored"):
        restore_backup(saved, tmp_path / "file")


@pytest.mark.parametrize("step", ["spool", DATABASE])
async def test_a_restoration_that_is_cut_off_keeps_the_bot_from_starting_and_is_done_anew(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    from generator.process.durable import publish

    class Killed(BaseException):
        pass

    def killed(aside: Path, path: Path) -> None:
        if path.name == step:
            raise Killed
        publish(aside, path)

    with monkeypatch.context() as patch:
        patch.setattr("bot.doctor.upkeep.restore.publish", killed)
        with pytest.raises(Killed):
            restore_backup(saved, tmp_path / "second")
    with pytest.raises(StoreError, match="run `vivant restore` again"):
        async with opened(tmp_path / "second"):
            pass
    assert restore_backup(saved, tmp_path / "second").jobs == 4
    assert not (tmp_path / "second" / RESTORING).exists()
    async with opened(tmp_path / "second") as store:
        assert await store.recheck.is_due()


async def test_a_full_disk_leaves_nothing(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("bot.doctor.upkeep.restore.copy", full)
    with pytest.raises(BackupFailed, match="No space left"):
        restore_backup(saved, tmp_path / "second")
    assert [path.name for path in (tmp_path / "second").iterdir()] == ["lock"]


# -- what from ------------------------------------------------------------------------------------------------------


def one_letter_of_a_picture(backup: Path) -> None:
    picture = min((backup / "spool").iterdir())
    picture.write_bytes(picture.read_bytes()[:-1] + b"x")


def a_picture(backup: Path) -> None:
    min((backup / "spool").iterdir()).unlink()


def a_picture_and_its_line(backup: Path) -> None:
    picture = min((backup / "spool").iterdir())
    picture.unlink()
    change_list(backup, lambda wire: wire["files"].pop(f"spool/{picture.name}"))


def the_database(backup: Path) -> None:
    (backup / DATABASE).unlink()


def change_list(backup: Path, change: Callable[[dict[str, Any]], object]) -> None:
    wire = json.loads((backup / LIST).read_text())
    change(wire)
    (backup / LIST).write_text(json.dumps(wire))


def another_schema(backup: Path) -> None:
    from bot.doctor.upkeep.contents import describe

    with closing(sqlite3.connect(backup / DATABASE)) as db:
        db.execute("pragma user_version = 99")
    found = describe(backup / DATABASE)
    change_list(backup, lambda wire: wire["files"].update({DATABASE: {"bytes": found.bytes, "sha256": found.sha256}}))


SPOILT: list[tuple[Callable[[Path], object], str]] = [
    (one_letter_of_a_picture, "is not what was saved"),
    (a_picture, "is missing"),
    (a_picture_and_its_line, "a row names"),
    (the_database, "is missing"),
    (another_schema, "newer version"),
    (lambda backup: (backup / LIST).unlink(), "holds no backup.json"),
    (lambda backup: (backup / LIST).write_text("{"), "cannot be read"),
    (lambda backup: (backup / LIST).write_text("[]"), "cannot be read"),
    (lambda backup: change_list(backup, lambda wire: wire.update(format=99)), "newer version of Vivant made"),
    (lambda backup: change_list(backup, lambda wire: wire["files"].pop(DATABASE)), "holds no database"),
    (
        lambda backup: change_list(backup, lambda wire: wire["files"].update({"../x": {"bytes": 1, "sha256": ""}})),
        "nothing of Vivant's",
    ),
    (lambda backup: shutil.rmtree(backup), "no backup at"),
]


@pytest.mark.parametrize(("spoil", "told"), SPOILT)
async def test_a_backup_that_is_not_whole_is_refused_and_changes_nothing(
    saved: Path, tmp_path: Path, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(saved)
    with pytest.raises(BackupFailed, match=told):
        restore_backup(saved, tmp_path / "second")
    left = {path.name for path in (tmp_path / "second").iterdir()} if (tmp_path / "second").exists() else set()
    assert left <= {"lock"}


async def test_an_archive_that_is_cut_off_or_none_is_refused(saved: Path, tmp_path: Path) -> None:
    archive = tmp_path / "b.tar.gz"
    make_backup(tmp_path / "data", archive)
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BackupFailed, match=r"damaged|no backup"):
        restore_backup(archive, tmp_path / "second")
    archive.write_bytes(b"holiday pictures" * 100)
    with pytest.raises(BackupFailed, match="neither a folder nor an archive"):
        restore_backup(archive, tmp_path / "second")
    with tarfile.open(archive, "w") as tar:
        tar.add(saved / DATABASE, DATABASE)
    with pytest.raises(BackupFailed, match=r"holds no backup\.json"):
        restore_backup(archive, tmp_path / "second")
    assert not (tmp_path / "second" / DATABASE).exists()
