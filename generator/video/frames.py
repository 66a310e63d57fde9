"""Change frames before they are encoded: their size and their rate.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from generator.clip import Format, Loop
from generator.variants import Size
from generator.video.clip_file import ClipFormat
from generator.video.ffmpeg import Frame, raw_input, through_ffmpeg

GIF_LONG_SIDE = 512
"""a GIF of this size has a few MB, at full size it would be over every limit"""

SMOOTH_FPS = 24


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


def smoothed(frames: Sequence[Frame], fps: float, loop: Loop) -> list[Frame]:
    """Return the same motion at 24 frames a second; ffmpeg estimates frames between, also where a loop starts again."""
    height, width = frames[0].shape[:2]
    last, second = frames[-1], frames[1 % len(frames)]
    beyond = (last, last) if loop is Loop.NONE else (frames[0], second)  # the filter stops before the last frames
    count = max(1, round(len(frames) / fps * SMOOTH_FPS))
    filters = ["-vf", f"minterpolate=fps={SMOOTH_FPS}:scd=none", "-frames:v", str(count)]
    raw = through_ffmpeg(
        raw_input((width, height), fps), (*frames, *beyond), [*filters, "-f", "rawvideo", "-pix_fmt", "rgb24"]
    )
    return list(np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3))
