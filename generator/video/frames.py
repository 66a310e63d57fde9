"""Change frames before they are encoded: their size and their rate.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from PIL import Image

from generator.clip import SMOOTH_FPS, Format, Loop, count_smoothed
from generator.variants import Size
from generator.video.clip_file import ClipFormat
from generator.video.ffmpeg import Frame, OnWait, raw_input, stream_frames

GIF_LONG_SIDE = 512
"""a GIF of this size has a few MB, at full size it would be over every limit"""


def base_size(clip: ClipFormat) -> Size:
    """Return the first step's width and height: even, as yuv420p needs; for a GIF small enough to be posted."""
    long_side = max(clip.width, clip.height)
    if clip.format is Format.GIF and long_side > GIF_LONG_SIDE:
        return scaled((clip.width, clip.height), GIF_LONG_SIDE / long_side)
    return scaled((clip.width, clip.height), 1.0)


def scaled(size: Size, scale: float) -> Size:
    """Return the scaled width and height, rounded to even numbers of at least 2."""
    return max(2, round(size[0] * scale / 2) * 2), max(2, round(size[1] * scale / 2) * 2)


def resized(frame: Frame, size: Size) -> Frame:
    """Return a contiguous frame of that width and height, uint8; the same one if it has the size already."""
    if (frame.shape[1], frame.shape[0]) == size:
        return np.ascontiguousarray(frame)
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS))


def slowed(frames: Sequence[Frame], fps: float, wanted: float) -> list[Frame]:
    """Return frames that play as long at the lower rate `wanted` as `frames` do at `fps`: some are left out."""
    count = max(1, round(len(frames) * wanted / fps))
    return [frames[min(len(frames) - 1, int(index * fps / wanted))] for index in range(count)]


class Frames(Protocol):
    """Frames that can be read more than once, from the first to the last."""

    def __len__(self) -> int:
        """Return how many there are, or very nearly."""
        ...

    def __iter__(self) -> Iterator[Frame]:
        """Return them in order."""
        ...


class Resized:
    """The frames of a clip in another size."""

    def __init__(self, frames: Frames, size: Size) -> None:
        self._frames, self._size = frames, size

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return (resized(frame, self._size) for frame in self._frames)


class Smoothed:
    """The same motion at 24 frames a second; ffmpeg estimates frames between, also where a loop starts again.

    The frames are made anew each time they are iterated: all of them in memory would be gigabytes.
    """

    def __init__(self, frames: Sequence[Frame], fps: float, loop: Loop, on_wait: OnWait = lambda: None) -> None:
        self._frames, self._fps, self._loop, self._on_wait = frames, fps, loop, on_wait

    def __len__(self) -> int:
        return count_smoothed(len(self._frames), self._fps)

    def __iter__(self) -> Iterator[Frame]:
        height, width = self._frames[0].shape[:2]
        last, second = self._frames[-1], self._frames[1 % len(self._frames)]
        # the filter stops before the last frames
        beyond = (last, last) if self._loop is Loop.NONE else (self._frames[0], second)
        filters = ["-vf", f"minterpolate=fps={SMOOTH_FPS}:scd=none", "-frames:v", str(len(self))]
        given = (*self._frames, *beyond)
        size = (width, height)
        return stream_frames([*raw_input(size, self._fps), *filters], size, given, self._on_wait)
