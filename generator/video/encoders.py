"""One encoder for each format: ffmpeg with its arguments for MP4, Pillow's pictures for WebP and GIF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never

from generator.clip import Format
from generator.variants import Size
from generator.video.ffmpeg import Frame, FramePipe, OnWait, raw_input
from generator.video.formats.gif import write_gif
from generator.video.formats.webp import WebpEncoder
from generator.video.frames import resized
from generator.video.recipe import ai_comment

_MOST_WAITING = 8
"""frames that wait for ffmpeg before the next one is made: a long clip is never in memory as a whole"""


class Encoder(Protocol):
    """Writes one file from the frames that it is given."""

    done: int
    """frames that have been encoded, or nearly"""

    def add(self, frame: Frame, on_wait: OnWait) -> None:
        """Add the next frame, which must not change until the file is written. Raises what `on_wait` raises."""

    def finish(self, on_wait: OnWait) -> None:
        """Write the file. Raises DiskFull or EncodingFailed, and what `on_wait` raises."""

    def kill(self) -> None:
        """Stop at once. The caller has to delete what was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """How frames of one size are written as a file of another."""

    format: Format
    source: Size
    size: Size
    fps: float
    quality: int
    """as in SizeStep"""
    live: bool = False
    """for frames that come slowly: none is held back, and adding one never waits"""
    is_quick: bool = False
    """for many frames, most of them made between two others: the pace of `live`, and they may be held back"""
    planar: bool = False
    """for an MP4: the frames are no RGB but ffmpeg's nv12, in the file's own colours"""


def open_encoder(encoding: Encoding, path: Path) -> Encoder:
    """Return an encoder that writes to `path`. Raises EncodingFailed when there is no ffmpeg."""
    match encoding.format:
        case Format.GIF:
            return _GifEncoder(encoding, path)
        case Format.MP4:
            most_waiting = 0 if encoding.live else _MOST_WAITING
            source = raw_input(encoding.source, encoding.fps, planar=encoding.planar)
            return FramePipe([*source, *_mp4_arguments(encoding)], path, most_waiting=most_waiting)
        case Format.WEBP:
            return WebpEncoder(encoding.size, encoding.fps, encoding.quality, path)
        case unknown:
            assert_never(unknown)


class _GifEncoder:
    """Collects the frames and writes them at the end: one palette for all needs all of them."""

    def __init__(self, encoding: Encoding, path: Path) -> None:
        self._encoding, self._path = encoding, path
        self._frames: list[Frame] = []
        self.done = 0

    def add(self, frame: Frame, on_wait: OnWait) -> None:
        self._frames.append(resized(frame, self._encoding.size))
        self.done += 1
        on_wait()

    def finish(self, on_wait: OnWait) -> None:
        write_gif(self._frames, self._encoding.fps, self._encoding.quality, self._path, on_wait)

    def kill(self) -> None:
        self._frames.clear()


def _mp4_arguments(encoding: Encoding) -> list[str]:
    """Return ffmpeg's arguments for H.264 that every Discord client plays inline.

    `live` encodes without lookahead, which would hold frames back, and like `is_quick` with a preset that needs a third
    of medium's CPU time (0.6 against 1.9 s for 25 frames of 1024x576), for about the same size and 0.003 less SSIM.
    `is_quick` looks less for motion (0.8 against 1.06 s for 86 frames), for 7 % more bytes and 0.2 dB less.
    """
    # The frames carry the colour tags: ffmpeg 9 ignores the encoder's options for primaries and transfer.
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    comment = ["-metadata", f"comment={ai_comment()}"]
    source = "in_color_matrix=bt709:in_range=tv:" if encoding.planar else ""
    scale = f"{_scale(encoding.size)}:{source}out_color_matrix=bt709:out_range=tv"
    pace = ["-preset", "veryfast" if encoding.live or encoding.is_quick else "medium"]
    pace += ["-tune", "zerolatency"] if encoding.live else []
    pace += ["-x264-params", "subme=1"] if encoding.is_quick else []
    x264 = ["-c:v", "libx264", *pace, "-crf", str(encoding.quality)]
    return ["-vf", f"{scale},format=yuv420p,{tags}", *x264, *comment, "-movflags", "+faststart", "-f", "mp4"]


def _scale(size: Size) -> str:
    return f"scale={size[0]}:{size[1]}:flags=lanczos+accurate_rnd+full_chroma_int"
