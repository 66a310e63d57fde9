"""WebP: its size is read before Pillow opens it, for that takes the memory of the whole picture already."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import BinaryIO

from PIL import Image

from generator.picture.formats.picture import Picture
from generator.variants import Size


class Webp(Picture):
    """A WebP, or the first frame of one that moves. Pillow holds two canvases and two copies beside the picture."""

    moves = True
    bytes_per_pixel = 16.2

    def __init__(self, file: BinaryIO, size: Size) -> None:
        self._file, self._size = file, size

    @cached_property
    def image(self) -> Image.Image:  # type: ignore[override]
        """The picture, once its size is known to be no trouble."""
        self._file.seek(0)
        return Image.open(self._file, formats=("WEBP",))

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return "WEBP"

    @property
    def kind(self) -> str:
        """What a person calls it."""
        return "WebP"

    @property
    def size(self) -> Size:
        """Width and height."""
        return self._size


def open_webp(file: BinaryIO) -> Picture:
    """Read the header. Raises ValueError where it is damaged."""
    head = file.read(30)
    if len(head) < 30:
        raise ValueError("the header is cut")
    kind = head[12:16]
    if kind == b"VP8X":
        return Webp(file, (1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")))
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", head[21:25])
        return Webp(file, (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)))
    width, height = struct.unpack("<HH", head[26:30])
    return Webp(file, (width & 0x3FFF, height & 0x3FFF))
