"""Make a clip's end meet its beginning: plain functions on lists of uint8 frames, height x width x 3."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generator.clip import Loop
from generator.protocol import Note
from generator.video.ffmpeg import Frame

_SHORTEST_SEAM = 0.5
"""the fraction of the clip that must be left when it is cut to its best seam"""

_FADE = 0.25
"""the fraction of the clip that is blended into its beginning"""


def looped(frames: Sequence[Frame], loop: Loop) -> tuple[list[Frame], tuple[Note, ...]]:
    """Return the frames that play as a loop, and notes of what the person should know."""
    if loop is Loop.BOOMERANG:
        return boomerang(frames), ()
    if loop is Loop.CROSSFADE:
        return crossfade(frames), ()
    if loop is Loop.SEAM:
        start, end, score = best_seam(frames)
        return list(frames[start:end]), (Note("loop-score", {"score": round(score, 2)}),)
    return list(frames), ()


def boomerang(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames forwards, then backwards without the first and the last, which would be shown twice."""
    return [*frames, *frames[-2:0:-1]]


def crossfade(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames with the last quarter blended into the first one, so that the clip is a quarter shorter."""
    fade = max(1, round(len(frames) * _FADE))
    if len(frames) <= 2 * fade:
        return list(frames)
    kept = len(frames) - fade
    blended = []
    for i in range(fade):
        opacity = (i + 1) / (fade + 1)
        mix = frames[kept + i] * np.float32(1 - opacity) + frames[i] * np.float32(opacity)
        blended.append((mix + 0.5).astype(np.uint8))
    return [*blended, *frames[fade:kept]]


def best_seam(frames: Sequence[Frame]) -> tuple[int, int, float]:
    """Return the start, the end (not included) and the score of the range whose end leads best into its start.

    The score is 1 when the change at the seam is at most an ordinary step's, 0.25 when it is four times as large.
    """
    if len(frames) < 4:
        return 0, len(frames), 0.0
    small = np.stack([_thumbnail(frame) for frame in frames])
    step = float(np.median(np.abs(np.diff(small, axis=0)).mean(axis=1)))
    shortest = max(3, round(len(frames) * _SHORTEST_SEAM))
    ranges = [
        (start, end) for start in range(len(frames) - shortest + 1) for end in range(start + shortest, len(frames) + 1)
    ]
    jumps = {each: _jump(small, *each) for each in ranges}
    start, end = min(ranges, key=lambda each: (round(jumps[each], 3), each[0] - each[1]))
    return start, end, _score(jumps[start, end], step)


def _jump(small: NDArray[np.float32], start: int, end: int) -> float:
    """Return how much the frames around `end` differ from those around `start`.

    One frame is not enough: a swing passes its middle in both directions.
    """
    around = [k for k in (-2, -1, 0, 1) if start + k >= 0 and end + k < len(small)]
    if around:
        return float(np.mean([np.abs(small[end + k] - small[start + k]).mean() for k in around]))
    # The range is the whole clip: there are no frames before or after it to compare.
    step = (small[1] - small[0] + small[-1] - small[-2]) / 2
    return float(np.abs(small[-1] + step - small[0]).mean())


def _score(jump: float, step: float) -> float:
    """Return the score of a seam from its jump and the clip's ordinary step."""
    return 1.0 if jump <= step else step / jump


def _thumbnail(frame: Frame) -> NDArray[np.float32]:
    """Return about 32 x 18 means of blocks, flat. In means noise hardly counts, which no seam can avoid."""
    block = max(1, max(frame.shape[:2]) // 32)
    rows, columns = frame.shape[0] // block, frame.shape[1] // block
    cut = frame[: rows * block, : columns * block].astype(np.float32)
    means = cut.reshape(rows, block, columns, block, 3).mean(axis=(1, 3))
    flat: NDArray[np.float32] = means.ravel()
    return flat
