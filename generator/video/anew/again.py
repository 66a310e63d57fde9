"""Make a clip's file anew of its rendered frames: another format, another loop, smoother, slower. No GPU is needed.

Tested in tests/generator/video/anew/test_encode_again.py.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from generator.clip import ClipSettings, total_frames
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encode import ClipWriter
from generator.video.ffmpeg import StoredFrames
from generator.video.recipe import read_recipe


def encode_again(source: Path, target: Path, settings: ClipSettings, max_bytes: int) -> EncodedClip:
    """Write the rendered frames at the beginning of `source` as another file, as `settings` say.

    Of the settings count format, loop, smooth, playback fps and how many frames were rendered. Raises EncodingFailed or
    DiskFull.
    """
    stored = StoredFrames(source)
    clip = ClipFormat(
        format=settings.format,
        width=stored.size[0],
        height=stored.size[1],
        playback_fps=settings.playback_fps,
        max_bytes=max_bytes,
        loop=settings.loop,
        smooth=settings.smooth,
        recipe=(read_recipe(source) or {}) | {"settings": settings.to_json()},
    )
    with ClipWriter(target, clip) as writer, contextlib.closing(iter(stored)) as frames:
        for frame in itertools.islice(frames, total_frames(settings)):
            writer.add(frame)
        return writer.finish()
