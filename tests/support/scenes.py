"""Frames to encode: a slow camera move over a photo with a little grain, noise that compresses badly, and others."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

Frames = list[np.ndarray[Any, np.dtype[np.uint8]]]
"""each height x width x 3, RGB"""


def pan(count: int, width: int, height: int, photo: Image.Image | None = None, grain: float = 2.0) -> Frames:
    """Return frames that move and zoom over a photo, or over soft blobs of colour if there is none."""
    rng = np.random.default_rng(1)
    wide = (width * 3 // 2, height * 3 // 2)
    picture = photo.resize(wide, Image.Resampling.BICUBIC) if photo else blobs(*wide)
    frames = []
    for i in range(count):
        progress = i / count
        view = (width * (1.3 - 0.2 * progress), height * (1.3 - 0.2 * progress))
        left, top = (wide[0] - view[0]) * progress, (wide[1] - view[1]) * 0.5
        box = (left, top, left + view[0], top + view[1])
        frame = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=box), np.float32)
        frames.append(np.clip(frame + rng.normal(0, grain, frame.shape), 0, 255).astype(np.uint8))
    return frames


def blobs(width: int, height: int) -> Image.Image:
    """Return soft blobs of colour, the same for the same size."""
    rng = np.random.default_rng(2)
    small = rng.integers(0, 256, (max(2, height // 24), max(2, width // 24), 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def noise(count: int, width: int, height: int) -> Frames:
    """Return frames of random pixels, the worst case of an encoder."""
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]


def swing(count: int, width: int, height: int, period: int) -> Frames:
    """Return frames that move around a circle over blobs, and repeat exactly after `period` frames."""
    picture = blobs(width * 2, height * 2)
    frames = []
    for i in range(count):
        angle = 2 * np.pi * i / period
        left, top = width * (0.5 + 0.3 * np.cos(angle)), height * (0.5 + 0.3 * np.sin(angle))
        box = (left, top, left + width, top + height)
        frames.append(np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC, box=box)))
    return frames
