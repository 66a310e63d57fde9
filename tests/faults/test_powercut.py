"""Power cuts: the store's own transactions on a disk that loses whatever was not synced, or keeps a part of it."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest

from bot.queue import deliveries, fair_queue
from bot.queue.database import PRAGMAS, transaction
from bot.queue.job import Job, JobState, Limits, NewJob, Outcome, Route
from bot.queue.life import attempts, retention
from bot.queue.opening.migrations import migrate, scripts
from generator.clip import ClipSettings
from generator.variants import BUILT_IN
from tests.support.recording_vfs import RecordingVFS, power_cuts

TRANSACTIONS = 80
LIMITS = Limits(queued_per_user=50, queued_per_guild=200)
TABLES = ("meta", "kind", "lane", "job", "outbox")


@dataclass
class Findings:
    """What the rebuilt disks were found to hold."""

    cuts: int = 0
    lost: int = 0
    corrupt: int = 0


class Workload:
    """One bot's life as transactions, in random order, each through `run`."""

    def __init__(self, db: Any, rng: random.Random) -> None:
        self._db = db
        self._rng = rng
        self._running: list[Job] = []
        self._sending: list[int] = []
        self._accepted = 0
        self._now_ms = 1_000_000

    def step(self) -> None:
        """Do one transaction."""
        self._now_ms += self._rng.randrange(1, 5_000)
        names = (
            ["enqueue"] * 4 + ["claim"] * 4 + ["settle"] * 3 + ["give_back", "cancel", "deliver", "deliver", "forget"]
        )
        getattr(self, f"_{self._rng.choice(names)}")()

    def _run(self, function: Any, *args: Any) -> Any:
        with transaction(self._db):
            return function(self._db, *args)

    def _enqueue(self) -> None:
        self._accepted += 1
        new = NewJob(
            key=f"key-{self._accepted}",
            user_id=self._rng.randrange(1, 6),
            route=Route(application_id=1, channel_id=2, guild_id=3),
            settings=ClipSettings(steps=self._rng.choice((10, 25))),
            picture=f"picture-{self._accepted}.png",
        )
        self._run(fair_queue.enqueue, new, LIMITS, BUILT_IN, self._now_ms)

    def _claim(self) -> None:
        job = self._run(fair_queue.claim, LIMITS, self._now_ms)
        if job is not None:
            self._running.append(job)

    def _settle(self) -> None:
        if self._running:
            job = self._running.pop(0)
            outcome = Outcome(state=JobState.RENDERED, clip=f"{job.id}-{job.attempt}.mp4", took_ms=20_000)
            self._run(attempts.settle, job, outcome, self._now_ms)

    def _give_back(self) -> None:
        if self._running:
            self._run(attempts.give_back, self._running.pop(), {"code": "executor-lost"}, 3, self._now_ms)

    def _cancel(self) -> None:
        if self._accepted:
            self._run(attempts.cancel, self._rng.randrange(1, self._accepted + 1), self._now_ms)

    def _deliver(self) -> None:
        if self._sending:
            self._run(deliveries.mark_sent, self._sending.pop(), 77)
            return
        for delivery in self._run(deliveries.due, self._now_ms, 1):
            self._run(deliveries.mark_sending, delivery.job_id, self._now_ms)
            self._sending.append(delivery.job_id)

    @staticmethod
    def _release(db: Any, before_ms: int) -> None:
        retention.release_files(db, retention.holding_files_before(db, before_ms))

    def _forget(self) -> None:
        self._run(self._release, self._now_ms - 20_000)


def contents(db: sqlite3.Connection | apsw.Connection) -> str:
    """Return every row of every table."""
    return repr([db.execute(f"select * from {table} order by 1").fetchall() for table in TABLES])


def prepared(folder: Path, vfs: str, synchronous: str) -> apsw.Connection:
    """Open a database with the store's own pragmas and schema, checkpointing often."""
    db = apsw.Connection(str(folder / "vivant.db"), vfs=vfs)
    for pragma in PRAGMAS:
        db.execute(pragma).fetchall()
    db.execute(f"pragma synchronous = {synchronous}").fetchall()
    db.execute("pragma wal_autocheckpoint = 24").fetchall()  # many cuts fall into a checkpoint
    migrate(db, scripts(), None)
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    return db


def cut_power(folder: Path, synchronous: str, cuts: int, rng: random.Random) -> Findings:
    """Record one life, then look at `cuts` disks that it may have left behind."""
    vfs = RecordingVFS(f"recording-{secrets.token_hex(4)}")
    db = prepared(folder, vfs.name, synchronous)
    base = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")}
    vfs.log.clear()
    states = [contents(db)]
    workload = Workload(db, rng)
    for _ in range(TRANSACTIONS):
        before = db.total_changes()
        workload.step()
        if db.total_changes() != before:
            states.append(contents(db))
            vfs.ack(len(states) - 1)
    log = list(vfs.log)
    db.close()
    vfs.unregister()
    points = sorted(rng.randrange(len(log) + 1) for _ in range(cuts))
    findings = Findings()
    for acked, files in power_cuts(base, log, points, rng):
        judge(folder / "after", files, states, acked, findings)
    return findings


def judge(folder: Path, files: dict[str, bytes], states: list[str], acked: int, findings: Findings) -> None:
    """Open what is left as the bot would, and compare it with what was acknowledged."""
    findings.cuts += 1
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    try:
        found = contents(db)
        if db.execute("pragma integrity_check").fetchall() != [("ok",)] or found not in states:
            findings.corrupt += 1
        elif found not in states[acked : acked + 2]:  # the transaction under way may be there or not
            findings.lost += 1
        else:
            with transaction(db):
                attempts.recover(db, 2_000_000)
    except sqlite3.DatabaseError:
        findings.corrupt += 1
    finally:
        db.close()
        shutil.rmtree(folder)


def many_cuts(synchronous: str, cuts: int, seed: int) -> Findings:
    rng = random.Random(seed)
    total = Findings()
    memory = Path("/dev/shm")
    while total.cuts < cuts:
        with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
            some = cut_power(Path(folder), synchronous, min(30, cuts - total.cuts), rng)
        total.cuts += some.cuts
        total.lost += some.lost
        total.corrupt += some.corrupt
    found = f"{total.lost} lost, {total.corrupt} corrupt"
    print(f"\n{total.cuts:,} power cuts, {found}: seed {seed}, synchronous {synchronous}")
    return total


@pytest.fixture
def seed() -> Iterator[int]:
    yield int(os.environ.get("SEED") or secrets.randbits(32))


def test_a_power_cut_loses_nothing_that_was_acknowledged(seed: int) -> None:
    found = many_cuts("full", 300, seed)
    assert (found.cuts, found.lost, found.corrupt) == (300, 0, 0), f"seed {seed}"


def test_the_same_cuts_catch_a_store_that_does_not_sync_each_commit(seed: int) -> None:
    """The negative control: NORMAL syncs only at checkpoints, so it must lose some, or the test above is blind."""
    found = many_cuts("normal", 150, seed)
    assert found.lost > 0, f"seed {seed}"
    assert found.corrupt == 0, f"seed {seed}"


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_five_thousand_power_cuts_lose_nothing(seed: int) -> None:
    found = many_cuts("full", 5_000, seed)
    assert (found.lost, found.corrupt) == (0, 0), f"seed {seed}"
