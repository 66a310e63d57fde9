"""Opening the data folder, and the promises of its two connections."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.queue.database import (
    PRAGMAS,
    Statements,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreLocked,
    StoreTooNew,
    fetch,
    fetch_one,
)
from bot.queue.job import JobState, Limits
from bot.queue.opening.checks import APPLICATION_ID
from bot.queue.opening.faults import Patience
from bot.queue.store import JobStore
from tests.support.jobs import new_job, opened


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_second_bot_on_the_folder_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with opened(tmp_path):
        code = (
            "import asyncio\nfrom pathlib import Path\nfrom bot.queue.store import JobStore\n"
            f"asyncio.run(JobStore.open(Path({str(tmp_path)!r})))"
        )
        second = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
        with pytest.raises(StoreLocked, match="Another bot is running"):
            await JobStore.open(tmp_path)
        before = open_files()
        with pytest.raises(StoreLocked):
            await JobStore.open(tmp_path)
        assert open_files() == before

    assert "StoreLocked: Another bot is running" in second.stderr
    async with opened(tmp_path):
        pass  # free again


async def test_a_data_folder_that_is_not_there_is_made(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "data") as store:
        await store.jobs.enqueue(new_job())
    assert (tmp_path / "new" / "data" / "vivant.db").is_file()


async def test_closing_twice_closes_once(tmp_path: Path) -> None:
    store = await JobStore.open(tmp_path)
    await store.close()
    with (tmp_path / "a").open("w"), (tmp_path / "b").open("w") as other:  # one of them gets the lock's number
        await store.close()
        other.write("still open")
        other.flush()
    async with opened(tmp_path) as again:
        assert await again.jobs.counts()


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


def no_database(path: Path) -> None:
    path.write_bytes(b"holiday pictures" * 1000)


def truncated(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size * 2 // 3)


def a_damaged_page(path: Path) -> None:
    """Write over the middle of the table of jobs."""
    db = sqlite3.connect(path)
    [(page,)] = db.execute("select rootpage from sqlite_schema where name = 'job'").fetchall()
    [(size,)] = db.execute("pragma page_size").fetchall()
    db.close()
    with path.open("rb+") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def a_foreign_database(path: Path) -> None:
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("create table songs (title text)")
    db.close()


def a_foreign_database_with_versions(path: Path) -> None:
    a_foreign_database(path)
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 1")
    db.close()


def a_foreign_application(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("pragma application_id = 1196444487")  # GeoPackage's
    db.close()


def emptied(path: Path) -> None:
    """Leave the version, and no table."""
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("pragma user_version = 2")
    db.close()


UNUSABLE: dict[Callable[[Path], None], str] = {
    no_database: "cannot be opened: file is not a database",
    truncated: "cannot be opened: ",
    a_damaged_page: "cannot be opened: ",
    a_foreign_database: "the database of another program",
    a_foreign_database_with_versions: "the database of another program",
    a_foreign_application: "the database of another program",
    emptied: "the database of another program",
}


async def closed_store(folder: Path, jobs: int = 40) -> Path:
    """Make a database with jobs, and close it."""
    async with opened(folder, Limits(queued_per_user=0)) as store:
        for _ in range(jobs):
            await store.jobs.enqueue(new_job())
    return folder / "vivant.db"


@pytest.mark.parametrize("spoil", UNUSABLE, ids=[spoil.__name__ for spoil in UNUSABLE])
async def test_a_file_that_cannot_be_used_is_refused_with_a_sentence_and_left_alone(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = await closed_store(tmp_path)
    spoil(path)
    before = path.read_bytes()

    for _ in range(2):  # the folder is free again after the first
        with pytest.raises(StoreDamaged, match=UNUSABLE[spoil]) as refused:
            await JobStore.open(tmp_path)

    assert path.read_bytes() == before
    assert "\n" not in str(refused.value)


async def test_the_same_file_unspoiled_opens(tmp_path: Path) -> None:
    """The other side of the checks above, of a database of version 1 too: its header names nobody."""
    path = await closed_store(tmp_path)
    for application in (0, APPLICATION_ID):
        db = sqlite3.connect(path)
        db.execute(f"pragma application_id = {application}")
        db.close()
        async with opened(tmp_path) as store:
            assert (await store.jobs.counts())[JobState.QUEUED] == 40
        db = sqlite3.connect(path)
        assert db.execute("pragma application_id").fetchall() == [(APPLICATION_ID,)]
        db.close()


async def test_an_empty_file_becomes_a_database(tmp_path: Path) -> None:
    (tmp_path / "vivant.db").touch()
    async with opened(tmp_path) as store:
        assert (await store.jobs.enqueue(new_job())).id == 1


async def test_damage_that_is_met_later_is_named_too(tmp_path: Path) -> None:
    path = await closed_store(tmp_path, jobs=400)
    store = await JobStore.open(tmp_path)
    await store.database.checkpoint()
    a_damaged_page(path)
    with pytest.raises(StoreDamaged, match="cannot be opened"):
        await store.database.read(fetch, "select * from job")
    await store.close()


# -- a lock that another program holds ------------------------------------------------------------------------------


@contextmanager
def locked_by_another_program(folder: Path) -> Iterator[None]:
    """Hold the lock for writing, as a person at the sqlite3 shell does."""
    other = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    other.execute("begin immediate")
    try:
        yield
    finally:
        other.execute("rollback")
        other.close()


async def impatient(store: JobStore) -> None:
    """Let SQLite itself wait for 20 ms instead of five seconds."""
    await store.database.write(lambda db: db.execute("pragma busy_timeout = 20").fetchall())


async def test_a_lock_held_for_long_delays_what_is_written_and_loses_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as store:
        await store.jobs.enqueue(new_job(1))
        await impatient(store)
        with locked_by_another_program(tmp_path):
            claiming = asyncio.create_task(store.jobs.claim())
            accepting = asyncio.create_task(store.jobs.enqueue(new_job(2)))
            done, _ = await asyncio.wait({claiming, accepting}, timeout=0.2)
            assert not done, "SQLite has given up several times by now"
            assert (await store.jobs.counts())[JobState.QUEUED] == 1, "reading goes on"
        claimed, accepted = await asyncio.wait_for(asyncio.gather(claiming, accepting), 20)
        assert claimed is not None
        assert (claimed.id, accepted.id) == (1, 2)
    assert caplog.text.count("another program holds") == 1, "told once a minute"


async def test_a_stop_waits_for_no_lock(tmp_path: Path) -> None:
    store = await JobStore.open(tmp_path)
    await impatient(store)
    with locked_by_another_program(tmp_path):
        accepting = asyncio.create_task(store.jobs.enqueue(new_job()))
        await asyncio.sleep(0)
        await asyncio.wait_for(store.close(), 20)
        with pytest.raises(StoreBusy, match=rf"Another program holds {tmp_path / 'vivant.db'} locked"):
            await accepting


async def test_a_start_waits_for_a_lock(tmp_path: Path) -> None:
    await closed_store(tmp_path, jobs=1)
    opening = None
    with locked_by_another_program(tmp_path):
        opening = asyncio.create_task(JobStore.open(tmp_path))
        await asyncio.wait({opening}, timeout=0.2)
        assert not opening.done()
    store = await asyncio.wait_for(opening, 20)
    assert await store.jobs.claim() is not None
    await store.close()


async def test_a_start_waits_for_no_lock_that_is_held_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await closed_store(tmp_path, jobs=1)
    impatiently = [pragma.replace("= 5000", "= 20") for pragma in PRAGMAS]
    monkeypatch.setattr("bot.queue.database.PRAGMAS", impatiently)
    monkeypatch.setattr("bot.queue.database.OPENING_SECONDS", 0.2)
    with locked_by_another_program(tmp_path), pytest.raises(StoreBusy, match="Another program holds"):
        await asyncio.wait_for(JobStore.open(tmp_path), 20)


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("select * from nowhere", sqlite3.OperationalError, "no such table"),
        ("select ?", sqlite3.ProgrammingError, "Incorrect number of bindings"),  # Python's own: SQLite gave it no code
    ],
)
def test_only_a_lock_is_waited_for(tmp_path: Path, sql: str, error: type[Exception], says: str) -> None:
    """The negative control: any other error comes out at once."""
    db = sqlite3.connect(tmp_path / "any.db", isolation_level=None)
    with pytest.raises(error, match=says):
        Patience(tmp_path / "any.db").run(lambda connection: connection.execute(sql), db)
    db.close()


async def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be used as the data folder"):
        await JobStore.open(tmp_path / "file" / "data")


async def test_the_database_syncs_every_commit(store: JobStore) -> None:
    def pragmas(db: Statements) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [db.execute(f"pragma {name}").fetchall()[0][0] for name in names]

    assert await store.database.write(pragmas) == ["wal", 2, 1]


async def test_a_transaction_runs_to_its_end_though_nobody_waits_for_it(tmp_path: Path) -> None:
    store = await JobStore.open(tmp_path)
    write = "insert into setting values ('key', 'value')"
    writing = asyncio.create_task(store.database.write(fetch, write))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait({writing})
    store.database.start_write(fetch, "insert into setting values ('later', 'too')")
    await store.close()  # it waits for both
    for use in (store.database.write, store.database.read):
        with pytest.raises(StoreError, match="closed"):
            await use(fetch, "select 1")
    async with opened(tmp_path) as store:
        assert (await store.settings.get("key"), await store.settings.get("later")) == ("value", "too")


async def test_a_transaction_gets_its_values_by_position_or_name(store: JobStore) -> None:
    for run in (store.database.read, store.database.write):
        assert await run(fetch, "select ?", (7,)) == [(7,)]
        assert await run(fetch, sql="select :a", parameters={"a": 8}) == [(8,)]
        assert await run(fetch_one, "select ? union select ? order by 1 desc", (1, 2)) == (2,)
        assert await run(fetch_one, "select 1 where false") is None


async def test_no_other_account_may_hold_the_folders_lock(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with opened(tmp_path):
            assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


async def test_closing_waits_for_whatever_is_tracked(tmp_path: Path) -> None:
    store = await JobStore.open(tmp_path)
    others = asyncio.Event()
    tracked = store.database.track(asyncio.ensure_future(others.wait()))
    closing = asyncio.create_task(store.close())
    done, _ = await asyncio.wait({closing}, timeout=0.02)
    assert not done
    await store.settings.set("key", "value")  # what is waited for may still use it
    others.set()
    await asyncio.wait_for(closing, 5)
    assert tracked.done()


async def test_a_transaction_that_fails_leaves_nothing(store: JobStore) -> None:
    def half(db: Statements) -> None:
        db.execute("insert into setting values ('key', 'value')")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await store.database.write(half)
    assert await store.settings.get("key") is None
    await store.settings.set("key", "another")
    assert await store.settings.get("key") == "another"


async def test_a_checkpoint_empties_the_log_and_gives_pages_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log, database = tmp_path / "vivant.db-wal", tmp_path / "vivant.db"
        await store.database.checkpoint()
        empty = database.stat().st_size
        await store.database.write(fetch, "insert into setting values ('key', ?)", ("x" * 400_000,))
        await store.settings.set("key", None)
        assert log.stat().st_size > 400_000
        await store.database.checkpoint()
        assert log.stat().st_size == 0
        assert database.stat().st_size <= empty


async def test_readers_cannot_write(store: JobStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store.database.read(lambda db: db.execute("delete from job").fetchall())
