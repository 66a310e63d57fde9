"""Clips always play, and always fit their budget."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from generator.clip import Format, Loop
from generator.errors import DiskFull, EncodingFailed
from generator.memory import MIB
from generator.video.anew.again import shrink_clip
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import raw_input, through_ffmpeg
from generator.video.recipe import read_recipe
from generator.video.shrink import shrink
from tests.support.inspect_clip import boxes, inspect_clip, read_frames
from tests.support.scenes import Frames, noise, pan

KIB = 1024
BUDGETS = (256 * KIB, MIB, 8 * MIB, 10 * MIB, 25 * MIB)
SHAPES = {"landscape": (1024, 576), "portrait": (576, 1024), "square": (768, 768)}


def clip_format(frames: Frames, format: Format, **changes: object) -> ClipFormat:
    height, width = frames[0].shape[:2]
    values: dict[str, object] = {"playback_fps": 7, "max_bytes": 8 * MIB, "recipe": {"seed": 5}}
    return ClipFormat(format=format, width=width, height=height, **values | changes)  # type: ignore[arg-type]


def encode(path: Path, frames: Frames, clip: ClipFormat, master: Path | None = None) -> EncodedClip:
    with ClipWriter(path, clip, master) as writer:
        for frame in frames:
            writer.add(frame)
        return writer.finish()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1, reason="needs cores to leave out")
def test_a_clip_is_the_same_file_on_few_and_many_cores(tmp_path: Path) -> None:
    """An x264 of its own choice takes a thread and a half for each core, and cuts the frames into as many slices."""
    frames, cores = pan(5, 1024, 576), os.sched_getaffinity(0)
    clip = clip_format(frames, Format.MP4)
    encode(tmp_path / "many.mp4", frames, clip)
    os.sched_setaffinity(0, {min(cores)})
    try:
        encode(tmp_path / "one.mp4", frames, clip)
    finally:
        os.sched_setaffinity(0, cores)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()


def assert_plays_and_fits(clip: EncodedClip, format: Format, max_bytes: int) -> None:
    """Compare what the writer says with what the file is."""
    seen = inspect_clip(clip.path)
    assert clip.path.stat().st_size == clip.bytes <= max_bytes
    assert (seen.width, seen.height) == (clip.width, clip.height)
    if format is Format.MP4:
        assert seen.frames == clip.frames
    else:
        assert clip.frames // 2 < seen.frames <= clip.frames  # equal neighbours become one frame that stays longer
    assert seen.seconds == pytest.approx(clip.seconds, abs=0.011)  # a GIF counts in hundredths
    if format is Format.MP4:
        assert (seen.codec, seen.pixel_format, seen.moov_first) == ("h264", "yuv420p", True)
        assert clip.width % 2 == clip.height % 2 == 0
    else:
        assert (seen.codec, seen.loops_forever) == (format, True)
    assert not list(clip.path.parent.glob(".*.part"))


@pytest.mark.parametrize("frames", [14, 25])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("format", Format)
def test_every_clip_plays_as_reported_within_every_budget(
    tmp_path: Path, format: Format, shape: str, frames: int
) -> None:
    width, height = (side // 4 for side in SHAPES[shape])
    scene = pan(frames, width, height)
    for max_bytes in (12 * KIB, 256 * KIB):  # what 256 KiB and 8 MiB are to the full size
        clip = encode(tmp_path / f"{max_bytes}.{format}", scene, clip_format(scene, format, max_bytes=max_bytes))
        assert_plays_and_fits(clip, format, max_bytes)


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("format", Format)
def test_every_full_size_clip_plays_as_reported_within_every_budget(tmp_path: Path, format: Format, shape: str) -> None:
    for count in (14, 25):
        for name, make, budgets in (("pan", pan, BUDGETS), ("noise", noise, BUDGETS[:1])):
            scene = make(count, *SHAPES[shape])
            for max_bytes in budgets:
                path = tmp_path / f"{name}-{count}-{max_bytes}.{format}"
                started = time.perf_counter()
                clip = encode(path, scene, clip_format(scene, format, max_bytes=max_bytes))
                took = time.perf_counter() - started
                print(
                    f"{name} {count} {shape} {format} {max_bytes // KIB} KiB: {clip.bytes / KIB:.0f} KiB,"
                    f" {clip.width}x{clip.height}, {clip.frames} frames, {took:.1f} s",
                    flush=True,
                )
                assert_plays_and_fits(clip, format, max_bytes)


@pytest.mark.parametrize("format", Format)
def test_full_size_noise_fits_into_256_kib_and_the_master_is_kept(tmp_path: Path, format: Format) -> None:
    scene = noise(14, 768, 432)
    master = tmp_path / f"master.{format}"
    clip = encode(tmp_path / f"c.{format}", scene, clip_format(scene, format, max_bytes=256 * KIB), master)
    assert_plays_and_fits(clip, format, 256 * KIB)
    assert clip.master_path == master
    assert master.stat().st_size > 256 * KIB
    assert inspect_clip(master).frames == 14
    notes = {note.kind: note.data for note in clip.notes}
    assert notes["shrunk"]["width"] == clip.width < notes["shrunk"]["from_width"]
    assert read_recipe(clip.path) == read_recipe(master)


def test_a_clip_that_fits_keeps_no_master_and_no_notes(tmp_path: Path) -> None:
    scene = pan(5, 64, 64)
    clip = encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4), tmp_path / "master.mp4")
    assert (clip.master_path, clip.notes) == (None, ())
    assert [path.name for path in tmp_path.iterdir()] == ["c.mp4"]


def test_a_budget_nothing_can_meet_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    scene = noise(4, 64, 64)
    with pytest.raises(EncodingFailed) as caught:
        encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4, max_bytes=300))
    assert caught.value.data["why"] == "budget"
    assert not list(tmp_path.iterdir())


def test_frame_rate_goes_last_and_the_clip_plays_as_long(tmp_path: Path) -> None:
    scene = noise(16, 128, 128)
    clip = encode(tmp_path / "c.gif", scene, clip_format(scene, Format.GIF, max_bytes=5 * KIB))
    notes = {note.kind: note.data for note in clip.notes}
    assert notes["frame-rate"] == {"fps": pytest.approx(7 / (16 / clip.frames), abs=0.01), "from_fps": 7}
    assert clip.seconds == pytest.approx(16 / 7)
    assert inspect_clip(clip.path).seconds == pytest.approx(16 / 7, abs=0.011)


def test_the_file_holds_the_frames_that_came_in_their_order(tmp_path: Path) -> None:
    scene = pan(6, 128, 64, grain=0)
    for format, tolerance in ((Format.MP4, 4), (Format.WEBP, 6), (Format.GIF, 6)):
        encode(path := tmp_path / f"c.{format}", scene, clip_format(scene, format))
        got, fps = read_frames(path)
        assert fps == pytest.approx(7, rel=0.01)
        for mine, theirs in zip(scene, got, strict=True):
            assert np.abs(mine.astype(int) - theirs).mean() < tolerance
            assert abs(float(mine.mean()) - float(theirs.mean())) < 1.5  # a wrong colour matrix shows here


def test_colours_survive_the_way_to_yuv(tmp_path: Path) -> None:
    for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)):
        scene = [np.full((32, 32, 3), colour, np.uint8)] * 3
        encode(path := tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
        got, _ = read_frames(path)
        assert np.abs(got[1].astype(int) - scene[1]).max() <= 4, colour


def test_odd_sizes_get_even_sides(tmp_path: Path) -> None:
    scene = pan(3, 63, 35)
    clip = encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
    assert (clip.width, clip.height) == (64, 36)
    assert_plays_and_fits(clip, Format.MP4, 8 * MIB)


def test_a_gif_has_a_size_that_people_can_post(tmp_path: Path) -> None:
    scene = pan(3, 1024, 576)
    clip = encode(tmp_path / "c.gif", scene, clip_format(scene, Format.GIF))
    assert (clip.width, clip.height) == (512, 288)


@pytest.mark.parametrize("fps", [1, 7, 12.5, 24, 30, 60])
@pytest.mark.parametrize("format", Format)
def test_playback_fps_is_kept(tmp_path: Path, format: Format, fps: float) -> None:
    scene = pan(9, 32, 32)
    clip = encode(tmp_path / f"c.{format}", scene, clip_format(scene, format, playback_fps=fps))
    assert inspect_clip(clip.path).seconds == pytest.approx(9 / fps, abs=0.011)


@pytest.mark.parametrize("format", Format)
def test_a_boomerang_is_longer_by_all_but_its_end_frames(tmp_path: Path, format: Format) -> None:
    scene = pan(7, 64, 64)
    clip = encode(tmp_path / f"c.{format}", scene, clip_format(scene, format, loop=Loop.BOOMERANG))
    assert clip.frames == inspect_clip(clip.path).frames == 12


def test_smooth_gives_24_frames_a_second_for_the_same_time(tmp_path: Path) -> None:
    scene = pan(7, 96, 64, grain=0)
    clip = encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4, smooth=True))
    assert clip.playback_fps == 24
    assert clip.frames == 24
    assert_plays_and_fits(clip, Format.MP4, 8 * MIB)


def test_smooth_takes_no_frame_from_a_clip_that_is_faster_already(tmp_path: Path) -> None:
    scene = pan(12, 96, 64)
    clip = encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4, smooth=True, playback_fps=60))
    assert (clip.frames, clip.playback_fps) == (12, 60)


@pytest.mark.parametrize("loop", Loop)
def test_smooth_and_every_loop_go_together(tmp_path: Path, loop: Loop) -> None:
    scene = pan(9, 64, 64)
    clip = encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4, smooth=True, loop=loop))
    assert_plays_and_fits(clip, Format.MP4, 8 * MIB)
    assert clip.seconds > 0.5


def test_the_wait_after_the_last_frame_does_not_grow_with_the_clip(tmp_path: Path) -> None:
    """Frames that come no faster than they are encoded: what is left at the end is one of them and the index."""
    scene = pan(20, 512, 288)
    started = time.perf_counter()
    encode(tmp_path / "at-once.mp4", scene, clip_format(scene, Format.MP4))
    at_once = time.perf_counter() - started
    with ClipWriter(tmp_path / "paced.mp4", clip_format(scene, Format.MP4)) as writer:
        for frame in scene:
            time.sleep(2 * at_once / len(scene))  # the decoder's pace, not a wait for a condition
            writer.add(frame)
        started = time.perf_counter()
        writer.finish()
        waited = time.perf_counter() - started
    print(f"all at once {at_once:.3f} s, wait after the last paced frame {waited:.3f} s")
    assert waited < 0.5 * at_once


def test_an_error_while_frames_come_leaves_no_file_and_no_process(tmp_path: Path) -> None:
    scene = pan(3, 64, 64)
    with (
        pytest.raises(RuntimeError, match="the model died"),
        ClipWriter(tmp_path / "c.mp4", clip_format(scene, Format.MP4)) as writer,
    ):
        writer.add(scene[0])
        assert ffmpeg_children(), "the negative control: there is something to leave behind"
        raise RuntimeError("the model died")
    assert not ffmpeg_children()
    assert not list(tmp_path.iterdir())


def ffmpeg_children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [process for process in found if "ffmpeg" in process.name()]


def test_ffmpeg_ends_with_the_process_that_feeds_it(tmp_path: Path) -> None:
    script = (
        "import sys, time, numpy, pathlib\n"
        "from generator.video.clip_file import ClipFormat\n"
        "from generator.video.encode import ClipWriter\n"
        "from generator.clip import Format\n"
        "clip = ClipFormat(format=Format.MP4, width=64, height=64, playback_fps=7, max_bytes=9**9)\n"
        "writer = ClipWriter(pathlib.Path(sys.argv[1]), clip)\n"
        "writer.add(numpy.zeros((64, 64, 3), numpy.uint8))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "c.mp4")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.kill()
    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not (tmp_path / "c.mp4").exists()


@pytest.mark.parametrize("format", Format)
def test_a_full_disk_is_reported_as_such(tmp_path: Path, format: Format) -> None:
    path = tmp_path / f"c.{format}"
    scene = noise(4, 128, 128)
    (tmp_path / f".{path.name}.part").symlink_to("/dev/full")
    with pytest.raises(DiskFull):
        encode(path, scene, clip_format(scene, format))
    assert not list(tmp_path.iterdir())


def test_a_missing_ffmpeg_is_reported_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "nowhere"))
    scene = pan(1, 32, 32)
    with pytest.raises(EncodingFailed) as caught:
        encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
    assert caught.value.data["why"] == "ffmpeg-missing"


def test_an_ffmpeg_that_dies_is_reported_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\necho Unknown encoder libx264 >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    scene = pan(20, 256, 256)
    with pytest.raises(EncodingFailed, match="Unknown encoder libx264") as caught:
        encode(tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
    assert caught.value.data["why"] == "ffmpeg-failed"


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    scene = pan(1, 32, 32)
    with (
        pytest.raises(ValueError, match="does not fit"),
        ClipWriter(tmp_path / "c.mp4", clip_format(scene, Format.MP4)) as writer,
    ):
        writer.add(np.zeros((16, 32, 3), np.uint8))


@pytest.mark.parametrize("source", Format)
def test_a_clip_shrinks_to_any_format_and_keeps_its_recipe(tmp_path: Path, source: Format) -> None:
    scene = pan(6, 256, 144)
    encode(path := tmp_path / f"c.{source}", scene, clip_format(scene, source))
    clip = shrink_clip(path, tmp_path / "s.mp4", Format.MP4, 8 * KIB)
    assert_plays_and_fits(clip, Format.MP4, 8 * KIB)
    assert clip.frames == 6
    assert clip.seconds == pytest.approx(6 / 7, abs=0.02)
    assert (read_recipe(clip.path) or {})["seed"] == 5


async def test_shrinking_works_from_a_process_without_numpy(tmp_path: Path) -> None:
    scene = pan(6, 256, 144)
    encode(path := tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
    clip = await shrink(path, tmp_path / "s.gif", Format.GIF, 60 * KIB)
    assert_plays_and_fits(clip, Format.GIF, 60 * KIB)
    with pytest.raises(EncodingFailed) as caught:
        await shrink(path, tmp_path / "t.gif", Format.GIF, 300)
    assert caught.value.data["why"] == "budget"
    loaded = "import sys, generator.video.shrink; print('numpy' in sys.modules, 'PIL' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert said.stdout == "False False\n"


async def test_cancelling_a_shrink_ends_its_child(tmp_path: Path) -> None:
    scene = noise(25, 256, 256)
    encode(path := tmp_path / "c.mp4", scene, clip_format(scene, Format.MP4))
    task = asyncio.create_task(shrink(path, tmp_path / "s.mp4", Format.MP4, 16 * KIB))
    async with asyncio.timeout(20):
        while not psutil.Process().children():
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.Process().children()
    assert not (tmp_path / "s.mp4").exists()


def test_the_inspection_sees_a_clip_with_its_index_at_the_end(tmp_path: Path) -> None:
    """Negative control: ffmpeg's default order must not pass for ours."""
    scene = pan(3, 32, 32)
    path = tmp_path / "late.mp4"
    through_ffmpeg(raw_input((32, 32), 7), scene, ["-c:v", "libx264", "-y", str(path), "-f", "null"])
    assert not inspect_clip(path).moov_first
    assert inspect_clip(path).pixel_format != "yuv420p"
    assert boxes(path)[-1] == "moov"
