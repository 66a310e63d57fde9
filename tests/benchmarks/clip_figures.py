"""How good a clip of the demo model is, as figures: sharp, steady, of the right colours, up to the last frame.

Where the camera went is estimated from the frames (`tests/support/registration.py`), not known from the model. A clip
is made of the inner part of a photograph, so what comes into view at the edges is known too.

Tested in tests/benchmarks/test_demo.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.ndimage import uniform_filter

from tests.support.registration import Field, Frame, Mask, Move, carry, track

_MARGIN = 0.11
"""of the picture's hidden border, in units of the root of the frame's area"""
_FEWEST = 100
"""uncovered pixels; below that their error says nothing"""
_ALIKE = 0.7
"""cosine of two fields of displacements from which on they are one move to the eye: within 45 degrees"""
_STANDS = 1.0
"""pixels: a smaller move is none"""


@dataclass(frozen=True)
class Framed:
    """The picture that a clip is made of, and the same with `margin` pixels more on each side."""

    picture: Image.Image
    wide: Frame
    margin: int


@dataclass(frozen=True)
class ClipFigures:
    """One clip's figures; levels are of 255."""

    first_db: float
    """PSNR of the first frame against the picture"""
    last_db: float
    """PSNR of the last frame against the first one, where both show the same, after the camera's move"""
    last_db_of_picture: float
    """the same against the picture: a soft first frame is no excuse for a soft last one"""
    change_levels: float
    """mean difference of neighbouring frames after the camera's move"""
    drift_levels: float
    """what the mean of the colour that changed most changed by from the first frame to the last"""
    fine: float
    """energy of fine detail in the last frame as a share of the first's, where both show the same

    A camera that moves in makes it smaller, and moving pixels by parts of their size does too."""
    fine_moved: float
    """the same as a share of what the first frame has after the camera's move: without both of these"""
    edges: float | None
    """error of the last frame where the picture does not show what is seen, as a share of that elsewhere"""
    move: Move


def frame(photograph: Image.Image, size: tuple[int, int]) -> Framed:
    """Return the inner part of a photograph as a picture of `size`, width and height."""
    margin = round(_MARGIN * (size[0] * size[1]) ** 0.5)
    wide = ImageOps.fit(photograph, (size[0] + 2 * margin, size[1] + 2 * margin))
    return Framed(ImageOps.crop(wide, margin), np.asarray(wide), margin)


def judge(frames: NDArray[np.uint8], framed: Framed) -> ClipFigures:
    """Return the figures of a clip of the framed picture."""
    first, last = frames[0].astype(np.float64), frames[-1].astype(np.float64)
    steps, move = track(frames)
    covered, seen = move.covered(), carry(first, move)
    truth = carry(framed.wide, move, framed.margin)
    error = np.abs(last - truth).mean(-1)
    fine = [_fine(each)[shown].mean() for each, shown in ((last, covered), (first, _shown(move)))]
    uncovered = ~covered
    return ClipFigures(
        first_db=psnr(np.asarray(framed.picture, np.float64), first),
        last_db=psnr(seen[covered], last[covered]),
        last_db_of_picture=psnr(truth[covered], last[covered]),
        change_levels=float(np.mean([_change(pair, step) for pair, step in zip(pairwise(frames), steps, strict=True)])),
        drift_levels=float(np.abs(last[covered].mean(0) - seen[covered].mean(0)).max()),
        fine=float(fine[0] / fine[1]),
        fine_moved=float(fine[0] / _fine(seen)[covered].mean()),
        edges=float(error[uncovered].mean() / error[covered].mean()) if uncovered.sum() >= _FEWEST else None,
        move=move,
    )


def psnr(one: Field, other: Field) -> float:
    """Return the likeness of two arrays of levels, in dB."""
    return float(10 * np.log10(255**2 / max(float(((one - other) ** 2).mean()), 1e-9)))


def distinct(moves: list[Move]) -> int:
    """Return how many of the moves are told apart: each differs from all that are counted before it."""
    kept: list[Move] = []
    for move in moves:
        if move.size > _STANDS and all(move.likeness(other) < _ALIKE for other in kept):
            kept.append(move)
    return len(kept)


def _change(pair: tuple[Frame, Frame], step: Move) -> float:
    covered = step.covered()
    return float(np.abs(carry(pair[0], step)[covered] - pair[1][covered]).mean())


def _fine(frame: Field) -> Field:
    """Return the energy of what a 3x3 mean takes away, height x width."""
    grey = frame.mean(-1)
    energy: Field = (grey - uniform_filter(grey, 3)) ** 2
    return energy


def _shown(move: Move) -> Mask:
    """Tell which pixels of the first frame the last one still shows."""
    height, width = move.across.shape
    covered = move.covered()
    y, x = (np.arange(height)[:, None] + move.along)[covered], (np.arange(width) + move.across)[covered]
    shown = np.zeros((height, width), bool)
    shown[y.round().astype(int), x.round().astype(int)] = True
    return shown
