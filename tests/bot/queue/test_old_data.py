"""A data folder that an earlier version wrote opens, and nothing in it is lost.

`version_1.sql` was written by the first version of the code itself. A released file is never changed again.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bot.queue.job import DeliveryState, JobState
from bot.queue.opening.migrations import migrate, scripts
from generator.clip import Format, Loop
from generator.protocol import Note
from tests.support.jobs import Clock, opened

NOW_MS = 1_796_000_000_000


def old_folder(folder: Path) -> Path:
    """Lay out a folder as the first version left it when its process was killed."""
    db = sqlite3.connect(folder / "vivant.db", isolation_level=None)
    migrate(db, scripts()[:1], None)
    db.executescript((Path(__file__).parent / "version_1.sql").read_text())
    db.close()
    return folder


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
