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

    def load(self) -> Image.Image:
        """Decode the first frame; where it does not cover the canvas, the rest is transparent, as in browsers."""
        image = super().load()
        box = _first_frame(self._file)
        if image.mode == "RGBA" or box is None or box == (0, 0, *image.size):
            return image
        canvas = Image.new("RGBA", image.size)
        canvas.paste(image.crop(box).convert("RGBA"), box[:2])
        return canvas

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


def _first_frame(file: BinaryIO) -> tuple[int, int, int, int] | None:
    """Return the box of an animation's first frame on the canvas; None where there is none."""
    at = 12
    while True:
        file.seek(at)
        head = file.read(20)
        if len(head) < 20 or head[:4] in (b"VP8 ", b"VP8L"):
            return None
        if head[:4] == b"ANMF":
            left, top, width, height = (int.from_bytes(head[i : i + 3], "little") for i in range(8, 20, 3))
            return 2 * left, 2 * top, 2 * left + width + 1, 2 * top + height + 1
        at += 8 + (int.from_bytes(head[4:8], "little") + 1) // 2 * 2
