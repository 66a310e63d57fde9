"""The queue against huey, litequeue and persist-queue at synchronous=FULL, and with 100,000 jobs waiting."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bot.queue import fair_queue
from bot.queue.database import PRAGMAS, transaction
from bot.queue.job import Limits
from bot.queue.opening.migrations import migrate, scripts
from bot.queue.store import JobStore
from generator.variants import BUILT_IN
from tests.benchmarks.queue_systems import Direct, Huey, Litequeue, Ours, OursDirect, PersistQueue, Threaded, new_job
from tests.benchmarks.report import Report

ROUNDS = 7
JOBS = 100
WARM_ROUNDS = 3
"""until every system's write-ahead log has its full size: a log that still grows syncs more slowly"""
WAITING = 100_000
CLAIMS = 1_000
OPERATIONS = ("enqueue", "claim", "complete")


async def timed(action: Callable[[], Awaitable[Any]], times: list[float]) -> Any:
    """Run `action` and add its milliseconds to `times`."""
    start = time.perf_counter()
    result = await action()
    times.append((time.perf_counter() - start) * 1000)
    return result


async def one_round(system: Any) -> dict[str, list[float]]:
    """Enqueue, claim and complete JOBS jobs one after the other."""
    times: dict[str, list[float]] = {operation: [] for operation in OPERATIONS}
    for _ in range(JOBS):
        await timed(system.enqueue, times["enqueue"])
    claimed = [await timed(system.claim, times["claim"]) for _ in range(JOBS)]
    for job in claimed:
        await timed(partial(system.complete, job), times["complete"])
    return times


def p99(times: list[float]) -> float:
    """Return the 99th percentile."""
    return quantiles(times, n=100)[98]


async def against_peers(report: Report) -> None:
    """All systems on the same disk, taking turns, so that a slow moment of the disk hits all of them."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        store = await JobStore.open(folder / "ours", limits=Limits(queued_per_guild=200))
        systems: list[Any] = [Ours(store), OursDirect(folder)]
        for kind in (Direct, Threaded):
            (folder / kind.__name__).mkdir()
            systems += [kind(make, folder / kind.__name__) for make in (Huey, Litequeue, PersistQueue)]
        for system in systems:
            for _ in range(WARM_ROUNDS):
                await one_round(system)
        rounds = []
        for number in range(ROUNDS):
            turn = systems[number % len(systems) :] + systems[: number % len(systems)]
            rounds.append({system.name: await one_round(system) for system in turn})
        await store.close()
        for system in systems:
            if isinstance(system, Threaded | OursDirect):
                system.close()
    for operation in OPERATIONS:
        for system in systems:
            times = [value for found in rounds for value in found[system.name][operation]]
            add(report, f"{operation}_{system.name}", times)
        # Like with like: both in the calling thread, and both as a bot on asyncio has to call them.
        report.figures[f"{operation}_vs_fastest_direct"] = ratio(rounds, operation, OursDirect.name, "")
        report.figures[f"{operation}_vs_fastest_threaded"] = ratio(rounds, operation, Ours.name, "_threaded")
        # Unlike: our thread hop against libraries that block the event loop. For information, without a target.
        report.figures[f"{operation}_vs_fastest_blocking"] = ratio(rounds, operation, Ours.name, "")
        report.targets |= {f"{operation}_vs_fastest_{way}": "<= 2" for way in ("direct", "threaded")}


def ratio(rounds: list[dict[str, dict[str, list[float]]]], operation: str, ours: str, ending: str) -> float:
    """Return the median of `ours` over the fastest library's called that way, in the middle of the rounds."""
    peers = [f"{library.name}{ending}" for library in (Huey, Litequeue, PersistQueue)]
    ratios = []
    for found in rounds:
        middle = {name: median(times[operation]) for name, times in found.items()}
        ratios.append(middle[ours] / min(middle[peer] for peer in peers))
    return median(ratios)


def fill(folder: Path, user_of: Callable[[int], int]) -> None:
    """Put WAITING jobs into a new database, by the store's own function, in one transaction."""
    db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    for pragma in PRAGMAS:
        db.execute(pragma).fetchall()
    migrate(db, scripts(), None)
    limits = Limits(queued_per_user=0)

    with transaction(db):
        for number in range(WAITING):
            fair_queue.enqueue(db, new_job(number, user_of(number)), limits, BUILT_IN, number)
    db.execute("pragma wal_checkpoint(truncate)").fetchall()
    db.close()


@asynccontextmanager
async def opened(source: Path, where: Path, limits: Limits) -> AsyncIterator[JobStore]:
    """Open a store on a copy of a filled database."""
    with tempfile.TemporaryDirectory(dir=where) as folder:
        shutil.copy(source / "vivant.db", folder)
        store = await JobStore.open(Path(folder), limits=limits)
        try:
            yield store
        finally:
            await store.close()


async def claims(store: JobStore, count: int) -> list[float]:
    """Claim `count` jobs, settling each, and return the claims' milliseconds."""
    times: list[float] = []
    for _ in range(count):
        job = await timed(store.jobs.claim, times)
        assert await store.jobs.settle_cancelled(job)
    return times


async def with_many_waiting(report: Report) -> None:
    """100,000 jobs of 1,000 people, then of one person beside 500 others."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path.cwd()
    with tempfile.TemporaryDirectory(dir=memory) as crowd, tempfile.TemporaryDirectory(dir=memory) as hoarder:
        fill(Path(crowd), lambda number: number % 1_000)
        async with opened(Path(crowd), memory, Limits()) as store:
            add(report, "claim_100k", await claims(store, CLAIMS))
            await positions(report, store)
        async with opened(Path(crowd), Path.cwd(), Limits()) as store:
            add(report, "claim_100k_on_disk", await claims(store, CLAIMS // 4))
            add(report, "disk_sync_of_4kib", disk_syncs(Path.cwd()))
        fill(Path(hoarder), lambda number: max(0, number - WAITING + 500))
        async with opened(Path(hoarder), memory, Limits(running_per_user=1)) as store:
            assert await store.jobs.claim()  # the one with 99,500 jobs is now at the limit
            add(report, "claim_100k_blocked", await claims(store, 400))
    report.targets |= {
        "claim_100k_p99_ms": "<= 1",
        "claim_100k_blocked_p99_ms": "<= 1",
        "position_10k_of_100k_p50_ms": "<= 5",
    }


async def positions(report: Report, store: JobStore) -> None:
    """Read positions all along the queue."""
    waiting = await store.jobs.waiting(WAITING)
    for name, index in (("1k", 999), ("10k", 9_999), ("last", len(waiting) - 1)):
        times: list[float] = []
        for _ in range(20):
            await timed(partial(store.jobs.position, waiting[index].id), times)
        report.figures[f"position_{name}_of_100k_p50_ms"] = median(times)


def add(report: Report, name: str, times: list[float]) -> None:
    """Add the two figures that sum up `times`."""
    report.figures[f"{name}_p50_ms"], report.figures[f"{name}_p99_ms"] = median(times), p99(times)


def disk_syncs(folder: Path) -> list[float]:
    """Measure what one write of 4 KiB and its sync cost on this disk: no commit can be quicker."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        for number in range(250):
            start = time.perf_counter()
            os.pwrite(file.fileno(), bytes(4096), number * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - start) * 1000)
    return times


async def measure(report: Report) -> None:
    """Run every part."""
    await against_peers(report)
    await with_many_waiting(report)


def run() -> Report:
    """Measure. claim_100k_* is on a memory disk, where only the sync costs nothing; on_disk says the rest."""
    report = Report("queue", libraries=("aiosqlite", "huey", "litequeue", "persist-queue"))
    report.tables += [
        f"SQLite {sqlite3.sqlite_version}; {ROUNDS} rounds of {JOBS} jobs, the systems taking turns.",
        "vs_fastest_direct: all in the calling thread; _threaded: all as a bot on asyncio must call them;",
        "_blocking: our store with its thread against libraries that stop the event loop (shown, without a target).",
        "On a busy machine use `chrt -r 10`, else the p99 is the scheduler's.",
    ]
    asyncio.run(measure(report))
    return report
