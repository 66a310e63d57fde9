"""A data folder that an earlier version wrote opens, and nothing in it is lost.

`version_1.sql` and those after it were written by the code of that version itself. A released file is never changed
again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from bot.queue.job import DeliveryState, JobState
from bot.queue.opening.migrations import STEPS, migrate, scripts
from generator.clip import Format, Loop
from generator.protocol import Note
from tests.support.jobs import Clock, claimed, kept, opened

NOW_MS = 1_796_000_000_000
RELEASED = 3
"""the newest version of which somebody may have a data folder"""


def old_folder(folder: Path, version: int = 1) -> Path:
    """Lay out a folder as that version left it when its process was killed."""
    db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    migrate(db, scripts()[:version], None)
    db.executescript((Path(__file__).parent / f"version_{version}.sql").read_text())
    db.close()
    return folder


def test_each_released_version_has_left_its_rows_here() -> None:
    found = {path.name for path in Path(__file__).parent.glob("version_*.sql")}
    assert found >= {f"version_{number}.sql" for number in range(1, RELEASED + 1)}
    assert len(STEPS) >= RELEASED


@pytest.mark.parametrize(("version", "first"), [(2, 1), (3, 3)])
async def test_every_job_of_a_later_version_is_read_and_goes_on(tmp_path: Path, version: int, first: int) -> None:
    """`first` is the id of the oldest job: the third version has forgotten two people before, one with a debt."""
    async with opened(old_folder(tmp_path, version), now_ms=Clock(NOW_MS)) as store:
        recovered = await store.jobs.recover()
        jobs = [await kept(store, number) for number in range(first, first + 6)]
        states = ["rendered", "failed", "rendered", "cancelled", "queued", "queued"]
        assert [job.state for job in jobs] == states
        assert [job.id for job in recovered] == [first + 3, first + 4]
        assert all(job.route.spoiler and job.route.interaction_token == "a-token" for job in jobs)
        assert (jobs[1].settings.format, jobs[1].settings.loop) == (Format.GIF, Loop.BOOMERANG)
        deliveries = [await store.deliveries.of_job(first + number) for number in range(3)]
        found = [(item.state, item.attempts) for item in deliveries if item is not None]
        assert found == [(DeliveryState.SENT, 1), (DeliveryState.DEAD, 1), (DeliveryState.PENDING, 1)]
        nonces = {item.nonce for item in deliveries if item is not None}
        text = (Path(__file__).parent / f"version_{version}.sql").read_text()
        assert len(nonces) == 3 and all(f"'{nonce}'" in text for nonce in nonces), "else a post may come twice"
        assert (await claimed(store)).id == first + 4
        assert await store.recheck.is_due(), "the mark that the rows know is not here: it counts as restored"


async def test_every_job_of_the_first_version_is_read_and_goes_on(tmp_path: Path) -> None:
    async with opened(old_folder(tmp_path), now_ms=Clock(NOW_MS)) as store:
        recovered = await store.jobs.recover()
        states = {number: job.state for number in range(1, 7) if (job := await store.jobs.get(number))}
        assert {job.id for job in recovered} == {4, 5}, "both ran when the process was killed"
        assert states == {
            1: JobState.RENDERED,
            2: JobState.FAILED,
            3: JobState.RENDERED,
            4: JobState.CANCELLED,  # its person had asked for that while it ran
            5: JobState.QUEUED,
            6: JobState.QUEUED,
        }
        claimed = await store.jobs.claim()
        assert claimed is not None
        assert (claimed.id, claimed.attempt) == (5, 2)


async def test_what_a_row_of_the_first_version_says_is_understood(tmp_path: Path) -> None:
    async with opened(old_folder(tmp_path), now_ms=Clock(NOW_MS)) as store:
        job = await store.jobs.get(2)
        assert job is not None
        assert (job.settings.format, job.settings.loop, job.settings.smooth) == (Format.GIF, Loop.BOOMERANG, True)
        assert job.notes == (Note("flattened"), Note("small-picture", {"width": 64, "height": 36}))
        assert (job.failure or {})["code"] == "bad-frames"
        assert job.route.spoiler
        assert job.route.interaction_token == "a-token"
        first = await store.jobs.get(1)
        assert first is not None
        assert (first.facts or {})["seconds"] == 13.2
        assert await store.settings.get("paused") == "new model coming."


async def test_the_deliveries_of_the_first_version_keep_their_state_and_nonce(tmp_path: Path) -> None:
    async with opened(old_folder(tmp_path), now_ms=Clock(NOW_MS)) as store:
        await store.jobs.recover()
        deliveries = [await store.deliveries.of_job(number) for number in (1, 2, 3)]
        found = [(item.state, item.attempts, item.nonce) for item in deliveries if item is not None]
        assert found == [
            (DeliveryState.SENT, 1, "d6a816c1-1"),
            (DeliveryState.DEAD, 1, "d6a816c1-2"),
            (DeliveryState.PENDING, 1, "d6a816c1-3"),
        ]
