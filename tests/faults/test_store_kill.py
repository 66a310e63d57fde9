"""SIGKILL at random moments: of a process that lives on the store, and of one that migrates it."""

from __future__ import annotations

import random
import secrets
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from bot.queue.migrations import migrate, scripts, version_of
from tests.support.jobs import faults
from tests.support.migration_life import NEXT_STEPS


def run_and_kill(arguments: list[str], delay: float) -> None:
    """Start a child, wait until it is ready, kill it `delay` seconds later."""
    with subprocess.Popen(
        [sys.executable, "-m", *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(delay)  # the moment of the kill is the point
        child.kill()


def lives(folder: Path, kills: int, seed: int, mode: str = "") -> Counter[str]:
    """Kill one life after another on the same folder, let the last one finish, and count what went wrong."""
    rng = random.Random(seed)
    log = folder / "journal"
    for _ in range(kills):
        run_and_kill(["tests.support.store_life", str(folder), str(log), mode], rng.random() * 0.15)
    command = [sys.executable, "-m", "tests.support.store_life", str(folder), str(log), "drain"]
    subprocess.run(command, check=True, timeout=90)
    lines = [line.split() for line in log.read_text().splitlines()]
    accepted = {words[1] for words in lines if words[0] == "accepted"}
    settled = Counter(words[1] for words in lines if words[0] == "settled")
    posts = Counter(words[1] for words in lines if words[0] == "posted")
    nonces = Counter({words[1]: 0 for words in lines if words[0] == "posted"})
    for key, _ in {(words[1], words[2]) for words in lines if words[0] == "posted"}:
        nonces[key] += 1
    db = sqlite3.connect(folder / "vivant.db")
    found = Counter(
        accepted=len(accepted),
        lost=len(accepted - set(posts)),
        settled_twice=sum(count > 1 for count in settled.values()),
        posted_with_two_nonces=sum(count > 1 for count in nonces.values()),
        repeated_with_the_same_nonce=sum(count > 1 for count in posts.values()),
        faults=len(faults(db)),
    )
    db.close()
    print(f"\n{kills} kills, seed={seed}, {mode or 'as it is'}: {dict(found)}")
    return found


def assert_nothing_went_wrong(found: Counter[str], seed: int) -> None:
    wrong = ("lost", "settled_twice", "posted_with_two_nonces", "faults")
    assert {name: found[name] for name in wrong} == dict.fromkeys(wrong, 0), f"seed {seed}"
    assert found["accepted"] > 0


def test_killed_processes_lose_no_accepted_job_and_settle_none_twice(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    assert_nothing_went_wrong(lives(tmp_path, 20, seed), seed)


def test_the_same_kills_catch_a_bot_that_answers_before_the_commit(tmp_path: Path) -> None:
    """The negative control."""
    for attempt in range(5):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        if lives(folder, 5, secrets.randbits(32), "early")["lost"] > 0:
            return
    pytest.fail("the harness did not see a single early answer lost")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_killed_processes_lose_nothing(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    assert_nothing_went_wrong(lives(tmp_path, 1_000, seed), seed)


# -- migrations -----------------------------------------------------------------------------------------------------

ROWS = 4_000


def version_one(path: Path) -> None:
    """Make a database of version 1 with enough rows that a step takes a while."""
    db = sqlite3.connect(path, isolation_level=None)
    migrate(db, scripts()[:1], path)
    db.execute("begin")
    db.executemany("insert into setting values (?, ?)", [(f"key-{n}", f"{n}" * 20) for n in range(ROWS)])
    db.execute("commit")
    db.close()


def is_whole(path: Path) -> bool:
    """Tell whether the file is exactly one of the versions."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        version = version_of(db)
        columns = [row[1] for row in db.execute("pragma table_info(setting)")]
        tables = db.execute("select name from sqlite_schema where name = 'copied'").fetchall()
        if (len(columns) == 3, bool(tables)) != (version >= 2, version >= 3):
            return False
        if version == 2 and db.execute("select count(*) from setting where twice is null").fetchone()[0]:
            return False
        threes = db.execute("select count(*) from setting where value = 'three'").fetchone()[0]
        return bool(threes == (ROWS if version >= 3 else 0)) and not faults(db)
    finally:
        db.close()


def unkilled_seconds(path: Path, how: str) -> float:
    """Measure how long the migration takes when nobody kills it."""
    version_one(path)
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.migration_life", str(path), how], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        start = time.monotonic()
        assert child.stdout.readline() == "done\n"
        return time.monotonic() - start


def broken_migrations(folder: Path, kills: int, seed: int, how: str) -> int:
    """Kill migrations at random; count files that are between two versions, and copies that are not version 1."""
    rng = random.Random(seed)
    broken, versions, longest = 0, Counter[int](), unkilled_seconds(folder / "unkilled.db", how)
    for number in range(kills):
        path = folder / f"{number}" / "vivant.db"
        path.parent.mkdir()
        version_one(path)
        run_and_kill(["tests.support.migration_life", str(path), how], rng.random() * longest)
        copy = path.with_name("vivant-before-version-2.db")
        broken += not is_whole(path) or (copy.exists() and not is_whole(copy))
        db = sqlite3.connect(path, isolation_level=None)
        versions[version_of(db)] += 1
        if how == "safe":
            migrate(db, [*scripts()[:1], *NEXT_STEPS], path)
            broken += version_of(db) != 3
        db.close()
    print(f"\n{kills} {how} migrations killed, seed={seed}: {broken} broken, versions left {dict(versions)}")
    return broken


def test_a_killed_migration_leaves_one_whole_version(tmp_path: Path) -> None:
    seed = secrets.randbits(32)
    assert broken_migrations(tmp_path, 20, seed, "safe") == 0, f"seed {seed}"


def test_the_same_kills_catch_a_migration_without_transactions(tmp_path: Path) -> None:
    """The negative control."""
    seed = secrets.randbits(32)
    assert broken_migrations(tmp_path, 20, seed, "careless") > 0, f"seed {seed}"


def test_a_migration_copies_the_file_first(tmp_path: Path) -> None:
    path = tmp_path / "vivant.db"
    version_one(path)
    db = sqlite3.connect(path, isolation_level=None)

    migrate(db, [*scripts()[:1], *NEXT_STEPS], path)

    assert version_of(db) == 3
    db.close()
    assert is_whole(tmp_path / "vivant-before-version-2.db")
