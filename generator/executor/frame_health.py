"""Whether a clip's frames may be posted: black, frozen or strobing ones may not. Knows uint8 frames only.

Not-a-number cannot be seen in uint8; the device raises BadFrames(kind="nan") itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from generator.video.ffmpeg import Frame

_Floats = np.ndarray[Any, np.dtype[np.float64]]


class Trouble(StrEnum):
    """What is wrong with a clip."""

    NAN = "nan"
    BLACK = "black"
    """a frame without any picture in it, black or one flat colour, though the source has one"""
    FROZEN = "frozen"
    STROBING = "strobing"


# A frame with less contrast than compression noise shows nothing; a source with more than this shows something.
_FLAT_LEVELS = 2.0
_CONTRAST_LEVELS = 8.0

# No video model gives two identical frames, however low the motion bucket: the decoder's rounding alone differs. So
# frozen means that in no step one pixel in ten thousand moved by more than one level.
_FROZEN_LEVELS = 1
_FROZEN_SHARE = 1e-4

# WCAG 2.3.1: a flash is a pair of opposing changes of relative luminance by 10 % or more where the darker state is
# below 0.80, over a quarter of the field of view. Three flashes within seven frames is as fast as seven fps can show.
_FLASH_LUMINANCE = 0.10
_FLASH_DARKER = 0.80
_FLASH_AREA = 0.25
_FLASH_CHANGES = 6
_FLASH_WINDOW = 7
_SAMPLED_SIDE = 144
_GRID = 8
"""cells per side in which luminance is averaged, so that moving texture is no flash"""


@dataclass(slots=True, eq=False)
class FrameHealth:
    """Examines each frame as it comes; `trouble` tells what is wrong once all have come."""

    source: Frame
    """the picture that the clip is made of, uint8, height x width x 3"""
    _blank_frames: int = 0
    _moved: bool = False
    _previous: Frame | None = None
    _luminance: list[_Floats] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Examine the next frame, uint8, height x width x 3."""
        self._blank_frames += _contrast(frame) < _FLAT_LEVELS
        if self._previous is not None and not self._moved:
            self._moved = _differ(self._previous, frame)
        self._previous = frame
        self._luminance.append(_cell_luminance(frame))

    def trouble(self) -> Trouble | None:
        """Return what is wrong with the clip, None when nothing is."""
        if self._blank_frames and _contrast(self.source) > _CONTRAST_LEVELS:
            return Trouble.BLACK
        if len(self._luminance) > 1 and not self._moved:
            return Trouble.FROZEN
        return Trouble.STROBING if _strobes(np.array(self._luminance)) else None


def _contrast(frame: Frame) -> float:
    """Return the standard deviation (0-127.5 levels) of every fourth pixel, the largest of the three channels."""
    sample = frame[::4, ::4].reshape(-1, 3)
    return float(sample.std(axis=0).max())


def _differ(before: Frame, after: Frame) -> bool:
    change = np.abs(after.astype(np.int16) - before.astype(np.int16)).max(axis=2)
    return float((change > _FROZEN_LEVELS).mean()) > _FROZEN_SHARE


def _cell_luminance(frame: Frame) -> _Floats:
    """Return the mean relative luminance (0-1) of a grid of cells, flat; of large frames from every few pixels."""
    stride = max(1, min(frame.shape[:2]) // _SAMPLED_SIDE)
    sample = frame[::stride, ::stride]
    height, width = (side // _GRID * _GRID for side in sample.shape[:2])
    linear = _LINEAR[sample[:height, :width]] @ np.array([0.2126, 0.7152, 0.0722])
    cells: _Floats = linear.reshape(_GRID, height // _GRID, _GRID, width // _GRID).mean(axis=(1, 3))
    return cells.ravel()


_LINEAR = (np.arange(256) / 255.0) ** 2.2


def _strobes(luminance: _Floats) -> bool:
    """Tell whether a quarter of the cells flash; `luminance` is frames x cells, 0-1."""
    if len(luminance) < _FLASH_WINDOW:
        return False
    change = np.diff(luminance, axis=0)
    darker = np.minimum(luminance[1:], luminance[:-1])
    flash = (np.abs(change) >= _FLASH_LUMINANCE) & (darker < _FLASH_DARKER)
    direction = np.sign(change) * flash
    opposing = direction[1:] * direction[:-1] < 0
    # A run of n opposing pairs of neighbours is n + 1 changes in alternating directions.
    needed = _FLASH_CHANGES - 1
    runs = np.lib.stride_tricks.sliding_window_view(opposing, needed, axis=0).all(axis=-1)
    return bool(runs.any(axis=0).mean() >= _FLASH_AREA)
