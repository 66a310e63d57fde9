"""Frames of a finished clip as a picture.

Tested in tests/generator/video/test_shrink.py and tests/bot/edge/commands/finished/test_extending.py.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
from PIL import Image

from generator.errors import EncodingFailed
from generator.process.durable import disk_watched
from generator.video.anew.stored_frames import StoredFrames


def stills(clip: Path, target: Path, count: int) -> int:
    """Write up to `count` frames, the first and the last among them, below each other into a PNG; return how many."""
    stored = StoredFrames(clip)
    wanted = set(np.linspace(0, len(stored) - 1, count).round().astype(int).tolist())
    frames = [frame for at, frame in enumerate(stored) if at in wanted]
    if not frames:
        raise EncodingFailed("the clip has no frame", why="ffmpeg-failed")
    with disk_watched():
        Image.fromarray(np.concatenate(frames)).save(target, "PNG", compress_level=1)
    return len(frames)


def last_frame(clip: Path, target: Path, most: int) -> int:
    """Write the last of a clip's first `most` frames into a PNG; return how many those are. Raises EncodingFailed."""
    frames = list(itertools.islice(StoredFrames(clip), most))
    if not frames:
        raise EncodingFailed("the clip has no frame", why="ffmpeg-failed")
    with disk_watched():
        Image.fromarray(frames[-1]).save(target, "PNG")
    return len(frames)
