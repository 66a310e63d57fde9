"""Make a clip's file anew, without the GPU: of its rendered frames with other settings, or of its own frames smaller.

Tested in tests/generator/video/anew/test_encode_again.py and tests/generator/video/test_encode.py.
"""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path

from generator.clip import ClipSettings, Format, total_frames
from generator.video.anew.stored_frames import StoredFrames
from generator.video.clip_file import ClipFormat, EncodedClip
from generator.video.encode import ClipWriter, Scene
from generator.video.frames import Resized, base_size
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


def shrink_clip(source: Path, target: Path, format: Format, max_bytes: int) -> EncodedClip:
    """Encode a finished clip of any format again, within a smaller budget, and keep its recipe.

    Raises EncodingFailed or DiskFull.
    """
    stored = StoredFrames(source)
    clip = ClipFormat(
        format=format,
        width=stored.size[0],
        height=stored.size[1],
        playback_fps=stored.fps,
        max_bytes=max_bytes,
        recipe=read_recipe(source) or {},
    )
    with ClipWriter(target, clip) as writer:
        return writer.write(Scene(Resized(stored, base_size(clip)), stored.fps))
