"""Starts are counted and paced, so that Discord never resets the token."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.edge.connection.pacing import BURST, INTERVAL_MS, Pace, pace, paced_identify, paced_start
from bot.queue.database import StoreFull
from bot.queue.store import Settings
from bot.sandbox.server import Sandbox
from tests.support.edge import running_edge
from tests.support.jobs import opened


async def test_starts_are_counted_and_paced(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        for _ in range(2):
            async with running_edge(tmp_path, sandbox) as edge:
                due = int(await edge.store.settings.get("identifies") or 0)
        assert due > edge.clock() + INTERVAL_MS
        assert sandbox.world.identifies == 2


async def test_a_session_that_has_to_be_begun_anew_while_the_bot_runs_counts_as_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.connection.pacing.LONGEST_IDENTIFY_MS", 10)
    async with opened(tmp_path) as store:
        for _ in range(BURST):
            await paced_identify(store, lambda: 0)
        counted = await store.settings.get("identifies")
        assert counted == str(BURST * INTERVAL_MS)
        with pytest.raises(TimeoutError):
            await paced_identify(store, lambda: 0)
        assert await store.settings.get("identifies") == counted, "one that may not begin is not counted"
        await paced_identify(store, lambda: INTERVAL_MS)


async def test_the_client_counts_a_session_that_was_declared_invalid(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox) as edge:
        before = int(await edge.store.settings.get("identifies") or 0)
        with pytest.raises(TimeoutError):  # it rests five seconds after it was counted
            await asyncio.wait_for(edge.client.before_identify_hook(0), 0.2)
        assert int(await edge.store.settings.get("identifies") or 0) == before + INTERVAL_MS


DAY_MS = 24 * 3_600_000


class FullDisk(Settings):
    """Settings on a disk that has no room for another one."""

    async def set(self, key: str, value: str | None) -> None:
        raise StoreFull("database or disk is full")


async def test_a_full_disk_does_not_keep_the_bot_from_starting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as store:
        store.settings = FullDisk(store.database)
        await asyncio.wait_for(paced_start(store, lambda: 0), 5)
    assert "no room" in caplog.text


def test_a_crash_loop_stays_below_a_thousand_starts_a_day() -> None:
    now = due = starts = 0
    while now < DAY_MS:
        wait, due = pace(due, now)
        now += wait + 50  # dies at once
        starts += 1
    assert BURST <= starts < 900


def test_a_few_starts_in_a_row_do_not_wait_and_a_clock_set_back_costs_little() -> None:
    due = 0
    for number in range(BURST):
        wait, due = pace(due, 10**9 + number)
        assert wait == 0
    wait, _ = pace(due, 10**9 + BURST)
    assert 0 < wait <= INTERVAL_MS
    assert pace(10**15, 0)[0] <= INTERVAL_MS


def test_progress_keeps_its_pace_while_few_clips_are_made() -> None:
    assert Pace().after_progress(Pace().most_begun, Pace().most_begun_in_channel) == Pace().edit_seconds


@pytest.mark.parametrize(("begun", "in_channel"), [(300, 1), (1_000, 2), (8, 8), (300, 40)])
def test_the_progress_of_all_clips_together_is_bounded(begun: int, in_channel: int) -> None:
    """Of the 50 requests a second that Discord takes, and of the 5 edits in 5 s in a channel, most stay free."""
    seconds = Pace().after_progress(begun, in_channel)
    assert begun / seconds <= 12
    assert in_channel / seconds <= 0.5
