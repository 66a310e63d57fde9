"""Frames as the pictures that Pillow moves: one in RGB, or the planes of a video, whose colours have half the size.

Tested in tests/generator/video/timing/test_between.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image

from generator.video.ffmpeg import Frame
from generator.video.timing.between import Flow, motion, picture_between, shrunk_grey

Layers = tuple[Image.Image, ...]
"""RGB alone, or brightness and then colours"""

_SAME = 0.01
"""of the way: a frame that near is the rendered one"""
_TO_PLANES = (
    *(0.182586, 0.614231, 0.062007, 16.0),
    *(-0.100644, -0.338572, 0.439216, 128.0),
    *(0.439216, -0.398942, -0.040274, 128.0),
)
"""from RGB to brightness and two colour differences: BT.709 in a video's range, 16 to 235 and 16 to 240"""
_PAIRS = "La"
"""Pillow's mode for two values that are moved without touching each other; it would weight those of LA"""


def layers_of(frame: Frame) -> Layers:
    """Return an RGB frame as one picture."""
    return (Image.fromarray(frame),)


def layers_of_planar(frame: Frame) -> Layers:
    """Return an RGB frame with even sides as its brightness, and its colours in half the size: the planes of nv12."""
    planes = Image.fromarray(frame).convert("RGB", _TO_PLANES)
    bright, blue, red = planes.split()
    return bright, Image.merge(_PAIRS, (blue.reduce(2), red.reduce(2)))


@dataclass(frozen=True, slots=True)
class Step:
    """Two rendered frames that follow each other, and how everything moves from one to the other."""

    first: Layers
    second: Layers
    flow: Flow

    @classmethod
    def between(cls, first: Layers, second: Layers) -> Self:
        """Look for the motion between two frames."""
        return cls(first, second, motion(*(shrunk_grey(layers[0].convert("L")) for layers in (first, second))))

    def frame_at(self, at: float) -> Frame:
        """Return the frame at `at` (0 to 1, not included) of the way; as it was rendered where that is so near."""
        pairs = zip(self.first, self.second, strict=True)
        made = self.first if at < _SAME else [picture_between(*pair, self.flow, at) for pair in pairs]
        planes = [np.asarray(picture) for picture in made]
        return planes[0] if len(planes) == 1 else np.concatenate([plane.ravel() for plane in planes])
