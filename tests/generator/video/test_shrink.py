"""A clip is shrunk in a child: twice at once without harm, once for all who ask, and never for longer than it takes."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from generator.clip import Format
from generator.errors import EncodingFailed
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter
from generator.video.shrink import Shrinks, shrink, take_stills
from tests.support.inspect_clip import inspect_clip
from tests.support.local_backend import eventually
from tests.support.scenes import noise

BUDGET = 16 * 1024


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "c.mp4"
    form = ClipFormat(format=Format.MP4, width=192, height=108, playback_fps=7, max_bytes=2**30)
    with ClipWriter(path, form) as writer:
        for frame in noise(8, 192, 108):
            writer.add(frame)
        writer.finish()
    return path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def children() -> list[psutil.Process]:
    found = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it may end meanwhile
            found += [each] if "generator.video.shrink" in each.cmdline() else []
    return found


async def test_two_processes_that_shrink_one_clip_do_not_harm_each_other(clip: Path) -> None:
    target = clip.with_name("c-16384.mp4")
    done = await asyncio.gather(*[shrink(clip, target, Format.MP4, BUDGET) for _ in range(2)])
    assert {each.path for each in done} == {target}
    assert inspect_clip(target).frames == done[0].frames and target.stat().st_size == done[0].bytes <= BUDGET
    assert names(clip.parent) == {"c.mp4", target.name}


async def test_all_who_ask_for_one_target_wait_for_one_child(clip: Path) -> None:
    shrinks, target = Shrinks(), clip.with_name("c-16384.mp4")
    tasks = [asyncio.create_task(shrinks(clip, target, Format.MP4, BUDGET)) for _ in range(3)]
    await eventually(lambda: bool(children()))
    tasks[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    assert len(children()) == 1, "one who leaves does not take it from the others"
    first, second = await asyncio.gather(*tasks[1:])
    assert first is second and inspect_clip(first.path).frames == first.frames


async def test_it_ends_when_the_last_one_who_waits_leaves_and_begins_anew_for_the_next(clip: Path) -> None:
    shrinks, target = Shrinks(), clip.with_name("c-16384.mp4")
    tasks = [asyncio.create_task(shrinks(clip, target, Format.MP4, BUDGET)) for _ in range(2)]
    await eventually(lambda: bool(children()))
    for task in tasks:
        task.cancel()
    again = asyncio.create_task(shrinks(clip, target, Format.MP4, BUDGET))
    assert [type(end) for end in await asyncio.gather(*tasks, return_exceptions=True)] == [asyncio.CancelledError] * 2
    assert (await again).bytes <= BUDGET
    assert names(clip.parent) == {"c.mp4", target.name} and not children()


async def test_a_failure_is_told_to_all_and_not_kept(clip: Path) -> None:
    shrinks, target = Shrinks(), clip.with_name("c-300.mp4")
    ends = await asyncio.gather(*[shrinks(clip, target, Format.MP4, 300) for _ in range(2)], return_exceptions=True)
    assert [type(end) for end in ends] == [EncodingFailed, EncodingFailed]
    assert names(clip.parent) == {"c.mp4"}


async def test_only_a_few_run_at_once(clip: Path) -> None:
    shrinks, most = Shrinks(at_once=1), 0
    targets = [clip.with_name(f"c-{16384 + each}.mp4") for each in range(3)]
    all_done = asyncio.gather(*[shrinks(clip, target, Format.MP4, BUDGET) for target in targets])
    while not all_done.done():
        most = max(most, len(children()))
        await asyncio.sleep(0.005)
    assert most == 1
    assert {path.name for path in targets} < names(clip.parent)


@pytest.mark.parametrize("format", Format)
@pytest.mark.parametrize(("asked", "given"), [(1, 1), (4, 4), (16, 8)])
async def test_frames_of_a_clip_are_taken_out_from_its_first_to_its_last(
    tmp_path: Path, format: Format, asked: int, given: int
) -> None:
    path, sheet = tmp_path / f"c.{format}", tmp_path / "frames.png"
    form = ClipFormat(format=format, width=96, height=64, playback_fps=7, max_bytes=2**30)
    with ClipWriter(path, form) as writer:
        for at in range(8):
            writer.add(np.full((64, 96, 3), at * 30, np.uint8))
        writer.finish()
    assert await take_stills(path, sheet, asked) == given
    with Image.open(sheet) as image:
        levels = np.asarray(image.convert("L")).reshape(given, 64, 96).mean(axis=(1, 2))
    expected = np.linspace(0, 7, asked).round() * 30 if asked <= 8 else np.arange(8) * 30
    assert levels == pytest.approx(expected, abs=6)


async def test_a_file_that_is_no_clip_has_no_frames(tmp_path: Path) -> None:
    (tmp_path / "c.mp4").write_bytes(b"no clip")
    with pytest.raises(EncodingFailed):
        await take_stills(tmp_path / "c.mp4", tmp_path / "frames.png", 4)
    assert names(tmp_path) == {"c.mp4"}
