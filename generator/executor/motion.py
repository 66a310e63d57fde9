"""How much a clip moves, measured on its frames. Knows uint8 frames only; a few milliseconds for each.

Every frame is compared with the first one, cell by cell. What flickers (a cell that becomes brighter or darker as a
whole) and what is noise (it is another one in each pixel) counts as no motion.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from generator.video.ffmpeg import Frame

_Floats = np.ndarray[Any, np.dtype[np.float32]]

_SHORT_SIDE = 72
"""blocks along the shorter side, at most: averaged over one, noise is a small part of what it was"""
_SAMPLES = 4
"""pixels of a block that are looked at, along each side"""
_GRID = 8
"""cells along each side; a cell is a ninth of the picture's detail, or less"""
_LIVELY = 4
"""of the 64 cells: a clip moves when a sixteenth of it does"""
_PERSISTS = 0.8
"""a cell moved as far as it did in a fifth of the frames, so that one broken frame is no motion"""
_FLAT = 4.0
"""levels from a block to the next that a cell has at least: in a plain sky every trembling would look like a leap"""
_FEWEST_FRAMES = 8
"""a clip of fewer is over before anything can move far"""
_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(slots=True, eq=False)
class MotionMeter:
    """Measures each frame as it comes; `percent` tells the result once all have come."""

    _first: tuple[_Floats, _Floats] | None = None
    _gradient: _Floats | None = None
    _moved: list[_Floats] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Measure the next frame, uint8, height x width x 3, of the same size as the others."""
        samples, blocks = _reduced(frame)
        if self._first is None or self._gradient is None:
            self._first, self._gradient = (samples, blocks), _gradient(blocks)
            return
        change = _unexplained(_cells(blocks - self._first[1]), _cells(self._first[1]))
        noise = _noise(samples - self._first[0], blocks - self._first[1])
        self._moved.append(np.sqrt(np.maximum(change - noise, 0.0)) / self._gradient)

    def percent(self) -> float | None:
        """Return how far the liveliest sixteenth of the picture moved from where it began.

        In percent of the picture's shorter side: a pan by 1 reads as about 1, one by more than 3 as too little. None
        for a short clip.
        """
        if self._first is None or len(self._moved) + 1 < _FEWEST_FRAMES:
            return None
        far = np.sort(np.quantile(np.array(self._moved), _PERSISTS, axis=0))[-_LIVELY:].mean()
        return round(float(100.0 * far / min(self._first[1].shape)), 3)


def _reduced(frame: Frame) -> tuple[_Floats, _Floats]:
    """Return the luminance (0-255) of samples of the frame, and its mean over blocks of them.

    The blocks divide into the grid; the samples are blocks x samples x blocks x samples.
    """
    block = max(1, min(frame.shape[:2]) // _SHORT_SIDE)
    stride = max(1, block // _SAMPLES)
    side = block // stride
    sampled = frame[: frame.shape[0] // block * block, : frame.shape[1] // block * block]
    rows, columns = (length // block // _GRID * _GRID for length in sampled.shape[:2])
    sampled = sampled[: rows * block, : columns * block].reshape(rows, block, columns, block, 3)
    sampled = sampled[:, : side * stride : stride, :, : side * stride : stride]
    samples: _Floats = sampled.astype(np.float32) @ _LUMINANCE
    return samples, samples.mean(axis=(1, 3))


def _cells(blocks: _Floats) -> _Floats:
    """Return cells x blocks."""
    rows, columns = (length // _GRID for length in blocks.shape)
    return blocks.reshape(_GRID, rows, _GRID, columns).swapaxes(1, 2).reshape(_GRID * _GRID, -1)


def _gradient(blocks: _Floats) -> _Floats:
    """Return for each cell the root mean square of the levels from a block to the next."""
    squares: _Floats = sum((np.gradient(blocks, axis=axis) ** 2 for axis in (0, 1)), np.zeros_like(blocks))
    found: _Floats = np.maximum(np.sqrt(_cells(squares).mean(axis=1)), _FLAT)
    return found


def _unexplained(change: _Floats, before: _Floats) -> _Floats:
    """Return for each cell the mean square of the change, without what becoming brighter or darker explains."""
    change = change - change.mean(axis=1, keepdims=True)
    before = before - before.mean(axis=1, keepdims=True)
    both, own = (change * before).sum(axis=1), np.maximum((before**2).sum(axis=1), 1e-6)
    found: _Floats = ((change - (both / own)[:, None] * before) ** 2).mean(axis=1)
    return found


def _noise(change: _Floats, of_blocks: _Floats) -> _Floats:
    """Return for each cell how much the pixels' own noise changes the mean over a block, as a mean square."""
    count = change.shape[1] * change.shape[3]
    if count == 1:
        return np.zeros(_GRID * _GRID, np.float32)
    within = (change**2).mean(axis=(1, 3)) - of_blocks**2
    found: _Floats = _cells(within).mean(axis=1) / (count - 1)
    return found
