"""Frames between two frames: how everything moves from one to the other, and both moved towards each other.

The motion is estimated on small grey pictures, as Lucas and Kanade did, from coarse to fine and from the middle: what
is at x - v/2 in the first frame is at x + v/2 in the second. Pillow moves the frames.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from generator.video.ffmpeg import Frame

Plane = NDArray[np.float32]
"""rows x columns"""
Flow = tuple[Plane, Plane]
"""how far each pixel moves to the right and downwards, in pixels of that plane"""

_LONG_SIDE = 224
"""of the pictures in which motion is looked for"""
_LEVELS, _ROUNDS = 4, 3
_WINDOW = 6
"""pixels around each one that are taken to move with it"""
_FLATNESS = np.float32(8)
"""keeps what has no contrast from moving at random; in squared grey levels"""
_FASTEST = 2.0
"""pixels by which one round moves at most: linear guesses go astray beyond"""
_CELLS = 24
"""along the long side of the grid by which a frame is moved, at most. The motion is known no finer"""
_CELL = 16
"""pixels of its cells' sides at least"""
_NEAR = 0.1
"""of the way to a frame: nearer to it than this the other one is left out, which would only blur it"""


def small_grey(frame: Frame) -> Plane:
    """Return the frame as a small grey picture, float, 0 to 255."""
    return shrunk_grey(Image.fromarray(frame).convert("L"))


def shrunk_grey(picture: Image.Image) -> Plane:
    """Do what `small_grey` does with a grey picture."""
    scale = min(0.5, _LONG_SIDE / max(picture.size))
    width, height = (max(8, round(side * scale)) for side in picture.size)
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX)).astype(np.float32)


def motion(first: Plane, second: Plane) -> Flow:
    """Return how everything moves between two grey pictures of the same size, seen from half way."""
    pairs = [(first, second)]
    while len(pairs) < _LEVELS and min(pairs[-1][0].shape) >= 24:
        pairs.append((_half(pairs[-1][0]), _half(pairs[-1][1])))
    across: Plane = np.zeros(pairs[-1][0].shape, np.float32)
    down = across
    for one, other in reversed(pairs):
        wider, higher = one.shape[1] / across.shape[1], one.shape[0] / down.shape[0]
        across, down = _resized(across, one) * np.float32(wider), _resized(down, one) * np.float32(higher)
        for _ in range(_ROUNDS):
            more, lower = _correction(one, other, (across, down))
            across, down = _mean(across + more, 2), _mean(down + lower, 2)
    return across, down


def between(first: Frame, second: Frame, flow: Flow, at: float) -> Frame:
    """Return the frame at `at` (0 to 1) of the way; the flow is that of `motion`, of any smaller size."""
    return np.asarray(picture_between(Image.fromarray(first), Image.fromarray(second), flow, at))


def picture_between(first: Image.Image, second: Image.Image, flow: Flow, at: float) -> Image.Image:
    """Do what `between` does with pictures of any mode without a palette."""
    if at < _NEAR:
        return _moved(first, flow, -at)
    if at > 1 - _NEAR:
        return _moved(second, flow, 1 - at)
    return _blended(_moved(first, flow, -at), _moved(second, flow, 1 - at), at)


def _blended(first: Image.Image, second: Image.Image, at: float) -> Image.Image:
    """Return both pictures in one, rounded up: Pillow rounds down what it moves, and frames between would be darker."""
    invert = ImageChops.invert
    return invert(Image.blend(invert(first), invert(second), at))


def _correction(one: Plane, other: Plane, flow: Flow) -> Flow:
    """Return by how much more the pictures move than `flow` says, to first order."""
    rows, columns = np.indices(one.shape, dtype=np.float32)
    across, down = flow[0] / 2, flow[1] / 2
    start, end = _sampled(one, columns - across, rows - down), _sampled(other, columns + across, rows + down)
    change = end - start
    steep, wide = (np.asarray(slope, np.float32) for slope in np.gradient((start + end) / 2))
    xx, yy = _mean(wide * wide, _WINDOW) + _FLATNESS, _mean(steep * steep, _WINDOW) + _FLATNESS
    xy, xt, yt = (_mean(product, _WINDOW) for product in (wide * steep, wide * change, steep * change))
    scale = 1 / (xx * yy - xy * xy)
    found = (xy * yt - yy * xt) * scale, (xy * xt - xx * yt) * scale
    more, lower = (np.clip(each, -_FASTEST, _FASTEST) for each in found)
    return more, lower


def _moved(picture: Image.Image, flow: Flow, part: float) -> Image.Image:
    """Return the picture with each pixel taken from where that part of the flow leads."""
    quads = _quads(picture.size, flow, part)
    return picture.transform(picture.size, Image.Transform.MESH, quads, Image.Resampling.BILINEAR)


def _quads(size: tuple[int, int], flow: Flow, part: float) -> list[tuple[tuple[int, ...], list[float]]]:
    """Return rectangles of a picture, and the four corners where each is taken from."""
    cell = max(_CELL, max(size) / _CELLS)
    xs, ys = (np.linspace(0, side, max(1, round(side / cell)) + 1).round().astype(int) for side in size)
    (width, height), (rows, columns) = size, flow[0].shape
    at_x, at_y = np.meshgrid(xs * np.float32(columns / width) - 0.5, ys * np.float32(rows / height) - 0.5)
    from_x = np.clip(xs + _sampled(flow[0], at_x, at_y) * (part * width / columns), 0, width)
    from_y = np.clip(ys[:, None] + _sampled(flow[1], at_x, at_y) * (part * height / rows), 0, height)
    points = np.stack([from_x, from_y], axis=-1)
    corners = np.concatenate([points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]], axis=-1)
    cells = itertools.product(itertools.pairwise(ys.tolist()), itertools.pairwise(xs.tolist()))
    boxes = [(left, top, right, bottom) for (top, bottom), (left, right) in cells]
    return list(zip(boxes, corners.reshape(-1, 8).tolist(), strict=True))


def _sampled(plane: Plane, columns: NDArray[np.floating], rows: NDArray[np.floating]) -> Plane:
    """Return the plane's values between its pixels; beyond its edge those of the edge."""
    height, width = plane.shape
    columns, rows = np.clip(columns, 0, width - 1.001), np.clip(rows, 0, height - 1.001)
    left, top = columns.astype(np.int32), rows.astype(np.int32)
    right_share, low_share = (columns - left).astype(np.float32), (rows - top).astype(np.float32)
    flat, at = plane.ravel(), top * width + left
    upper = flat[at] + (flat[at + 1] - flat[at]) * right_share
    at += width
    lower = flat[at] + (flat[at + 1] - flat[at]) * right_share
    sampled: Plane = upper + (lower - upper) * low_share
    return sampled


def _mean(plane: Plane, reach: int) -> Plane:
    """Return the means of squares around each pixel, `reach` to each side."""
    side = 2 * reach + 1
    padded = np.pad(plane, ((reach + 1, reach), (reach + 1, reach)), mode="edge")
    sums = padded.cumsum(axis=0, dtype=np.float32)
    sums = (sums[side:] - sums[:-side]).cumsum(axis=1, dtype=np.float32)
    means: Plane = (sums[:, side:] - sums[:, :-side]) / np.float32(side * side)
    return means


def _half(plane: Plane) -> Plane:
    rows, columns = plane.shape[0] // 2, plane.shape[1] // 2
    halved: Plane = plane[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    return halved


def _resized(plane: Plane, like: Plane) -> Plane:
    rows, columns = like.shape
    return np.asarray(Image.fromarray(plane).resize((columns, rows), Image.Resampling.BILINEAR))
