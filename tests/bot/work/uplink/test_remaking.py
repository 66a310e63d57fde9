"""Files made anew: from which file, under which name, one at a time, and nothing of a clip that is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue.job import Job, JobState, Route
from bot.queue.spool import ClipGone, Spool, SpoolFull
from bot.work.ongoing import Ongoing
from bot.work.uplink.remaking import MakingAlready, Remaking
from generator.clip import ClipSettings, Format, Loop
from generator.video.clip_file import EncodedClip

MADE = ClipSettings(format=Format.MP4)
JOB = Job(
    id=1,
    key="key",
    user_id=7,
    route=Route(application_id=1, channel_id=2),
    settings=MADE,
    picture="p.png",
    state=JobState.RENDERED,
    attempt=1,
    clip="1-1.mp4",
    master="1-1-master.mp4",
)
GIF = replace(MADE, format=Format.GIF)


class Encoder:
    """Writes an empty file as soon as it may."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.may = asyncio.Event()
        self.may.set()
        self.begun = asyncio.Event()

    async def __call__(self, source: Path, target: Path, settings: ClipSettings, max_bytes: int) -> EncodedClip:
        self.sources.append(source.name)
        self.begun.set()
        await self.may.wait()
        target.touch()
        return EncodedClip(path=target, bytes=0, width=2, height=2, frames=1, playback_fps=7, seconds=1)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    (tmp_path / "1-1.mp4").touch()
    return Spool(tmp_path, 0)


@pytest.mark.parametrize(
    ("settings", "files", "source"),
    [
        (MADE, [], "1-1.mp4"),
        (MADE, ["1-1-master.mp4"], "1-1-master.mp4"),
        (replace(MADE, loop=Loop.BOOMERANG), [], "1-1.mp4"),
        (replace(MADE, loop=Loop.SEAM), ["1-1-frames.mp4", "1-1-master.mp4"], "1-1-frames.mp4"),
        (replace(MADE, smooth=True), ["1-1-master.mp4"], None),
        (replace(MADE, loop=Loop.CROSSFADE), [], None),
    ],
)
async def test_the_best_file_with_all_frames_is_taken(
    spool: Spool, settings: ClipSettings, files: list[str], source: str | None
) -> None:
    for name in files:
        (spool.folder / name).touch()
    encoder = Encoder()
    remaking = Remaking(spool, encoder, Ongoing())
    if source is None:
        with pytest.raises(ClipGone):
            await remaking.make(replace(JOB, settings=settings), GIF, 1000, person=7)
    else:
        made = await remaking.make(replace(JOB, settings=settings), GIF, 1000, person=7)
        assert made.path.name == "1-1-as-gif-none-0-7-1000.gif"
    assert encoder.sources == ([source] if source else [])


async def test_one_at_a_time_for_each_clip_and_person(spool: Spool) -> None:
    encoder = Encoder()
    encoder.may.clear()
    remaking = Remaking(spool, encoder, Ongoing())
    first = asyncio.create_task(remaking.make(JOB, GIF, 1000, person=7))
    await encoder.begun.wait()
    with pytest.raises(MakingAlready):
        await remaking.make(JOB, replace(GIF, loop=Loop.SEAM), 1000, person=7)
    other = asyncio.create_task(remaking.make(JOB, GIF, 1000, person=8))
    encoder.may.set()
    assert (await first).path == (await other).path
    assert await remaking.make(JOB, GIF, 1000, person=7)


async def test_a_clip_deleted_meanwhile_leaves_no_file_of_it(spool: Spool) -> None:
    encoder = Encoder()
    encoder.may.clear()
    making = asyncio.create_task(Remaking(spool, encoder, Ongoing()).make(JOB, GIF, 1000, person=7))
    await encoder.begun.wait()
    spool.delete(["1-1.mp4"])
    encoder.may.set()
    with pytest.raises(ClipGone):
        await making
    assert list(spool.folder.iterdir()) == []


async def test_who_is_forgotten_is_waited_for(spool: Spool) -> None:
    encoder, ongoing = Encoder(), Ongoing()
    encoder.may.clear()
    making = asyncio.create_task(Remaking(spool, encoder, ongoing).make(JOB, GIF, 1000, person=8))
    await encoder.begun.wait()
    waiting = asyncio.create_task(ongoing.wait(lambda owner: owner.user_id == 7, 5))
    await asyncio.sleep(0)
    assert not waiting.done()
    encoder.may.set()
    await making
    await waiting
    assert waiting.done()


async def test_a_nearly_full_disk_takes_no_further_file(tmp_path: Path) -> None:
    (tmp_path / "1-1.mp4").touch()
    encoder = Encoder()
    with pytest.raises(SpoolFull):
        await Remaking(Spool(tmp_path, 2**62), encoder, Ongoing()).make(JOB, GIF, 1000, person=7)
    assert encoder.sources == []
