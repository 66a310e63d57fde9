"""BMP: bit fields of any layout, transparency and colour, which Pillow reads for a few layouts or not at all."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, ImageMath

from generator.errors import PictureError, PictureReason
from generator.picture.formats.picture import Picture
from generator.picture.formats.splice import spliced

_BIT_FIELDS, _ALPHA_BIT_FIELDS = 3, 6
_EMBEDDED = b"DEBM"
_COLOURS_AT = 46
_LONGEST_PROFILE = 4 << 20


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    """negative where the top row comes first"""
    bits: int
    compression: int
    pixels_at: int
    masks: tuple[int, int, int, int]
    """red, green, blue, alpha; zeros where there are none"""
    profile: bytes | None
    colours: int
    """how many the palette claims to have"""


class Bmp(Picture):
    """A BMP that Pillow reads; only its colour is added."""

    def __init__(self, image: Image.Image, profile: bytes | None) -> None:
        super().__init__(image)
        self._profile = profile

    @property
    def colour(self) -> bytes | None:
        """The ICC profile at the end of the file."""
        return self._profile


class BitFields(Bmp):
    """A BMP whose channels lie somewhere in 16 or 32 bits."""

    def __init__(self, header: _Header, file: BinaryIO) -> None:
        super().__init__(Image.new("RGB", (1, 1)), header.profile)
        self._header, self._file = header, file

    @property
    def format(self) -> str:
        """The format's name."""
        return "BMP"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self._header.width, abs(self._header.height)

    def load(self) -> Image.Image:
        """Read the numbers, and take each channel out of them."""
        header, (width, height) = self._header, self.size
        stride = (width * header.bits + 31) // 32 * 4
        self._file.seek(header.pixels_at)
        data = self._file.read(stride * height)
        if len(data) < stride * height - stride + (width * header.bits + 7) // 8:
            raise PictureError(PictureReason.CORRUPT, "the file ends before the picture does", what="cut-short")
        data = data.ljust(stride * height, b"\0")
        direction = 1 if header.height < 0 else -1
        rawmode = "I;32" if header.bits == 32 else "I;16"
        mode = "I" if header.bits == 32 else "I;16"
        numbers = Image.frombytes(mode, (width, height), data, "raw", rawmode, stride, direction).convert("I")
        bands = [_channel(numbers, mask) for mask in header.masks]
        if header.masks[3] == 0 or bands[3].getextrema() == (0, 0):  # written by programs that left it empty
            return Image.merge("RGB", bands[:3])
        return Image.merge("RGBA", bands)


def open_bmp(file: BinaryIO) -> Picture:
    """Read the header. Raises what Pillow raises."""
    header = _read_header(file)
    if header and header.width > 0 and header.height and header.bits in (16, 32) and any(header.masks[:3]):
        return BitFields(header, file)
    size = file.seek(0, 2)
    file.seek(0)
    if header and header.bits <= 8 and header.colours > 2**header.bits:  # Pillow refuses more than there can be
        file = spliced(file, [(0, _COLOURS_AT), bytes(4), (_COLOURS_AT + 4, size)])
    return Bmp(Image.open(file, formats=("BMP",)), header.profile if header else None)


def _read_header(file: BinaryIO) -> _Header | None:
    """Return what a Windows header says; None for the old ones of OS/2."""
    file.seek(0)
    head = file.read(14 + 124)
    if len(head) < 54 or (size := int.from_bytes(head[14:18], "little")) < 40:
        return None
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", head, 18)
    masks = (0, 0, 0, 0)
    if compression in (_BIT_FIELDS, _ALPHA_BIT_FIELDS) and len(head) >= 70:
        masks = struct.unpack_from("<4I", head, 54)
        if size < 56 and compression == _BIT_FIELDS:
            masks = (*masks[:3], 0)
    elif bits == 32 and compression == 0 and size >= 108 and any(head[66:70]):
        masks = (0xFF0000, 0xFF00, 0xFF, int.from_bytes(head[66:70], "little"))
    pixels_at = int.from_bytes(head[10:14], "little")
    colours = int.from_bytes(head[_COLOURS_AT : _COLOURS_AT + 4], "little")
    profile = _profile(file, head) if size >= 124 else None
    return _Header(width, height, bits, compression, pixels_at, masks, profile, colours)


def _profile(file: BinaryIO, head: bytes) -> bytes | None:
    """Return the ICC profile in the file; a calibrated space without one is left aside, as in browsers."""
    if len(head) < 138 or head[70:74] != _EMBEDDED:
        return None
    offset, length = struct.unpack_from("<II", head, 126)
    file.seek(14 + offset)
    return file.read(length) if length <= _LONGEST_PROFILE else None


def _channel(numbers: Image.Image, mask: int) -> Image.Image:
    """Return one channel, its bits stretched to 0-255."""
    if mask == 0:
        return Image.new("L", numbers.size)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    lost = max(0, most.bit_length() - 8)  # so that the multiplication stays within 31 bits
    top = most >> lost

    def taken(args: dict[str, Any]) -> Any:
        bits = (args["numbers"] >> (shift + lost)) & top
        return args["convert"]((bits * 255 + top // 2) / top, "L")

    channel: Image.Image = ImageMath.lambda_eval(taken, numbers=numbers)
    return channel
