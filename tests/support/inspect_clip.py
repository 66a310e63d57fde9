"""Find what a clip's file really contains, as ffprobe would, with ffmpeg, Pillow and the boxes of the MP4."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageSequence

from generator.video.anew.stored_frames import StoredFrames
from generator.video.ffmpeg import Frame, find_ffmpeg


@dataclass(frozen=True)
class Inspected:
    codec: str
    pixel_format: str
    width: int
    height: int
    frames: int
    seconds: float
    moov_first: bool
    loops_forever: bool = False


def inspect_clip(path: Path) -> Inspected:
    """Decode the whole file and return what it contains. Raises when a part of it cannot be decoded."""
    return _inspect_mp4(path) if path.suffix == ".mp4" else _inspect_picture(path)


def read_frames(path: Path) -> tuple[list[Frame], float]:
    """Return all frames of an MP4, GIF or WebP, and its playback fps. Raises EncodingFailed."""
    stored = StoredFrames(path)
    return list(stored), stored.fps


def boxes(path: Path) -> list[str]:
    """Return the names of an MP4's outermost boxes in order. Raises unless they fill the file exactly."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        assert length >= 8, "a clip has no box of 64-bit or open length"
        names.append(data[at + 4 : at + 8].decode("latin-1"))
        at += length
    assert at == len(data), "the last box goes beyond the file"
    return names


def _inspect_mp4(path: Path) -> Inspected:
    report = _ffmpeg("-i", str(path)).stderr
    stream = re.search(r"Video: (\w+).*?, (\w+)(?:\([^)]*\))?, (\d+)x(\d+)", report)
    assert stream, report
    crc = _ffmpeg("-v", "error", "-xerror", "-i", str(path), "-f", "framecrc", "-")
    assert crc.returncode == 0, crc.stderr
    assert not crc.stderr, crc.stderr
    base = re.search(r"#tb 0: (\d+)/(\d+)", crc.stdout)
    assert base
    rows = [line.split(",") for line in crc.stdout.splitlines() if line and not line.startswith("#")]
    ticks = int(rows[-1][2]) + int(rows[-1][3]) - int(rows[0][2])
    order = boxes(path)
    return Inspected(
        codec=stream[1],
        pixel_format=stream[2],
        width=int(stream[3]),
        height=int(stream[4]),
        frames=len(rows),
        seconds=ticks * int(base[1]) / int(base[2]),
        moov_first=order.index("moov") < order.index("mdat"),
    )


def _inspect_picture(path: Path) -> Inspected:
    with Image.open(path) as image:
        milliseconds = []
        for frame in ImageSequence.Iterator(image):
            frame.load()
            milliseconds.append(int(frame.info["duration"]))
        return Inspected(
            codec=str(image.format).lower(),
            pixel_format=image.mode,
            width=image.width,
            height=image.height,
            frames=len(milliseconds),
            seconds=sum(milliseconds) / 1000,
            moov_first=False,
            loops_forever=image.info.get("loop") == 0,
        )


def _ffmpeg(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-nostdin", *arguments], capture_output=True, text=True, timeout=60
    )
