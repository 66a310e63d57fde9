"""The sizes in which a clip is tried, and how each is made once and of the best there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.queue.job import Job, JobState, Route
from bot.queue.spool import ClipGone, Spool
from bot.work.uplink.clip_sizes import ClipSizes, noted
from bot.work.uplink.fitting import fit_clip
from generator.clip import ClipSettings, Format
from generator.errors import EncodingFailed
from generator.memory import MIB
from generator.protocol import Note

JOB = Job(
    id=1,
    key="key",
    user_id=7,
    route=Route(application_id=1, channel_id=2),
    settings=ClipSettings(format=Format.GIF),
    picture="p.png",
    state=JobState.RENDERED,
    attempt=1,
    clip="1-1.gif",
    master="1-1-master.gif",
    notes=(Note("flattened"), Note("shrunk", {"width": 512})),
)


class Shrinker:
    """Makes files of exactly the size that is asked for, which take no room on the disk."""

    def __init__(self, smallest: int = 0, then: Callable[[], object] = lambda: None) -> None:
        self.asked: list[tuple[str, str, Format, int]] = []
        self._smallest = smallest
        self._then = then

    async def __call__(self, source: Path, target: Path, format: Format, max_bytes: int) -> None:
        self.asked.append((source.name, target.name, format, max_bytes))
        if max_bytes < self._smallest:
            raise EncodingFailed("nothing fits", why="budget", max_bytes=max_bytes)
        sized(target, max_bytes)
        self._then()

    @property
    def budgets(self) -> list[int]:
        return [budget for *_, budget in self.asked]


def sized(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path, 0)


async def tried(spool: Spool, shrink: Shrinker, size: int) -> list[tuple[str, int]]:
    sized(spool.folder / "1-1.gif", size)
    return [(path.name, path.stat().st_size) async for path in ClipSizes(spool, shrink).each(JOB)]


@pytest.mark.parametrize(
    ("size", "budgets"),
    [
        (24 * MIB, [10 * MIB, 8 * MIB, 6 * MIB]),
        (12 * MIB, [10 * MIB, 8 * MIB, 6 * MIB, 3 * MIB]),
        (10 * MIB, [8 * MIB, 5 * MIB, 5 * MIB // 2]),
        (8 * MIB, [4 * MIB, 2 * MIB]),
        (1000, [500, 250]),
    ],
)
async def test_a_clip_is_tried_as_it_is_then_at_discords_limits_then_at_half_and_a_quarter(
    spool: Spool, size: int, budgets: list[int]
) -> None:
    shrink = Shrinker()
    expected = [("1-1.gif", size), *((f"1-1-{budget}.gif", budget) for budget in budgets)]
    assert await tried(spool, shrink, size) == expected
    assert shrink.budgets == budgets


async def test_where_no_encoding_fits_nothing_smaller_is_tried(spool: Spool) -> None:
    shrink = Shrinker(smallest=9 * MIB)
    assert [size for _, size in await tried(spool, shrink, 12 * MIB)] == [12 * MIB, 10 * MIB]
    assert shrink.budgets == [10 * MIB, 8 * MIB]


@pytest.mark.parametrize(("stalls", "size"), [(0, 1000), (1, 1000), (2, 500), (3, 500), (4, 250)])
async def test_after_uploads_that_stood_still_the_clip_is_smaller_and_says_so(
    spool: Spool, stalls: int, size: int
) -> None:
    sized(spool.folder / "1-1.gif", 1000)
    job = await ClipSizes(spool, Shrinker()).after_stalls(JOB, stalls)
    assert job.clip is not None
    assert (spool.folder / job.clip).stat().st_size == size
    told = (Note("flattened"), Note("shrunk", {"why": "uplink"})) if size < 1000 else JOB.notes
    assert job.notes == told


async def test_a_clip_that_cannot_be_made_smaller_is_tried_as_it_is(spool: Spool) -> None:
    sized(spool.folder / "1-1.gif", 1000)
    assert await ClipSizes(spool, Shrinker(smallest=900)).after_stalls(JOB, 2) == JOB


async def test_a_note_tells_of_another_clip_than_the_one_that_was_made(spool: Spool) -> None:
    assert noted(JOB, spool.folder / "1-1.gif") == JOB
    other = noted(JOB, spool.folder / "1-1-500.gif")
    assert (other.clip, other.notes) == ("1-1-500.gif", (Note("flattened"), Note("shrunk", {"why": "channel"})))


# -- one size -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1000, 2000])
async def test_a_clip_that_fits_is_taken_as_it_is(spool: Spool, limit: int) -> None:
    clip, shrink = sized(spool.folder / "1-1.gif", 1000), Shrinker()
    assert await fit_clip(spool, JOB, limit, shrink) == clip
    assert shrink.asked == []


@pytest.mark.parametrize("has_master", [False, True])
async def test_a_smaller_one_is_made_once_of_the_best_there_is(spool: Spool, has_master: bool) -> None:
    sized(spool.folder / "1-1.gif", 1000)
    if has_master:
        sized(spool.folder / "1-1-master.gif", 5000)
    shrink = Shrinker()
    for _ in range(2):
        assert await fit_clip(spool, JOB, 999, shrink) == spool.folder / "1-1-999.gif"
    source = "1-1-master.gif" if has_master else "1-1.gif"
    assert shrink.asked == [(source, "1-1-999.gif", Format.GIF, 999)]


async def test_what_was_made_of_a_clip_that_was_deleted_meanwhile_is_deleted_too(spool: Spool) -> None:
    clip = sized(spool.folder / "1-1.gif", 1000)
    with pytest.raises(ClipGone, match="job 1"):
        await fit_clip(spool, JOB, 500, Shrinker(then=clip.unlink))
    assert list(spool.folder.iterdir()) == []
    with pytest.raises(ClipGone):
        await fit_clip(spool, JOB, 500, Shrinker())
