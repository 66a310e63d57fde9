"""Retention by the hour, on a running bot."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from bot.config.sections import RetentionConfig
from bot.queue.database import StoreFull
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.sandbox.server import Sandbox
from bot.work.sweep import MOST_WHILE_OFF_MS, STEP_MS, RetentionClock, after_start, sweep_hourly
from tests.support.edge import running_edge
from tests.support.jobs import HOUR_MS, Clock, claimed, new_job, opened, rendered


class Enough(Exception):
    """Ends a test's bot."""


async def test_every_hour_old_clips_and_files_without_a_row_go(tmp_path: Path) -> None:
    rests: list[float] = []
    elapsed = Clock(0)
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, elapsed_ms=elapsed) as edge:
        await edge.animate()
        await edge.delivered()

        async def pass_a_day(seconds: float) -> None:
            rests.append(seconds)
            if len(rests) == 2:
                raise Enough
            assert edge.spool.path("1-1.mp4").is_file()
            edge.clock.ahead_ms += 25 * HOUR_MS
            elapsed.now_ms += 25 * HOUR_MS
            for name, age in (("1-1-8388608.mp4", 0), ("9-9.mp4", 7200), ("picture-new.png", 0)):
                (tmp_path / "spool" / name).touch()
                os.utime(tmp_path / "spool" / name, (time.time() - age,) * 2)

        with pytest.raises(Enough):
            await sweep_hourly(edge.store, edge.spool, edge.services.config.retention, pass_a_day)
        assert [path.name for path in edge.spool.folder.iterdir()] == ["picture-new.png"]
    assert rests == [3600, 3600]


# -- a clock that is wrong ------------------------------------------------------------------------------------------

DAY_MS = 24 * HOUR_MS
YEAR_MS = 365 * DAY_MS


class Life:
    """One life of the bot after the other on one folder, with its clocks."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.wall, self.elapsed = folder, Clock(), Clock(5_000)

    def pass_time(self, ms: int) -> None:
        self.wall.now_ms += ms
        self.elapsed.now_ms += ms

    @asynccontextmanager
    async def open(self) -> AsyncIterator[JobStore]:
        async with opened(self.folder, now_ms=self.wall, elapsed_ms=self.elapsed) as store:
            yield store

    async def sweep(self, store: JobStore, *steps: Callable[[], object]) -> set[int]:
        """Sweep, and again after each step; return the jobs that are left."""
        left = iter(steps)

        async def pause(seconds: float) -> None:
            step = next(left, None)
            if step is None:
                raise Enough
            step()

        with pytest.raises(Enough):
            await sweep_hourly(store, Spool(self.folder / "spool", 0), RetentionConfig(), pause)
        return {number for number in range(1, 4) if await store.jobs.get(number)}

    async def answer(self, store: JobStore) -> None:
        """End three jobs: one is a dead letter, one posted, one failed."""
        for _ in range(3):
            await store.jobs.enqueue(new_job())
            job = await claimed(store)
            await store.jobs.settle_rendered(job, rendered(job))
            await store.deliveries.mark_sending(job.id)
        await store.deliveries.mark_dead(1, "channel-gone")
        await store.deliveries.mark_sent(2, 5)
        await store.deliveries.mark_sent(3, 6)

    async def files(self, store: JobStore) -> int:
        return len(await store.retention.known_files())


ALL = {1, 2, 3}


async def test_a_clock_that_jumps_ahead_while_the_bot_runs_deletes_nothing(tmp_path: Path) -> None:
    life = Life(tmp_path)
    async with life.open() as store:
        await life.answer(store)
        ahead = partial(setattr, life.wall, "now_ms", life.wall.now_ms + YEAR_MS)
        assert await life.sweep(store, ahead, partial(life.pass_time, HOUR_MS)) == ALL
        assert await life.files(store) == 6


@pytest.mark.parametrize("jump_ms", [YEAR_MS, 40 * DAY_MS, -YEAR_MS, -50 * YEAR_MS])
async def test_a_start_with_a_wrong_clock_deletes_nothing(tmp_path: Path, jump_ms: int) -> None:
    life = Life(tmp_path)
    async with life.open() as store:
        await life.answer(store)
        await life.sweep(store)
    life.wall.now_ms += jump_ms
    for _ in range(3):
        async with life.open() as store:
            assert await life.sweep(store) == ALL
            assert await life.files(store) == 6
    life.wall.now_ms -= jump_ms  # it is set right
    async with life.open() as store:
        assert await life.sweep(store) == ALL


async def test_what_ends_while_the_clock_is_ahead_is_kept_no_longer_for_that(tmp_path: Path) -> None:
    life = Life(tmp_path)
    async with life.open() as store:
        await life.sweep(store)
        life.wall.now_ms += YEAR_MS
        await life.answer(store)
        life.wall.now_ms -= YEAR_MS
        assert await life.sweep(store, partial(life.pass_time, 20 * DAY_MS)) == ALL
        assert (
            await life.sweep(store, partial(life.pass_time, 29 * DAY_MS), partial(life.pass_time, 2 * DAY_MS)) == set()
        )


@pytest.mark.parametrize("stops_each_day", [False, True])
async def test_real_time_deletes_in_time(tmp_path: Path, stops_each_day: bool) -> None:
    """The other side: while the bot runs, or is off for no longer than half a day, everything goes in its time."""
    life = Life(tmp_path)
    async with life.open() as store:
        await life.answer(store)
        await life.sweep(store)
    left: list[set[int]] = []
    for _ in range(31):
        async with life.open() as store:
            await life.sweep(store, *[partial(life.pass_time, 12 * HOUR_MS)] * (1 if stops_each_day else 2))
            left.append(await life.sweep(store))
        if stops_each_day:
            life.pass_time(12 * HOUR_MS)
    assert (left[28], left[30]) == (ALL, set())


@pytest.mark.parametrize(
    ("kept", "wall_ms", "now_ms"),
    [
        (None, 5_000, 5_000),
        ("", 5_000, 5_000),
        ("7", 5_000, 5_000),
        ("7 x", 5_000, 5_000),
        ("x 7", 5_000, 5_000),
        ("1 2 3", 5_000, 5_000),
        ("1000 2000", 5_000, 4_000),
        ("1000 2000", 1_000, 1_000),
        ("1000 2000", 2_000 + MOST_WHILE_OFF_MS, 1_000 + MOST_WHILE_OFF_MS),
        ("1000 2000", 2_001 + MOST_WHILE_OFF_MS, 1_000 + MOST_WHILE_OFF_MS),
    ],
)
def test_a_start_goes_on_from_the_last_sweeps_time_by_at_most_half_a_day(
    kept: str | None, wall_ms: int, now_ms: int
) -> None:
    assert after_start(kept, wall_ms) == now_ms


@pytest.mark.parametrize(
    ("moved_ms", "was_set"), [(STEP_MS, False), (STEP_MS + 1, True), (-STEP_MS, False), (-STEP_MS - 1, True)]
)
async def test_a_clock_was_set_when_it_moved_by_much_more_or_less_than_the_time(
    tmp_path: Path, moved_ms: int, was_set: bool
) -> None:
    life = Life(tmp_path)
    async with life.open() as store:
        clock = RetentionClock(store)
        began = life.wall.now_ms
        assert await clock.advance() == (began, False)
        life.pass_time(HOUR_MS)
        life.wall.now_ms += moved_ms
        assert await clock.advance() == (began + HOUR_MS, was_set)
        life.pass_time(HOUR_MS)
        assert await clock.advance() == (began + 2 * HOUR_MS, False), "it counts from there"
        assert await RetentionClock(store).advance() == (began + 2 * HOUR_MS, False), "the next start knows it"


async def test_a_sweep_whose_time_a_full_disk_does_not_take_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(key: str, value: str | None) -> None:
        raise StoreFull("no room")

    life = Life(tmp_path)
    async with life.open() as store:
        monkeypatch.setattr(store.settings, "set", full)
        assert await RetentionClock(store).advance() == (life.wall.now_ms, False)


async def test_files_that_no_row_names_yet_outlive_a_step_of_the_clock(tmp_path: Path) -> None:
    life = Life(tmp_path)
    async with life.open() as store:
        await life.sweep(store)
        new = tmp_path / "spool" / "incoming-7"

        def step() -> None:
            new.touch()
            os.utime(new, (time.time() - 7200,) * 2)  # as a file looks that was written just before the step
            life.wall.now_ms += 2 * HOUR_MS

        await life.sweep(store, step)
        assert new.exists()
        await life.sweep(store, partial(life.pass_time, HOUR_MS))
        assert not new.exists(), "the negative control: an hour later it belongs to nobody"
