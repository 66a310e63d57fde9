"""A clip and its continuation as one: no jump, the same colours, and an end where it gets worse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from generator.clip import ClipSettings, Format, Loop
from generator.errors import BadFrames
from generator.video.anew.joining import LARGEST_JUMP, Joined, change, join, join_files
from generator.video.clip_file import ClipFormat, Joining
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import Frame
from tests.support.inspect_clip import read_frames
from tests.support.scenes import pan


def scene(count: int = 16, grain: int = 0) -> tuple[list[Frame], list[Frame]]:
    """Return a clip, and the frames from its last one on."""
    frames = pan(count, 128, 72, grain=grain)
    return list(frames[: count // 2]), list(frames[count // 2 - 1 :])


def seam_of(joined: Joined, before: int) -> float:
    """Return the change at the seam, of the median change."""
    steps = [change(*pair) for pair in zip(joined.frames, joined.frames[1:], strict=False)]
    return steps[before - 1] / float(np.median(steps))


@pytest.mark.parametrize(("gain", "offset"), [((1.0, 1.0, 1.0), 0), ((1.15, 0.95, 0.9), 12), ((0.9, 0.9, 1.1), -5)])
def test_the_seam_does_not_jump_in_whatever_colours_the_continuation_comes(
    gain: tuple[float, float, float], offset: int
) -> None:
    before, new = scene()
    tinted = [np.clip(frame * np.array(gain) + offset, 0, 255).astype(np.uint8) for frame in new]
    joined = join(before, tinted, len(before))
    assert (joined.good, len(joined.frames)) == (8, 16)
    assert max(seam_of(joined, 8), joined.jump) <= LARGEST_JUMP
    if offset:
        plain = Joined([*before, *tinted[1:]], 8, 8, 0)
        assert seam_of(plain, 8) > LARGEST_JUMP, "the negative control: without a join it is seen"
    assert change(joined.frames[-1], new[-1]) < 6, "the colours are those of the clip"


def test_a_continuation_that_begins_too_fast_gets_frames_between() -> None:
    before, new = scene()
    joined = join(before, [new[0], *new[3:]], len(before))
    steps = [change(*pair) for pair in zip(joined.frames, joined.frames[1:], strict=False)]
    assert len(joined.frames) > 8 + len(new[3:])
    assert max(steps) <= LARGEST_JUMP * float(np.median(steps)) * 1.1
    assert joined.jump <= LARGEST_JUMP


def worse(frame: Frame, how: str) -> Frame:
    picture = Image.fromarray(frame)
    if how == "soft":
        return np.asarray(picture.filter(ImageFilter.GaussianBlur(6)))
    return np.asarray(ImageEnhance.Color(picture).enhance(3.0 if how == "burnt" else 0.1))


@pytest.mark.parametrize("how", ["soft", "burnt", "grey"])
def test_it_ends_before_it_gets_worse(how: str) -> None:
    before, new = scene(grain=12)
    joined = join(before, [*new[:5], *(worse(frame, how) for frame in new[5:])], len(before))
    assert (joined.good, joined.of, len(joined.frames)) == (4, 8, 12)
    with pytest.raises(BadFrames) as caught:
        join(before, [new[0], *(worse(frame, how) for frame in new[1:])], len(before))
    assert caught.value.data["kind"] == "drift"


def stored(path: Path, frames: list[Frame]) -> Path:
    clip = ClipFormat(format=Format.MP4, width=128, height=72, playback_fps=7, max_bytes=2**30)
    with ClipWriter(path, clip) as writer:
        for frame in frames:
            writer.add(frame)
        writer.finish()
    return path


def test_the_files_become_one_in_every_format_and_loop_with_its_frames_beside_it(tmp_path: Path) -> None:
    before, new = scene()
    first, part = stored(tmp_path / "before.mp4", [*before, *before]), stored(tmp_path / "part.mp4", new)
    settings = ClipSettings(frames=9, seams=(8,), format=Format.GIF, loop=Loop.BOOMERANG, smooth=False)
    kept, target = tmp_path / "1-1-frames.mp4", tmp_path / "1-1.gif"
    clip = join_files(
        Joining(before=first, source=part, frames=kept, target=target, settings=settings, max_bytes=2**30)
    )
    assert (clip.frames, clip.frames_path) == (30, kept)
    assert len(read_frames(kept)[0]) == 16
    assert len(read_frames(target)[0]) == 30


def test_the_frames_are_kept_beside_an_mp4_that_holds_them_too_for_the_next_part_begins_with_them(
    tmp_path: Path,
) -> None:
    before, new = scene()
    first, part = stored(tmp_path / "before.mp4", before), stored(tmp_path / "part.mp4", new)
    kept, settings = tmp_path / "1-1-frames.mp4", ClipSettings(frames=9, seams=(8,), format=Format.MP4)
    asked = Joining(
        before=first, source=part, frames=kept, target=tmp_path / "1-1.mp4", settings=settings, max_bytes=2**30
    )
    assert join_files(asked).frames_path == kept
    assert len(read_frames(kept)[0]) == 16
