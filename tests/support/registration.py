"""How the camera moved between two frames: a smooth field of displacements, fitted to the pixels.

The field is linear in seven functions of the position: 1, u, v, u*v, u*u, v*v and the demo model's nearness. They hold
every pan, zoom, turn and orbit of `generator/model/demo_model/camera_motion.py`, and the moves of most other cameras,
but cannot follow grain or a face that melts: what the field does not explain is no move.
Gauss-Newton steps on grey values, from coarse to fine; pixels that do not fit count less.

Tested in tests/benchmarks/test_demo.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Frame = NDArray[np.uint8]
Field = NDArray[np.float64]
Mask = NDArray[np.bool_]

_LEVELS = (4, 2, 1)
_STEPS = 8
"""per level"""
_SETTLED = 0.02
"""pixels: a step that changes no displacement by more is the last one of its level"""
_RIDGE = 1e-3
"""keeps the functions apart where a picture has too little detail to tell them"""


@dataclass(frozen=True)
class Move:
    """A field of displacements in pixels, each height x width: a pixel comes from (x + across, y + along)."""

    across: Field
    along: Field
    weights: Field
    """what the fit found, (2, functions); where to begin the next one"""

    @property
    def size(self) -> float:
        """Return the root mean square of the displacement, in pixels."""
        return float(np.sqrt((self.across**2 + self.along**2).mean()))

    def likeness(self, other: Move) -> float:
        """Return the cosine between two fields: 1 is the same move, whatever its size, -1 the opposite one."""
        product = (self.across * other.across + self.along * other.along).mean()
        return float(product / max(self.size * other.size, 1e-9))

    def covered(self) -> Mask:
        """Tell which pixels come from inside the frame."""
        height, width = self.across.shape
        x, y = np.arange(width) + self.across, np.arange(height)[:, None] + self.along
        inside: Mask = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
        return inside


def carry(frame: NDArray[np.generic], move: Move, margin: int = 0) -> Field:
    """Return what the camera sees of `frame` after the move, height x width x channels, by cubic splines.

    `frame` may have `margin` pixels more on each side than the move's field.
    """
    height, width = move.across.shape
    where = [np.arange(height)[:, None] + move.along + margin, np.arange(width) + move.across + margin]
    values = frame.astype(np.float64)
    return np.stack([map_coordinates(values[..., c], where, order=3, mode="nearest") for c in range(3)], -1)


def find_move(origin: Frame, frame: Frame, start: Move | None = None) -> Move:
    """Return the move after which `origin` looks like `frame`; a few pixels at most, or about `start`."""
    weights = np.zeros((2, 7)) if start is None else start.weights
    grey_origin, grey_frame = (each.astype(np.float64).mean(-1) for each in (origin, frame))
    for level in _LEVELS:
        weights = _refine(_smaller(grey_origin, level), _smaller(grey_frame, level), weights)
    return _move_of(weights, *grey_frame.shape)


def track(frames: NDArray[np.uint8]) -> tuple[list[Move], Move]:
    """Return the move from each frame of a clip to the next one, and that from the first frame to the last.

    The last one is fitted anew; the sum of the others is only where that fit begins.
    """
    steps = [find_move(one, other) for one, other in pairwise(frames)]
    about = np.sum([step.weights for step in steps], axis=0)
    return steps, find_move(frames[0], frames[-1], _move_of(about, *frames[0].shape[:2]))


def _move_of(weights: Field, height: int, width: int) -> Move:
    across, along = (height * width) ** 0.5 * np.tensordot(weights, _functions(height, width), 1)
    return Move(across, along, weights)


def _smaller(grey: Field, factor: int) -> Field:
    height, width = (side // factor * factor for side in grey.shape)
    blocks = grey[:height, :width].reshape(height // factor, factor, width // factor, factor)
    smaller: Field = blocks.mean((1, 3))
    return smaller


def _functions(height: int, width: int) -> Field:
    size = (height * width) ** 0.5
    u, v = np.broadcast_arrays(
        (np.arange(width) + 0.5 - width / 2) / size, ((np.arange(height) + 0.5 - height / 2) / size)[:, None]
    )
    near = np.exp(-(u * u + v * v) / 0.13)
    return np.stack([np.ones_like(u), u, v, u * v, u * u, v * v, near])


def _refine(origin: Field, frame: Field, weights: Field) -> Field:
    height, width = frame.shape
    size = (height * width) ** 0.5
    functions = _functions(height, width)
    slopes = np.gradient(origin)
    y, x = np.arange(height)[:, None], np.arange(width)
    across, along = size * np.tensordot(weights, functions, 1)
    for _ in range(_STEPS):
        where = [y + along, x + across]
        inside = (where[0] >= 0) & (where[0] <= height - 1) & (where[1] >= 0) & (where[1] <= width - 1)
        seen, down, right = (map_coordinates(each, where, order=1, mode="nearest") for each in (origin, *slopes))
        missing = (frame - seen)[inside]
        missing -= np.median(missing)  # a frame that is darker as a whole has not moved
        trust = 1 / (1 + (missing / (1.5 * np.median(np.abs(missing)) + 1)) ** 2)
        flat = functions[:, inside]
        jacobian = size * np.concatenate([right[inside] * flat, down[inside] * flat])
        normal = (jacobian * trust) @ jacobian.T
        normal += _RIDGE * np.trace(normal) / len(normal) * np.eye(len(normal))
        change = np.linalg.solve(normal, (jacobian * trust) @ missing).reshape(2, -1)
        weights = weights + change
        further = size * np.tensordot(change, functions, 1)
        across, along = across + further[0], along + further[1]
        if np.abs(further).max() < _SETTLED:
            break
    return weights
