"""How a clip's end meets its beginning: plain functions on lists of frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from generator.clip import Loop
from generator.protocol import Note

if TYPE_CHECKING:
    from generator.video.ffmpeg import Frame

_SHORTEST_SEAM = 0.5
"""the part of the clip that a seam must leave"""

_FADE = 0.25
"""the part of the clip that fades into its beginning"""


def looped(frames: Sequence[Frame], loop: Loop) -> tuple[list[Frame], tuple[Note, ...]]:
    """Give the frames that play as a loop, and what the person should know."""
    if loop is Loop.BOOMERANG:
        return boomerang(frames), ()
    if loop is Loop.CROSSFADE:
        return crossfade(frames), ()
    if loop is Loop.SEAM:
        start, end, score = best_seam(frames)
        return list(frames[start:end]), (Note("loop-score", {"score": round(score, 2)}),)
    return list(frames), ()


def boomerang(frames: Sequence[Frame]) -> list[Frame]:
    """Play forwards, then backwards without the two end frames, which would show twice."""
    return [*frames, *frames[-2:0:-1]]


def crossfade(frames: Sequence[Frame]) -> list[Frame]:
    """Blend the last quarter into the first one; the clip is a quarter shorter."""
    fade = max(1, round(len(frames) * _FADE))
    if len(frames) <= 2 * fade:
        return list(frames)
    kept = len(frames) - fade
    blended = []
    for i in range(fade):
        weight = (i + 1) / (fade + 1)
        mix = frames[kept + i] * np.float32(1 - weight) + frames[i] * np.float32(weight)
        blended.append((mix + 0.5).astype(np.uint8))
    return [*blended, *frames[fade:kept]]


def best_seam(frames: Sequence[Frame]) -> tuple[int, int, float]:
    """Give start, end (not included) and a score for the stretch whose end leads best into its start.

    The score is 1 when the seam jumps no further than an ordinary step, 0.25 when it jumps four times as far.
    """
    if len(frames) < 4:
        return 0, len(frames), 0.0
    small = np.stack([_thumbnail(frame) for frame in frames])
    step = float(np.median(np.abs(np.diff(small, axis=0)).mean(axis=1)))
    shortest = max(3, round(len(frames) * _SHORTEST_SEAM))
    stretches = [
        (start, end) for start in range(len(frames) - shortest + 1) for end in range(start + shortest, len(frames) + 1)
    ]
    jumps = {stretch: _jump(small, *stretch) for stretch in stretches}
    start, end = min(stretches, key=lambda stretch: (round(jumps[stretch], 3), stretch[0] - stretch[1]))
    return start, end, score_of(jumps[start, end], step)


def _jump(small: NDArray[np.float32], start: int, end: int) -> float:
    """Tell how far what would follow `end` is from what follows `start`, in the frames around both.

    Place alone is not enough: a swing passes its middle in both directions.
    """
    around = [k for k in (-2, -1, 0, 1) if start + k >= 0 and end + k < len(small)]
    if around:
        return float(np.mean([np.abs(small[end + k] - small[start + k]).mean() for k in around]))
    step = (small[1] - small[0] + small[-1] - small[-2]) / 2  # the whole clip: nothing lies beyond to compare
    return float(np.abs(small[-1] + step - small[0]).mean())


def score_of(jump: float, step: float) -> float:
    """Compare a seam's jump with the clip's ordinary step."""
    return 1.0 if jump <= step else step / jump


def _thumbnail(frame: Frame) -> NDArray[np.float32]:
    """Give about 32 x 18 block means, flat; blocks forgive noise, which no seam can hide or mend."""
    block = max(1, max(frame.shape[:2]) // 32)
    rows, columns = frame.shape[0] // block, frame.shape[1] // block
    cut = frame[: rows * block, : columns * block].astype(np.float32)
    means = cut.reshape(rows, block, columns, block, 3).mean(axis=(1, 3))
    flat: NDArray[np.float32] = means.ravel()
    return flat
