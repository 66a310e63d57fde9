"""Join a clip and what was rendered from its last frame: without a jump, in the same colours, as long as it stays good.

Tested in tests/generator/video/anew/test_joining.py.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.errors import BadFrames
from generator.protocol import Note
from generator.video.anew.kept_frames import KeptFrames
from generator.video.anew.stored_frames import StoredFrames
from generator.video.clip_file import ClipFormat, EncodedClip, Joining
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import Frame
from generator.video.recipe import read_recipe
from generator.video.timing.between import between, motion, small_grey

LARGEST_JUMP = 1.5
"""of the median change from frame to frame: what the change at the seam may be"""
_MOST_BETWEEN = 3
"""frames that are put into a seam at most"""
_FADE = 8
"""frames over which what still differs at the seam goes away"""
_GAINS = 0.8, 1.25
"""by which the colours of a continuation are stretched at most"""
SHARPNESS, SATURATION = (0.5, 2.0), (0.7, 1.4)
"""of the first segment's: what a frame may have. Below it is visibly soft or grey, above it is burnt"""
_FEWEST = 2
"""frames that a continuation must add"""

Look = tuple[float, float]
"""sharpness, saturation"""


@dataclass(frozen=True, slots=True)
class Joined:
    """The frames of the longer clip, and how many of the new ones are good enough to be in it."""

    frames: list[Frame]
    good: int
    of: int
    jump: float
    """the change at the seam, of the median change"""


def join(before: Sequence[Frame], new: Sequence[Frame], segment: int) -> Joined:
    """Join frames and those rendered from the last of them, which begin with it; the first `segment` are the measure.

    Raises BadFrames (kind="drift") when the continuation gets worse at once.
    """
    matched = _matched(before[-1], new)
    wanted = _look(before[:segment])
    good = list(itertools.takewhile(lambda frame: is_good(_look([frame]), wanted), matched))
    if len(good) < min(_FEWEST, len(matched)):
        raise BadFrames("the continuation is worse than the clip", kind="drift")
    step = _median_change([*before, *good])
    filled = _filling(before[-1], good[0], step)
    frames = [*before, *filled, *good]
    seam = [change(*pair) for pair in itertools.pairwise([before[-1], *filled, good[0]])]
    return Joined(frames, len(good), len(matched), max(seam) / step if step else 0.0)


def is_good(look: Look, wanted: Look) -> bool:
    """Tell whether a frame looks enough like the first segment."""
    bounds = zip(look, wanted, (SHARPNESS, SATURATION), strict=True)
    return all(low * usual - 0.5 <= found <= high * usual + 0.5 for found, usual, (low, high) in bounds)


def change(first: Frame, second: Frame) -> float:
    """Return the mean difference of two frames, in levels of 0 to 255."""
    return float(np.abs(first.astype(np.int16) - second).mean())


def join_files(asked: Joining) -> EncodedClip:
    """Write the clip of both files' frames, and all frames beside it.

    Raises BadFrames, EncodingFailed or DiskFull.
    """
    settings = asked.settings
    first = list(itertools.islice(StoredFrames(asked.before), settings.seams[-1]))
    joined = join(first, list(StoredFrames(asked.source)), settings.seams[0])
    height, width = first[0].shape[:2]
    clip = ClipFormat(
        format=settings.format,
        width=width,
        height=height,
        playback_fps=settings.playback_fps,
        max_bytes=asked.max_bytes,
        loop=settings.loop,
        smooth=settings.smooth,
        recipe=(read_recipe(asked.source) or {}) | {"settings": settings.to_json()},
    )
    kept = KeptFrames(asked.frames, clip, always=True)
    try:
        with ClipWriter(asked.target, clip) as writer:
            for frame in joined.frames:
                kept.add(frame)
                writer.add(frame)
            encoded = writer.finish()
    except BaseException:
        kept.kill()
        raise
    notes = (Note("drift", {"kept": joined.good, "of": joined.of}),) if joined.good < joined.of else ()
    return replace(encoded, frames_path=kept.finish(), notes=(*encoded.notes, *notes))


def _matched(last: Frame, new: Sequence[Frame]) -> list[Frame]:
    """Return the new frames but the first, which is `last` again, in the colours that make it so."""
    wanted, found = last.reshape(-1, 3).astype(np.float32), new[0].reshape(-1, 3).astype(np.float32)
    gain = np.clip(wanted.std(axis=0) / np.maximum(found.std(axis=0), 1), *_GAINS)
    offset = wanted.mean(axis=0) - gain * found.mean(axis=0)
    rest = last - (new[0] * gain + offset)
    fade = min(_FADE, len(new))
    return [
        _to_frame(frame * gain + offset + rest * max(0.0, 1 - index / fade)) for index, frame in enumerate(new) if index
    ]


def _to_frame(values: NDArray[np.floating]) -> Frame:
    frame: Frame = np.clip(values + 0.5, 0, 255).astype(np.uint8)
    return frame


def _filling(last: Frame, following: Frame, step: float) -> list[Frame]:
    """Return frames between, so that no change at the seam is too large."""
    parts = math.ceil(change(last, following) / (LARGEST_JUMP * step)) if step else 1
    count = min(max(0, parts - 1), _MOST_BETWEEN)
    if not count:
        return []
    flow = motion(small_grey(last), small_grey(following))
    return [between(last, following, flow, (index + 1) / (count + 1)) for index in range(count)]


def _median_change(frames: Sequence[Frame]) -> float:
    return float(np.median([change(*pair) for pair in itertools.pairwise(frames)]))


def _look(frames: Sequence[Frame]) -> Look:
    """Return how sharp and how saturated frames are in the median, in levels."""
    looks = []
    for frame in frames:
        grey = np.asarray(Image.fromarray(frame).convert("L"), np.int16)
        edges = np.abs(4 * grey[1:-1, 1:-1] - grey[:-2, 1:-1] - grey[2:, 1:-1] - grey[1:-1, :-2] - grey[1:-1, 2:])
        looks.append((float(edges.mean()), float((frame.max(axis=2) - frame.min(axis=2)).mean())))
    sharp, saturated = np.median(looks, axis=0)
    return float(sharp), float(saturated)
