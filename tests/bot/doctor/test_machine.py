"""The doctor looks at this machine: the data folder's owner, what kind of disk it is on, and the metrics' port."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import sqlite3
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.app import StartError, run_bot
from bot.config import Config
from bot.doctor.check import Check, Status
from bot.doctor.machine import (
    check_confinement,
    check_disk,
    check_memory,
    check_port,
    describe_pinned,
    kind_of_disk,
)
from bot.queue.opening.checks import missing_for_sqlite
from generator.memory import GIB
from generator.process.share import share_pinned
from tests.support.another_user import NOBODY, for_root, rights_of_nobody

MOUNTS = r"""
/dev/sda1 / ext4 rw 0 0
//server/share /mnt/share cifs rw 0 0
server:/export /mnt/nfs nfs4 rw 0 0
C:\\134 /mnt/c 9p rw 0 0
user@host: /mnt/ssh fuse.sshfs rw 0 0
/dev/sdb1 /mnt/share/local ext4 rw 0 0
server:/two /mnt/with\040space nfs rw 0 0
"""


def config(**settings: Any) -> Config:
    return Config(**{"generator": {"variant": "demo"}} | settings)


async def folder_check(folder: Path) -> Check:
    (check,) = await check_disk(config(data_dir=folder, retention={"min_free_mib": 0}))
    return check


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/lib/vivant", "ext4"),
        ("/mnt/share/vivant", "cifs"),
        ("/mnt/nfs", "nfs4"),
        ("/mnt/c/Users/olga", "9p"),
        ("/mnt/ssh/x", "fuse.sshfs"),
        ("/mnt/share/local/x", "ext4"),
        ("/mnt/shared", "ext4"),
        ("/mnt/with space/x", "nfs"),
    ],
)
def test_the_kind_of_a_disk_is_that_of_its_nearest_mount(folder: str, kind: str) -> None:
    assert kind_of_disk(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize(
    ("kind", "status"), [("nfs4", "warning"), ("cifs", "warning"), ("9p", "warning"), ("ext4", "ok")]
)
async def test_a_share_is_told_before_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, status: str
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/sda1 / ext4 rw 0 0\nserver:/export {tmp_path} {kind} rw 0 0\n")
    monkeypatch.setattr("bot.doctor.machine.MOUNTS", mounts)
    check = await folder_check(tmp_path / "data")
    assert check.status == status
    assert (kind in check.seen and "local disk" in check.remedy) == (status == "warning")


async def test_a_disk_without_locks_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_for_sqlite(tmp_path) == ""

    def refuse(file: object, how: int) -> None:
        raise OSError(95, "Operation not supported")

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refuse)
        check = await folder_check(tmp_path)
        assert check.status is Status.PROBLEM and "without locks" in check.seen and "local disk" in check.remedy
        patched.setattr(fcntl, "flock", lambda file, how: None)  # some shares accept every lock of everybody
        assert "locks that hold" in (await folder_check(tmp_path)).seen
    assert (await folder_check(tmp_path)).status is Status.OK


@pytest.mark.parametrize(
    ("mode", "writes", "missing"),
    [
        ("wal", True, ""),
        ("wal", False, "shared memory for SQLite"),
        ("delete", True, "shared memory for SQLite"),
    ],
)
def test_a_disk_must_take_the_log_and_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, writes: bool, missing: str
) -> None:
    class Database:
        def execute(self, sql: str) -> SimpleNamespace:
            if sql.startswith("create table") and not writes:
                raise sqlite3.OperationalError("locking protocol")
            return SimpleNamespace(fetchone=lambda: (mode,))

        def close(self) -> None: ...

    monkeypatch.setattr(sqlite3, "connect", lambda path: Database())
    assert missing_for_sqlite(tmp_path) == missing


async def test_a_disk_without_shared_memory_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> sqlite3.Connection:
        raise sqlite3.OperationalError("locking protocol")

    monkeypatch.setattr(sqlite3, "connect", refuse)
    check = await folder_check(tmp_path)
    assert check.status is Status.PROBLEM and "shared memory" in check.seen


async def test_the_doctor_leaves_nothing_behind(tmp_path: Path) -> None:
    await folder_check(tmp_path)
    assert list(tmp_path.iterdir()) == []


async def test_a_file_in_the_folders_place_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    check = await folder_check(tmp_path / "data")
    assert check.status is Status.PROBLEM and "is a file" in check.seen


@contextlib.contextmanager
def as_nobody() -> Iterator[Path]:
    """Be another user, and yield a data folder of theirs."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        Path(folder).chmod(0o755)
        os.chown(data, NOBODY, NOBODY)
        yield data


@for_root
@pytest.mark.parametrize("name", ["vivant.db", "vivant.db-wal", "lock", "connected", "spool"])
async def test_what_a_start_as_root_left_is_given_back_by_chown(name: str) -> None:
    """The doctor sees it before the start, and the start says the same sentence."""
    with as_nobody() as data:
        advice = f"sudo chown -R {NOBODY}:{NOBODY} {data}"
        if name == "spool":
            (data / name).mkdir(mode=0o700)
        else:
            (data / name).touch(mode=0o600)
        with rights_of_nobody():
            check = await folder_check(data)
            assert check.status is Status.PROBLEM and advice in check.remedy and name in check.seen
            with pytest.raises(StartError) as caught:
                await run_bot(config(data_dir=data, token="x"))
        assert advice in str(caught.value)
        os.chown(data / name, NOBODY, NOBODY)  # the negative control: the advice was followed
        with rights_of_nobody():
            assert (await folder_check(data)).status is Status.OK


@for_root
async def test_a_data_folder_of_another_user_names_the_owner_to_give_it_to() -> None:
    with as_nobody() as data:
        os.chown(data, 0, 0)
        data.chmod(0o755)
        with rights_of_nobody():
            check = await folder_check(data)
            with pytest.raises(StartError, match=r"chown -R"):
                await run_bot(config(data_dir=data, token="x"))
        assert check.status is Status.PROBLEM and f"chown -R {NOBODY}:{NOBODY} {data}" in check.remedy


@for_root
@pytest.mark.parametrize("missing", [False, True])
async def test_what_is_not_the_bots_own_is_given_to_nobody(missing: bool) -> None:
    """The data folder may be missing in /var/lib, or be set to a folder in which other things lie."""
    with as_nobody() as data:
        others = data.parent
        data.rmdir()
        (others / "photos").mkdir()
        folder = others / "vivant" if missing else others
        with rights_of_nobody():
            check = await folder_check(folder)
            with pytest.raises(StartError) as caught:
                await run_bot(config(data_dir=folder, token="x"))
    assert check.status is Status.PROBLEM
    for said in (check.remedy, str(caught.value)):
        assert "chown" not in said and "data_dir" in said
    assert (f"sudo install -d -o {NOBODY} -g {NOBODY} {folder}" in check.remedy) is missing


@for_root
async def test_where_root_may_not_write_no_owner_helps() -> None:
    check = await folder_check(Path("/proc/vivant"))
    assert check.status is Status.PROBLEM
    assert "chown" not in check.remedy and "data_dir" in check.remedy


async def test_a_busy_metrics_port_is_seen_before_a_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = config(data_dir=tmp_path, metrics_port=taken.getsockname()[1])
        (check,) = await check_port(settings)
        assert check.status is Status.PROBLEM and "metrics_port" in check.remedy
        (tmp_path / "connected").touch()
        assert await check_port(settings) == [], "the running bot has it"
        (tmp_path / "connected").unlink()
    (check,) = await check_port(settings)
    assert check.status is Status.OK
    assert await check_port(config(metrics_port=0)) == []
    (check,) = await check_port(settings.model_copy(update={"metrics_address": ip_address("0.0.0.0")}))
    assert check.status is Status.OK and "whoever reaches it" in check.seen
    (check,) = await check_port(settings.model_copy(update={"metrics_address": ip_address("192.0.2.1")}))
    assert check.status is Status.PROBLEM and "metrics_address" in check.remedy


async def test_it_tells_which_walls_stand_around_strangers_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [check] = await check_confinement(Config())
    assert "memory hidden" in check.seen
    assert (check.status is Status.OK) is ("missing" not in check.seen)
    # an interpreter whose libraries cannot be loaded, as the negative control
    (tmp_path / "ctypes.py").write_text("raise ImportError('no libffi')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    [broken] = await check_confinement(Config())
    assert broken.status is Status.WARNING
    assert "no libffi" in broken.seen


async def test_the_doctor_tells_how_much_memory_all_executors_pin_together() -> None:
    four = describe_pinned(4, share_pinned(64 * GIB, 4), 64 * GIB)
    assert four.status is Status.OK
    assert "4 executors pin 4.3 GiB of weights each, 17.1 of 64.0 GiB together" in four.seen
    few = describe_pinned(4, share_pinned(16 * GIB, 4), 16 * GIB)
    assert (few.status, "2.0 of 4.3 GiB" in few.seen) == (Status.WARNING, True)
    (found,) = await check_memory(config(generator={"variant": "svd-xt", "gpus": [0, 1]}))
    assert found.seen.startswith("2 executors pin")
    assert await check_memory(config()) == await check_memory(config(generator={"device": "cpu"})) == []
