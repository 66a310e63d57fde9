"""Change frames before they are encoded: their size and their rate.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import lru_cache
from typing import Protocol

import numpy as np
from PIL import Image

from generator.clip import SMOOTH_FPS, Format, Loop, count_smoothed
from generator.variants import Size
from generator.video.clip_file import ClipFormat
from generator.video.ffmpeg import Frame, OnWait
from generator.video.timing.layers import Layers, Step, layers_of, layers_of_planar

GIF_LONG_SIDE = 512
"""a GIF of this size has a few MB, at full size it would be over every limit"""

_THREADS = 2
"""that make frames between: numpy and Pillow let both work at once"""
_WAIT_SECONDS = 0.2
_AHEAD = 3
"""frames that are made before they are asked for"""


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
    """The same motion at 24 frames a second, with frames between, also where a loop starts again.

    The frames are made anew each time they are iterated: all of them in memory would be gigabytes. For a video they are
    `planar`: as ffmpeg's nv12, which is half as much to move and needs no conversion.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        fps: float,
        loop: Loop,
        on_wait: OnWait = lambda: None,
        *,
        planar: bool = False,
    ) -> None:
        self._frames, self._fps, self._loop, self._on_wait = frames, fps, loop, on_wait
        self._layers_of = layers_of_planar if planar else layers_of
        self._one_at_a_time = threading.Lock()

    def __len__(self) -> int:
        return count_smoothed(len(self._frames), self._fps)

    def __iter__(self) -> Generator[Frame]:
        pool = ThreadPoolExecutor(_THREADS)
        layers = lru_cache(3)(lambda index: self._layers_of(self._frames[index]))
        steps = {0: pool.submit(self._step, 0, layers)}
        made: deque[Future[Frame]] = deque()
        try:
            for index in range(len(self)):
                whole, at = divmod(index * self._fps / SMOOTH_FPS, 1.0)
                before = int(whole)
                if before + 1 not in steps:  # the next one is ready when it is needed
                    steps = {before: steps[before], before + 1: pool.submit(self._step, before + 1, layers)}
                made.append(pool.submit(_frame_at, steps[before], at))
                if len(made) > _AHEAD:
                    yield self._awaited(made.popleft())
            while made:
                yield self._awaited(made.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _step(self, before: int, layers: Callable[[int], Layers]) -> Step:
        last = len(self._frames) - 1
        first = min(before, last)
        after = first + 1 if first < last else (last if self._loop is Loop.NONE else 0)
        with self._one_at_a_time:  # it takes more memory than frames do
            return Step.between(layers(first), layers(after))

    def _awaited(self, frame: Future[Frame]) -> Frame:
        while not wait([frame], _WAIT_SECONDS).done:
            self._on_wait()
        return frame.result()


def _frame_at(step: Future[Step], at: float) -> Frame:
    return step.result().frame_at(at)
