"""Numbered steps, each whole or not at all. Kills in between are in tests/faults/test_store_kill.py."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.queue.opening.migrations import STEPS, delete_old_copies, forget_in_copies, migrate, scripts, version_of


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "vivant.db", isolation_level=None)) as db:
        yield db


def tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("select name from sqlite_schema where type = 'table'")}


ONE, TWO = "create table a (x integer);\n", "create table b (x integer);\n\ninsert into b values (7);\n"


def test_a_step_that_fails_leaves_the_version_before_it(db: sqlite3.Connection) -> None:
    with pytest.raises(sqlite3.OperationalError, match="nonsense"):
        migrate(db, [ONE, f"{TWO}nonsense;\n"], None)
    assert (version_of(db), tables(db), db.in_transaction) == (1, {"a"}, False)
    migrate(db, [ONE, TWO], None)
    assert (version_of(db), tables(db)) == (2, {"a", "b"})
    assert db.execute("select x from b").fetchall() == [(7,)]
    migrate(db, [ONE, TWO], None)
    assert version_of(db) == 2, "nothing is done twice"


def test_the_file_is_copied_before_its_first_step_and_not_when_it_is_new(
    db: sqlite3.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "vivant.db"
    half = tmp_path / "vivant-before-version-9.part-journal"
    half.touch()
    migrate(db, [ONE], path)
    assert [file.name for file in tmp_path.iterdir()] == ["vivant.db"], "half a copy goes"
    migrate(db, [ONE], path)
    migrate(db, [ONE, TWO, "create table c (x);\n"], path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["vivant-before-version-2.db", "vivant.db"]
    with closing(sqlite3.connect(tmp_path / "vivant-before-version-2.db")) as copy:
        assert (version_of(copy), tables(copy)) == (1, {"a"})


def test_every_released_step_is_read() -> None:
    found = scripts()
    assert len(found) == len(STEPS) and all("create table" in script or "alter table" in script for script in found)


@pytest.mark.parametrize(("seconds", "stays"), [(-60, True), (60, False)])
def test_a_copy_goes_after_so_many_days(tmp_path: Path, seconds: int, stays: bool) -> None:
    copy, other = tmp_path / "vivant-before-version-2.db", tmp_path / "vivant.db"
    for path in (copy, other):
        path.touch()
        os.utime(path, (time.time() - 3 * 24 * 3600 - seconds,) * 2)
    delete_old_copies(tmp_path, 3)
    assert (copy.exists(), other.exists()) == (stays, True)


def test_in_a_copy_one_value_of_one_column_is_forgotten_wherever_it_stands(tmp_path: Path) -> None:
    copy = tmp_path / "vivant-before-version-2.db"
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        for table in ("one", "two"):
            db.execute(f"create table {table} (user_id integer, text text)")
            db.execute(f"insert into {table} values (1, 'secret'), (2, 'kept')")
        db.execute("create table three (guild_id integer)")
        db.execute("insert into three values (1)")
    os.utime(copy, ns=(1_000_000_000, 2_000_000_000))
    forget_in_copies(tmp_path, "user_id", 1)
    assert copy.stat().st_mtime_ns == 2_000_000_000
    assert b"secret" not in copy.read_bytes()
    with closing(sqlite3.connect(copy)) as db:
        rows = [db.execute(f"select * from {table}").fetchall() for table in ("one", "two", "three")]
    assert rows == [[(2, "kept")], [(2, "kept")], [(1,)]]
    assert [path.name for path in tmp_path.iterdir()] == [copy.name]
