"""The rendered frames as a file of their own, beside a clip that does not hold them as they are.

From them the clip's file can be made anew: in another format, as another loop, smoother, slower. They are encoded while
they arrive. The clip comes first: a failure here, or a full disk, only means that they are not kept.
Tested in tests/generator/video/anew/test_encode_again.py.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import numpy as np

from generator.clip import Format, holds_frames
from generator.errors import RenderError
from generator.process.durable import publish
from generator.video.clip_file import ClipFormat
from generator.video.encoders import Encoder, Encoding, open_encoder
from generator.video.ffmpeg import Frame
from generator.video.recipe import write_recipe
from generator.video.size_ladder import size_ladder

log = logging.getLogger(__name__)


class KeptFrames:
    """Writes the frames to `path`, unless the clip's own file holds them; `always` also then."""

    def __init__(self, path: Path | None, clip: ClipFormat, *, always: bool = False) -> None:
        holds = not always and holds_frames(clip.format, clip.loop, clip.smooth)
        self._path = None if path is None or holds else path
        self._clip = clip
        self._encoder: Encoder | None = None

    def add(self, frame: Frame) -> None:
        """Add the next frame as it was rendered; it must not change afterwards."""
        if self._path is None:
            return
        try:
            if self._encoder is None:
                self._encoder = self._open(_aside(self._path))
            self._encoder.add(np.ascontiguousarray(frame), lambda: None)
        except (RenderError, OSError) as error:
            self._give_up(error)

    def finish(self) -> Path | None:
        """Return the path of the file once it is complete; None when there is none."""
        if self._path is None or self._encoder is None:
            return None
        try:
            self._encoder.finish(lambda: None)
            self._encoder = None
            write_recipe(_aside(self._path), Format.MP4, self._clip.recipe)
            publish(_aside(self._path), self._path)
        except (RenderError, OSError) as error:
            self._give_up(error)
        return self._path

    def kill(self) -> None:
        """Stop, and delete what is not complete."""
        if self._encoder is not None:
            self._encoder.kill()
            self._encoder = None
        if self._path is not None:
            with contextlib.suppress(OSError):
                _aside(self._path).unlink()

    def _open(self, path: Path) -> Encoder:
        size = self._clip.width, self._clip.height
        quality = size_ladder(Format.MP4, frames=1)[0].quality
        encoding = Encoding(
            format=Format.MP4, source=size, size=size, fps=self._clip.playback_fps, quality=quality, live=True
        )
        return open_encoder(encoding, path)

    def _give_up(self, error: Exception) -> None:
        log.warning("the rendered frames are not kept: %s", error)
        self.kill()
        self._path = None


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
