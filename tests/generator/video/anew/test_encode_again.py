"""The rendered frames that are kept, and files made anew of them: the pixels, the loops, the recipe, the times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from generator.clip import ClipSettings, Format, Loop
from generator.errors import DiskFull, RenderError
from generator.video.anew.again import encode_again
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import Frame
from generator.video.recipe import read_settings
from generator.video.shrink import Shrinks
from tests.support.inspect_clip import inspect_clip, read_frames

MIB = 1024 * 1024


def panning(count: int = 9, size: tuple[int, int] = (128, 72)) -> list[Frame]:
    """Return frames of a smooth picture that moves by two pixels a frame."""
    x = np.arange(size[0] + 2 * count, dtype=np.float32)[None, :, None]
    y = np.arange(size[1], dtype=np.float32)[:, None, None]
    colours = np.array([1.0, 0.7, 0.4], np.float32)
    wide = (127 + 60 * np.sin(x / 9) * colours + 50 * np.cos(y / 7 + x / 20)).clip(0, 255).astype(np.uint8)
    return [np.ascontiguousarray(wide[:, 2 * k : 2 * k + size[0]]) for k in range(count)]


def write(folder: Path, settings: ClipSettings, frames: list[Frame], max_bytes: int = 8 * MIB) -> EncodedClip:
    """Write a clip as the executor does."""
    height, width = frames[0].shape[:2]
    clip = ClipFormat(
        format=settings.format,
        width=width,
        height=height,
        playback_fps=settings.playback_fps,
        max_bytes=max_bytes,
        loop=settings.loop,
        smooth=settings.smooth,
        recipe={"settings": settings.to_json()},
    )
    path = folder / f"1-1.{settings.format}"
    with ClipWriter(path, clip, folder / f"1-1-master.{settings.format}", folder / "1-1-frames.mp4") as writer:
        for frame in frames:
            writer.add(frame)
        return writer.finish()


def psnr(one: Frame, other: Frame) -> float:
    error = float(np.mean((one.astype(np.float32) - other.astype(np.float32)) ** 2))
    return 99.0 if error == 0 else 10 * float(np.log10(255**2 / error))


@pytest.mark.parametrize(
    ("format", "loop", "smooth", "kept"),
    [
        (Format.MP4, Loop.NONE, False, False),
        (Format.MP4, Loop.BOOMERANG, False, False),
        (Format.MP4, Loop.CROSSFADE, False, True),
        (Format.MP4, Loop.SEAM, False, True),
        (Format.MP4, Loop.NONE, True, True),
        (Format.GIF, Loop.NONE, False, True),
        (Format.WEBP, Loop.BOOMERANG, False, True),
    ],
)
def test_every_clip_can_be_made_anew_of_its_frames(
    tmp_path: Path, format: Format, loop: Loop, smooth: bool, kept: bool
) -> None:
    frames = panning()
    made = ClipSettings(frames=9, format=format, loop=loop, smooth=smooth, seed=77)
    clip = write(tmp_path, made, frames)
    assert clip.frames_path == (tmp_path / "1-1-frames.mp4" if kept else None)
    assert [path.name for path in tmp_path.glob(".*")] == []
    plain = replace(made, format=Format.MP4, loop=Loop.NONE, smooth=False)
    again = encode_again(clip.frames_path or clip.path, tmp_path / "again.mp4", plain, 8 * MIB)
    back, fps = read_frames(again.path)
    assert (len(back), fps) == (9, 7.0)
    assert min(map(psnr, back, frames)) > 33
    assert read_settings(again.path) == plain


@pytest.mark.parametrize(
    ("changes", "frames", "fps"),
    [
        ({"loop": Loop.BOOMERANG}, 16, 7),
        ({"loop": Loop.CROSSFADE}, 7, 7),
        ({"smooth": True}, 31, 24),
        ({"playback_fps": 14}, 9, 14),
        ({"format": Format.GIF, "loop": Loop.BOOMERANG}, 16, 7),
        ({"format": Format.WEBP, "playback_fps": 4}, 9, 4),
    ],
)
def test_a_file_made_anew_plays_as_its_settings_say(
    tmp_path: Path, changes: dict[str, object], frames: int, fps: float
) -> None:
    made = ClipSettings(frames=9, loop=Loop.BOOMERANG, seed=77)
    clip = write(tmp_path, made, panning())
    wanted = replace(made, loop=Loop.NONE)
    wanted = replace(wanted, **changes)  # type: ignore[arg-type]
    again = encode_again(clip.path, tmp_path / f"again.{wanted.format}", wanted, 8 * MIB)
    found = inspect_clip(again.path)
    assert (found.frames, round(found.frames / found.seconds, 1)) == (frames, fps)
    assert read_settings(again.path) == wanted


def test_the_best_cut_tells_its_score(tmp_path: Path) -> None:
    clip = write(tmp_path, ClipSettings(frames=9), panning())
    again = encode_again(clip.path, tmp_path / "again.mp4", ClipSettings(frames=9, loop=Loop.SEAM), 8 * MIB)
    [note] = again.notes
    assert (note.kind, 0 < note.data["score"] <= 1) == ("loop-score", True)


def test_a_clip_comes_also_where_its_frames_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / ".1-1-frames.mp4.part").mkdir()  # ffmpeg cannot write there
    clip = write(tmp_path, ClipSettings(frames=9, format=Format.WEBP), panning())
    assert (clip.frames_path, clip.frames) == (None, 9)


class FullForAMoment:
    """An encoder whose disk is full once, and not any more when the next frame comes."""

    def __init__(self, path: Path) -> None:
        self._path, self._refused = path, False

    def add(self, frame: Frame, check: Callable[[], None]) -> None:
        if not self._refused:
            self._refused = True
            raise DiskFull("full")

    def finish(self, check: Callable[[], None]) -> None:
        self._path.write_bytes(b"a clip without its first frame")

    def kill(self) -> None:
        pass


def test_frames_of_which_one_is_missing_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generator.video.anew.kept_frames.open_encoder", lambda encoding, path: FullForAMoment(path))
    clip = write(tmp_path, ClipSettings(frames=9, format=Format.WEBP), panning())
    assert (clip.frames_path, [*tmp_path.glob("*frames*")]) == (None, [])


async def test_one_child_makes_a_file_for_all_who_ask_for_it(tmp_path: Path) -> None:
    clip = write(tmp_path, ClipSettings(frames=9), panning())
    target, wanted = tmp_path / "1-1-as-x.gif", ClipSettings(frames=9, format=Format.GIF)
    shrinks = Shrinks()
    one, other = await asyncio.gather(*(shrinks.again(clip.path, target, wanted, 8 * MIB) for _ in range(2)))
    assert one is other
    assert (one.path, inspect_clip(target).frames) == (target, 9)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1-1-as-x.gif", "1-1.mp4"]


async def test_what_cannot_be_read_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "1-1.mp4").write_bytes(b"no clip")
    with pytest.raises(RenderError):
        await Shrinks().again(tmp_path / "1-1.mp4", tmp_path / "1-1-as-x.mp4", ClipSettings(frames=9), 8 * MIB)
    assert [path.name for path in tmp_path.iterdir()] == ["1-1.mp4"]
