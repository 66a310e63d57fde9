"""What each format's file must have so that players show what was meant: colour tags, all frames, delays that play."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import psutil
import pytest
from PIL import Image, ImageSequence

from generator.clip import Format, Loop
from generator.errors import Cancelled
from generator.memory import MIB
from generator.protocol import Hooks, Phase, Progress
from generator.video.anew.again import shrink_clip
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encode import ClipWriter
from generator.video.encoders import Encoding, open_encoder
from generator.video.ffmpeg import find_ffmpeg, raw_input, through_ffmpeg
from generator.video.formats.webp import encode_picture, guess_step
from generator.video.frames import Smoothed, scaled
from generator.video.recipe import read_recipe, write_recipe
from generator.video.size_ladder import size_ladder
from tests.support.ffmpegs import found_ffmpegs
from tests.support.inspect_clip import inspect_clip, read_frames
from tests.support.scenes import Frames, noise, pan

BT709 = (1, 1, 1, 0)
"""primaries, transfer and matrix of BT.709, and no full range"""


def encode(path: Path, frames: Frames, hooks: Hooks | None = None, **changes: Any) -> EncodedClip:
    height, width = frames[0].shape[:2]
    values: dict[str, Any] = {"playback_fps": 7, "max_bytes": 8 * MIB, "recipe": {"seed": 5}} | changes
    clip = ClipFormat(format=Format(path.suffix[1:]), width=width, height=height, **values)
    with ClipWriter(path, clip) as writer:
        for frame in frames:
            writer.add(frame)
        return writer.finish(*[hooks] if hooks else [])


def nearly_still(count: int) -> Frames:
    """Return frames of soft blobs over which a few pixels move that are hardly lighter."""
    base = pan(1, 256, 144, grain=0)[0]
    frames = [base.copy() for _ in range(count)]
    for index, frame in enumerate(frames):
        frame[10:14, 10 + index : 14 + index] = np.minimum(frame[10:14, 10 + index : 14 + index], 252) + 3
    return frames


# -- colours


def colour_tags(path: Path) -> tuple[int, int, int, int] | None:
    """Return primaries, transfer, matrix and full range from an MP4's `colr` box; None when it has none."""
    _, found, rest = path.read_bytes().partition(b"colrnclx")
    if not found:
        return None
    primaries, transfer, matrix = (int.from_bytes(rest[at : at + 2], "big") for at in (0, 2, 4))
    return primaries, transfer, matrix, rest[6] >> 7


@pytest.mark.parametrize("ffmpeg", found_ffmpegs())
def test_every_mp4_says_which_colours_it_has(ffmpeg: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", ffmpeg)
    assert find_ffmpeg() == ffmpeg
    scene, loud = pan(6, 128, 72), noise(6, 128, 72)
    made = {
        "live": encode(tmp_path / "live.mp4", scene),
        "odd": encode(tmp_path / "odd.mp4", pan(3, 63, 35)),
        "looped": encode(tmp_path / "looped.mp4", scene, loop=Loop.CROSSFADE),
        "interpolated": encode(tmp_path / "interpolated.mp4", scene, smooth=True),
        "lower quality": encode(tmp_path / "quality.mp4", loud, max_bytes=80 * 1024),
        "scaled": encode(tmp_path / "scaled.mp4", loud, max_bytes=8 * 1024),
        "shrunk": shrink_clip(tmp_path / "live.mp4", tmp_path / "shrunk.mp4", Format.MP4, 8 * 1024),
    }
    encode(tmp_path / "c.gif", scene)
    made["from a GIF"] = shrink_clip(tmp_path / "c.gif", tmp_path / "from-gif.mp4", Format.MP4, 8 * MIB)
    assert made["scaled"].width < 128 and made["lower quality"].width == 128
    assert {name: colour_tags(clip.path) for name, clip in made.items()} == dict.fromkeys(made, BT709)


def test_an_mp4_without_tags_is_seen() -> None:
    """Negative control: what ffmpeg writes when nobody says anything has no such box."""
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"untagged-{os.getpid()}.mp4"
    try:
        through_ffmpeg(raw_input((32, 32), 7), pan(3, 32, 32), ["-c:v", "libx264", "-y", str(path), "-f", "null"])
        assert colour_tags(path) is None
    finally:
        path.unlink(missing_ok=True)


# -- every frame


@pytest.mark.parametrize("scene", [nearly_still(8), [pan(1, 64, 64)[0]] * 5], ids=["nearly still", "still"])
def test_a_webp_keeps_every_frame_also_where_hardly_anything_moves(scene: Frames, tmp_path: Path) -> None:
    clip = encode(tmp_path / "c.webp", scene)
    seen = inspect_clip(clip.path)
    assert (seen.frames, seen.loops_forever) == (len(scene), True)
    assert seen.seconds == pytest.approx(len(scene) / 7, abs=0.011)
    assert (read_recipe(clip.path) or {})["seed"] == 5
    for mine, theirs in zip(scene, read_frames(clip.path)[0], strict=True):
        assert np.abs(mine.astype(int) - theirs).mean() < 6


def flat(*levels: int) -> Frames:
    return [np.full((64, 64, 3), level, np.uint8) for level in levels]


@pytest.mark.parametrize(
    "scene",
    [nearly_still(8), [pan(1, 64, 64)[0]] * 5, flat(0, 0), flat(255, 255, 255), flat(128, 129, 128)],
    ids=["nearly still", "still", "black", "white", "one colour"],
)
def test_a_gif_is_never_one_frame_alone(scene: Frames, tmp_path: Path) -> None:
    """One frame is a picture: players show no motion, and forget how long it plays."""
    clip = encode(tmp_path / "c.gif", scene)
    seen = inspect_clip(clip.path)
    assert seen.frames > 1 and seen.loops_forever
    assert seen.seconds == pytest.approx(len(scene) / 7, abs=0.011)
    for frame in read_frames(clip.path)[0]:
        assert np.abs(scene[0].astype(int) - frame).mean() < 12


@pytest.mark.parametrize("lossless", [False, True])
def test_a_webp_of_one_frame_is_whole_with_its_recipe(lossless: bool, tmp_path: Path) -> None:
    path = tmp_path / "one.webp"
    Image.fromarray(pan(1, 50, 30)[0]).save(path, lossless=lossless)
    bare = path.read_bytes()
    with Image.open(path) as image:
        pixels = np.asarray(image)
    write_recipe(path, Format.WEBP, {"seed": 7})
    assert bare[12:] in path.read_bytes(), "a bit of the picture itself was changed"
    assert (read_recipe(path) or {})["seed"] == 7
    with Image.open(path) as image:
        assert image.size == (50, 30) and b"vivant:recipe" in image.info["xmp"]
        assert np.array_equal(np.asarray(image), pixels)


def test_a_budget_that_only_one_frame_fits_gives_a_whole_webp(tmp_path: Path) -> None:
    clip = encode(tmp_path / "c.webp", noise(6, 256, 144), max_bytes=1600)
    assert clip.frames == inspect_clip(clip.path).frames
    assert (read_recipe(clip.path) or {})["seed"] == 5


def test_a_format_without_an_encoder_is_refused_and_not_written_as_another() -> None:
    unknown = cast("Format", "avif")
    encoding = Encoding(format=unknown, source=(8, 8), size=(8, 8), fps=7, quality=50)
    with pytest.raises(AssertionError):
        open_encoder(encoding, Path("c.avif"))


# -- delays


def delays(path: Path) -> list[int]:
    with Image.open(path) as image:
        return [int(frame.info["duration"]) for frame in ImageSequence.Iterator(image)]


@pytest.mark.parametrize("loop", [Loop.NONE, Loop.BOOMERANG])
@pytest.mark.parametrize("fps", [24, 33, 45, 50, 51, 55, 60])
def test_no_frame_of_a_gif_is_so_short_that_browsers_show_it_five_times_as_long(
    fps: int, loop: Loop, tmp_path: Path
) -> None:
    clip = encode(tmp_path / "c.gif", scene := pan(15, 48, 32), playback_fps=fps, loop=loop)
    count = len(scene) if loop is Loop.NONE else 2 * len(scene) - 2
    assert min(delays(clip.path)) >= 20
    assert sum(delays(clip.path)) == pytest.approx(1000 * count / fps, abs=11)
    assert clip.playback_fps == min(fps, 50)
    assert len(delays(clip.path)) == clip.frames == (count if fps <= 50 else round(count * 50 / fps))
    assert [note.kind for note in clip.notes] == (["frame-rate"] if fps > 50 else [])


# -- while it is encoded


class Watcher:
    """Hooks that collect the progress and cancel once `leave` says so."""

    def __init__(self, leave: Callable[[Progress], bool] = lambda item: False) -> None:
        self.seen: list[Progress] = []
        self.leaves = False
        self._leave = leave
        self.hooks = Hooks(self._progress, self._check)

    def _progress(self, item: Progress) -> None:
        self.seen.append(item)
        self.leaves = self.leaves or self._leave(item)

    def _check(self) -> None:
        if self.leaves:
            raise Cancelled("cancelled")


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("format", Format)
def test_progress_is_told_while_it_is_encoded_and_never_goes_back(format: Format, smooth: bool, tmp_path: Path) -> None:
    watcher = Watcher()
    clip = encode(
        tmp_path / f"c.{format}", noise(6, 64, 64), watcher.hooks, smooth=smooth, max_bytes=9_000, loop=Loop.BOOMERANG
    )
    assert any(note.kind == "shrunk" for note in clip.notes), "there were several encodings"
    steps = [item.step for item in watcher.seen]
    total = round(10 / 7 * 24) if smooth else 10
    assert {(item.phase, item.of) for item in watcher.seen} == {(Phase.ENCODE, total)}
    assert steps == sorted(steps) and steps[-1] == total and len(steps) > 3


def children() -> set[psutil.Process]:
    """Return this process's children: other tests of it may have left some."""
    return set(psutil.Process().children())


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("format", Format)
def test_a_cancel_is_heard_while_it_is_encoded_and_leaves_nothing(format: Format, smooth: bool, tmp_path: Path) -> None:
    watcher = Watcher(lambda item: item.step >= 4)
    others = children()
    with pytest.raises(Cancelled):
        encode(tmp_path / f"c.{format}", pan(8, 64, 48), watcher.hooks, smooth=smooth, loop=Loop.CROSSFADE)
    assert not list(tmp_path.iterdir())
    assert not children() - others


@pytest.mark.parametrize("smooth", [False, True])
def test_an_ffmpeg_that_hangs_gives_no_sign_of_life_but_a_cancel_is_heard(
    smooth: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = tmp_path / "ffmpeg"
    hangs.write_text("#!/bin/sh\nexec sleep 60\n")
    hangs.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(hangs))
    checks: list[int] = []
    told: list[Progress] = []

    def check() -> None:
        checks.append(len(told))
        if len(checks) > 12:
            raise Cancelled("cancelled")

    (tmp_path / "clips").mkdir()
    others = children()
    with pytest.raises(Cancelled):
        encode(tmp_path / "clips" / "c.mp4", pan(9, 256, 144), Hooks(told.append, check), smooth=smooth)
    assert checks[-1] == checks[-3], "it looked alive to the end"
    assert not list((tmp_path / "clips").iterdir()) and not children() - others


def test_an_interpolated_clip_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    scene = pan(7, 128, 72, grain=0)
    whole = 7 * 24 * scene[0].nbytes
    encode(tmp_path / "first.mp4", scene[:2], smooth=True)  # loads modules, which are no frames
    tracemalloc.start()
    try:
        clip = encode(tmp_path / "c.mp4", scene, smooth=True, playback_fps=1)
        _, streamed = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        kept = list(Smoothed(scene, 1.0, Loop.NONE))
        _, listed = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert clip.frames == len(kept) == 7 * 24
    assert listed > whole, "the negative control: this is seen"
    assert streamed < whole / 3


def test_a_few_frames_tell_the_first_step_on_which_a_webp_fits() -> None:
    frames, steps = noise(6, 64, 36), size_ladder(Format.WEBP, 6)

    def all_bytes(index: int) -> int:
        size = scaled((64, 36), steps[index].scale)
        return sum(len(encode_picture(frame, size, steps[index].quality)) for frame in frames[:: steps[index].every])

    assert guess_step(steps, frames, 6, 2**30) == 1, "the first step is known to be too large"
    assert guess_step(steps, frames, 6, 0) == len(steps) - 1
    for wanted in (2, 5):
        assert guess_step(steps, frames, 6, round(all_bytes(wanted) * 1.1)) == wanted
