"""The frames of a finished clip of any format, read from its file one by one.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from generator.video.ffmpeg import Frame, OnWait, stream_frames, through_ffmpeg


class StoredFrames:
    """The frames of an MP4, GIF or WebP, read anew each time they are iterated. Raises EncodingFailed."""

    def __init__(self, path: Path, on_wait: OnWait = lambda: None) -> None:
        self._path, self._on_wait = path, on_wait
        if path.suffix == ".mp4":
            self.size, self.fps, self._count = _describe_mp4(path)
        else:
            self.size, self.fps, self._count = _describe_picture(path)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Generator[Frame]:
        if self._path.suffix == ".mp4":
            return stream_frames(["-i", str(self._path)], self.size, on_wait=self._on_wait)
        return self._pictures()

    def _pictures(self) -> Generator[Frame]:
        with Image.open(self._path, formats=("GIF", "WEBP")) as image:
            for frame in ImageSequence.Iterator(image):
                self._on_wait()
                yield np.asarray(frame.convert("RGB"))


def _describe_picture(path: Path) -> tuple[tuple[int, int], float, int]:
    """Return the size, the playback fps and the number of frames."""
    milliseconds = []
    with Image.open(path, formats=("GIF", "WEBP")) as image:
        for frame in ImageSequence.Iterator(image):
            frame.load()  # only then does Pillow know how long a WebP's frame stays
            milliseconds.append(int(frame.info.get("duration", 0)))
        fps = len(milliseconds) * 1000 / sum(milliseconds) if sum(milliseconds) else 1.0
        return image.size, fps, len(milliseconds)


def _describe_mp4(path: Path) -> tuple[tuple[int, int], float, int]:
    """Return the size, the playback fps and the number of frames."""
    source = ["-i", str(path)]
    header = through_ffmpeg(source, (), ["-frames:v", "1", "-f", "yuv4mpegpipe"]).split(b"\n", 1)[0]
    facts = {chr(word[0]): word[1:].decode() for word in header.split()}
    packets = through_ffmpeg(source, (), ["-map", "0:v", "-c", "copy", "-f", "framecrc"]).splitlines()
    count = sum(not line.startswith(b"#") for line in packets)
    return (int(facts["W"]), int(facts["H"])), float(Fraction(facts["F"].replace(":", "/"))), count
