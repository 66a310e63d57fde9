"""Opening the data folder, and the promises of its two connections."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bot.queue.database import Statements, StoreError, StoreLocked, StoreTooNew
from bot.queue.store import JobStore
from tests.support.jobs import new_job, opened


async def test_a_second_bot_on_the_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path):
        code = (
            "import asyncio\nfrom pathlib import Path\nfrom bot.queue.store import JobStore\n"
            f"asyncio.run(JobStore.open(Path({str(tmp_path)!r})))"
        )
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
        with pytest.raises(StoreLocked, match="Another bot is running"):
            await JobStore.open(tmp_path)

    assert "StoreLocked: Another bot is running" in second.stderr
    async with opened(tmp_path):
        pass  # free again


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job())
    db = sqlite3.connect(tmp_path / "vivant.db")
    db.execute("pragma user_version = 99")
    db.close()

    with pytest.raises(StoreTooNew, match="newer version"):
        await JobStore.open(tmp_path)

    db = sqlite3.connect(tmp_path / "vivant.db")
    assert db.execute("select count(*) from job").fetchall() == [(1,)]
    db.close()


async def test_a_file_that_is_no_database_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "vivant.db").write_bytes(b"holiday pictures" * 1000)

    for _ in range(2):  # the folder is free again after the first
        with pytest.raises(StoreError, match="cannot be opened: file is not a database"):
            await JobStore.open(tmp_path)


async def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be used as the data folder"):
        await JobStore.open(tmp_path / "file" / "data")


async def test_the_database_syncs_every_commit(store: JobStore) -> None:
    def pragmas(db: Statements) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [db.execute(f"pragma {name}").fetchall()[0][0] for name in names]

    assert await store.database.write(pragmas) == ["wal", 2, 1]


async def test_readers_cannot_write(store: JobStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.database.read(lambda db: db.execute("delete from job").fetchall())
