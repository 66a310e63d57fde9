"""PNG: only what makes the picture is given to Pillow, and what it does not know is done here.

Text of any size is left out, APNG's first frame is found where browsers find it, the transparent colour of 16-bit
pictures is compared in 16 bits, and colour is read in browsers' order: cICP, iCCP, sRGB, gAMA with cHRM.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from PIL import Image, ImageChops

from generator.errors import PictureError, PictureReason
from generator.picture.colour_space import ColourSpace, from_cicp, from_gamma
from generator.picture.formats.exif import orientation
from generator.picture.formats.picture import Picture
from generator.picture.formats.splice import Part, spliced
from generator.variants import Size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_FACTS = (b"IHDR", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf", b"tRNS", b"acTL", b"fcTL")
_LONGEST_FACT = 4 << 20
_LONGEST_PROFILE = 4 << 20
_LONGEST_PALETTE = 3 * 256
"""bytes; where colours are missing the last one stands in, as in browsers"""
_LONGEST_NAME = 79
_CHECKSUM = 4
_PALETTE = b"\x03"
"""the colour type of a picture whose numbers stand for colours of the palette"""


@dataclass(slots=True)
class _Chunks:
    facts: dict[bytes, bytes] = field(default_factory=dict)
    """the first chunk of each kind in _FACTS"""
    head: list[Part] = field(default_factory=list)
    """IHDR and PLTE"""
    palette: bool = False
    """whether PLTE has been seen"""
    data: list[Part] = field(default_factory=list)
    """IDAT chunks"""
    moved: list[Part] = field(default_factory=list)
    """the first frame, as IDAT chunks, where the default image is not part of the animation"""
    frame_complete: bool = False
    """whether all data of the first frame has been seen"""


class Png(Picture):
    """A PNG, or the first frame of an APNG."""

    moves = True

    def __init__(self, image: Image.Image, chunks: _Chunks, again: Callable[[bool], Any]) -> None:
        super().__init__(image)
        self._facts, self._again = chunks.facts, again
        self._deep = chunks.facts.get(b"IHDR", b"")[8:9] == b"\x10"
        self._frame = _frame(chunks)

    @property
    def size(self) -> Size:
        """The canvas's size."""
        width, height = struct.unpack(">II", self._facts[b"IHDR"][:8])
        return width, height

    @property
    def orientation(self) -> int:
        """The orientation."""
        return orientation(self._facts.get(b"eXIf"))

    @property
    def animated(self) -> bool:
        """Whether it is an APNG of several frames."""
        return int.from_bytes(self._facts.get(b"acTL", b"")[:4], "big") > 1

    @property
    def colour(self) -> bytes | ColourSpace | None:
        """What the numbers mean, in browsers' order."""
        cicp = self._facts.get(b"cICP", b"")
        if len(cicp) == 4 and cicp[2:] == b"\0\1":
            return from_cicp(cicp[0], cicp[1])
        if profile := _profile(self._facts.get(b"iCCP", b"")):
            return profile
        gamma = self._facts.get(b"gAMA", b"")
        if b"sRGB" in self._facts or len(gamma) != 4 or gamma == bytes(4):
            return None
        exponent = 100_000 / int.from_bytes(gamma, "big")
        corners = self._facts.get(b"cHRM", b"")
        if len(corners) != 32:
            return from_gamma(exponent, None)
        white_x, white_y, *others = (value / 100_000 for value in struct.unpack(">8I", corners))
        return from_gamma(exponent, (white_x, white_y, *others))

    def load(self) -> Image.Image:
        """Decode the first frame."""
        try:
            self.image.load()
            image: Image.Image = self.image
        except OSError:
            image = self._rescued()
        if b"tRNS" in self._facts and image.mode in ("1", "L", "RGB", "I;16"):
            image = self._keyed(image)
        if self._frame:
            canvas = Image.new("RGBA", self.size)
            canvas.paste(image.convert("RGBA"), self._frame)
            return canvas
        return image

    def _rescued(self) -> Image.Image:
        """Return a picture whose checksum is wrong, if it is all there."""
        try:
            image: Image.Image = self._again(False)
            image.load()
        except OSError as error:
            if "truncated" in str(error):
                text = "the file ends before the picture does"
                raise PictureError(PictureReason.CORRUPT, text, what="cut-short") from error
            raise
        return image

    def _keyed(self, image: Image.Image) -> Image.Image:
        """Return the picture with its one transparent colour; Pillow compares it in 8 bits alone."""
        count, depth = 3 if image.mode == "RGB" else 1, self._facts[b"IHDR"][8]
        if len(self._facts[b"tRNS"]) < 2 * count:
            return image
        key = struct.unpack_from(f">{count}H", self._facts[b"tRNS"])
        if depth == 8:
            key = tuple(value & 255 for value in key)
        if image.mode == "I;16":
            return _with_alpha(_high_bytes(image), _differs(image.convert("I"), key[0], 65536))
        if self._deep:
            with self._again(True) as low:
                low.tile = [tile._replace(args="RGB;16L") for tile in low.tile]
                low.load()
                levels = (*(value >> 8 for value in key), *(value & 255 for value in key))
                return _with_alpha(image, _any_differs((*image.split(), *low.split()), levels))
        levels = tuple(value * 255 // (2**depth - 1) for value in key)
        image = image.convert("L") if image.mode == "1" else image
        return _with_alpha(image, _any_differs(image.split(), levels))


def open_png(file: BinaryIO) -> Png:
    """Read the header. Raises what Pillow raises."""
    chunks = _Chunks()
    for name, start, length in _chunks(file):
        _sort(file, chunks, name, start, length)

    def again(checked: bool) -> Any:
        data = chunks.moved or chunks.data
        data = data if checked else _without_checksum(file, data)
        parts = [SIGNATURE, *_for_frame(chunks), *data, _chunk(b"IEND", b"")]
        return Image.open(spliced(file, parts), formats=("PNG",))

    return Png(again(True), chunks, again)


def _sort(file: BinaryIO, chunks: _Chunks, name: bytes, start: int, length: int) -> None:
    """Keep what matters of one chunk."""
    if name in _FACTS and length <= _LONGEST_FACT and name not in chunks.facts and not _is_misplaced(name, chunks):
        file.seek(start)
        data, check = file.read(length), file.read(4)
        if int.from_bytes(check, "big") == zlib.crc32(name + data):  # a damaged one is left aside, as in browsers
            chunks.facts[name] = data
    if name == b"IHDR" and not chunks.data:
        chunks.head.append((start - 8, start + length + 4))
    elif name == b"PLTE" and not chunks.data:
        file.seek(start)
        chunks.palette = True
        colours = file.read(min(length, _LONGEST_PALETTE))
        chunks.head.append(_chunk(name, (colours + colours[-3:] * 256)[:_LONGEST_PALETTE]))
    elif name == b"IDAT":
        chunks.data.append(_whole(file, start, length))
    elif name == b"fcTL":  # before the data it makes the default image the first frame; a second one ends the first
        chunks.frame_complete |= not chunks.data or bool(chunks.moved)
    elif name == b"fdAT" and not chunks.frame_complete and {b"acTL", b"fcTL"} <= chunks.facts.keys():
        file.seek(start + 4)
        chunks.moved.append(_chunk(b"IDAT", file.read(max(0, length - 4))))


def _is_misplaced(name: bytes, chunks: _Chunks) -> bool:
    """Tell whether a chunk does not count where it stands, as in browsers."""
    if name == b"tRNS" and chunks.facts.get(b"IHDR", b"")[9:10] == _PALETTE and not chunks.palette:
        return True
    return name != b"fcTL" and (bool(chunks.data) or (name == b"cICP" and chunks.palette))


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and length of each chunk; the last one may be longer than the file."""
    at = len(SIGNATURE)
    while True:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], at + 8, length
        at += 12 + length


def _whole(file: BinaryIO, start: int, length: int) -> Part:
    """Return a chunk of the picture's data; one that the file's end cuts is given as what is left of it."""
    size = file.seek(0, 2)
    if start + length + 4 <= size:
        return start - 8, start + length + 4
    file.seek(start)
    return _chunk(b"IDAT", file.read(length))


def _without_checksum(file: BinaryIO, data: list[Part]) -> list[Part]:
    """Return the picture's data without the last bytes of its last chunk, which are the checksum of its numbers."""
    with spliced(file, data[-1:]) as last:
        return [*data[:-1], _chunk(b"IDAT", last.read()[8 : -4 - _CHECKSUM])]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _frame(chunks: _Chunks) -> tuple[int, int] | None:
    """Return where the first frame lies on the canvas, if it is not the default image."""
    if not chunks.moved:
        return None
    x, y = struct.unpack(">II", chunks.facts[b"fcTL"][12:20])
    return x, y


def _for_frame(chunks: _Chunks) -> list[Part]:
    """Return the chunks before the data; with the frame's own size where that is not the default image's.

    Pillow gets a palette's transparency alone: it refuses a transparent colour that is none.
    """
    header, head = chunks.facts.get(b"IHDR", b""), list(chunks.head)
    if chunks.moved:
        head[0] = _chunk(b"IHDR", chunks.facts[b"fcTL"][4:12] + header[8:])
    if header[9:10] == _PALETTE and b"tRNS" in chunks.facts:
        head.append(_chunk(b"tRNS", chunks.facts[b"tRNS"]))
    return head


def _profile(chunk: bytes) -> bytes | None:
    name, _, rest = chunk.partition(b"\0")
    if not 1 <= len(name) <= _LONGEST_NAME:
        return None
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(rest[1:], _LONGEST_PROFILE)
    except zlib.error:
        return None
    return profile if inflater.eof else None


def _high_bytes(image: Image.Image) -> Image.Image:
    return image.convert("I").point([value >> 8 for value in range(65536)], "L")


def _differs(band: Image.Image, level: int, levels: int) -> Image.Image:
    table = [255] * levels
    table[level : level + 1] = [0] * (level < levels)
    return band.point(table, "L")


def _any_differs(bands: tuple[Image.Image, ...], key: tuple[int, ...]) -> Image.Image:
    """Return 0 where all bands equal the key, 255 elsewhere."""
    result = _differs(bands[0], key[0], 256)
    for band, level in zip(bands[1:], key[1:], strict=False):
        result = ImageChops.lighter(result, _differs(band, level, 256))
    return result


def _with_alpha(image: Image.Image, alpha: Image.Image) -> Image.Image:
    image.putalpha(alpha)
    return image
