"""How often a JPEG's data walks over the whole picture. A few thousand scans in a small file keep a decoder busy."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from generator.errors import PictureError, PictureReason

MOST_SCANS = 100
"""encoders write about 10 for a progressive picture, and the standard has no use for more than some dozens"""
ALWAYS_SCANS = 20
"""allowed in a picture of any size"""
MOST_SCANNED = 2_000_000_000
"""pixels of all scans together: about 2 s of a decoder's time"""

_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""the markers of a frame header, which has the picture's size"""
_ALONE = {0x01, *range(0xD0, 0xD9)}
"""markers without a length: TEM, the restarts, the start of an image"""
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
"""what ends a scan's data: anything but a stuffed zero and a restart"""


def refuse_endless_scans(path: Path) -> None:
    """Raise PictureError for a JPEG with more scans than its size can need. Other files are none of its concern."""
    with path.open("rb") as file:
        if file.read(3) != b"\xff\xd8\xff":
            return
        try:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:
            return  # a file as large as the child's memory: its decoding has limits too
        with data:
            scans, pixels = count_scans(data, MOST_SCANS + 1)
    most = max(ALWAYS_SCANS, min(MOST_SCANS, MOST_SCANNED // max(1, pixels)))
    if scans > most:
        raise PictureError(PictureReason.TOO_SLOW, f"more than {most} scans", what="scans")


def count_scans(data: bytes | mmap.mmap, most: int) -> tuple[int, int]:
    """Count the scans of a JPEG's first image up to `most`, as a decoder finds them, and return its pixels too."""
    scans, pixels, at = 0, 0, 2
    while scans < most and (found := _MARKER.search(data, at)) is not None:
        code, at = data[found.end() - 1], found.end()
        if code == _END_OF_IMAGE:
            break
        if code in _FRAMES:
            pixels = int.from_bytes(data[at + 3 : at + 5], "big") * int.from_bytes(data[at + 5 : at + 7], "big")
        if code not in _ALONE:
            scans += code == _START_OF_SCAN
            at += max(2, int.from_bytes(data[at : at + 2], "big"))
    return scans, pixels
