"""JPEG: what stands before the picture is sorted, and a file that ends too early is read if no row is missing.

Pillow fails at application data that other readers skip, and refuses every file without its end marker.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import Image, ImageChops, ImageFile, ImageStat

from generator.errors import PictureError, PictureReason
from generator.picture.formats.exif import orientation
from generator.picture.formats.picture import Picture
from generator.picture.formats.splice import Part, spliced
from generator.picture.limits import Cost
from generator.variants import Size

_APP0, _EXIF, _ICC, _ADOBE, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEE, 0xFE
_SCAN, _END = 0xDA, 0xD9
_BETWEEN_SCANS = {0xC4, _SCAN, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), _COMMENT}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xCA}
_BASELINE_OR_PROGRESSIVE = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}
_NOISE = b"\xaa\xf7\xfb\xef\xdf\xbe\x5c\x93"
_RESTARTS = b"".join(bytes([0xFF, 0xD0 + i]) + bytes([kind]) * 64 for i, kind in enumerate(_NOISE))
"""for pictures whose decoder begins anew at restarts: of several kinds of noise, one is seen"""
_ENDS = (b"\xff\xd9", b"\0" + b"\xaa" * 4096 + 2 * _RESTARTS + b"\xff\xd9")
"""two ways to go on where the data ends: a picture that is whole looks the same with both"""
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""the end of a scan's data"""
_SAME = 16
"""levels by which the two may differ: what a cut last pass of a progressive file changes"""
_END_PART = 16
"""of the last row, what is looked at for rows that a file with its end marker lacks"""
_DRAFT = 8
"""a JPEG can be decoded this much smaller on each side, at a fraction of the time and memory"""


@dataclass(slots=True)
class _Head:
    """What stands before the first scan."""

    parts: list[Part] = field(default_factory=lambda: [b"\xff\xd8"])
    """what Pillow shall see"""
    exif: bytes | None = None
    frame: int = 0
    """the marker that tells the kind of coding"""
    bits: int = 8
    components: int = 0
    density: float = 1.0
    """numbers a pixel: colour is often stored for each second pixel alone"""
    passes: bool = False
    """whether the decoder must hold all numbers, because no single scan has the whole picture"""


class Jpeg(Picture):
    """A JPEG, or the first one of several in a file."""

    def __init__(self, image: Image.Image, file: BinaryIO, head: _Head) -> None:
        super().__init__(image)
        self._file, self._head, self._size = file, head, image.size
        self._shrunk = False

    @property
    def size(self) -> Size:
        """Width and height, however small the decoder makes it."""
        return self._size

    @property
    def orientation(self) -> int:
        """The orientation; Pillow does not see the Exif data."""
        return orientation(self._head.exif)

    @property
    def progressive(self) -> bool:
        """Whether the first scan has the whole picture, and the others make it finer."""
        return self._head.frame in _PROGRESSIVE

    @property
    def kind(self) -> str:
        """What a person would call it."""
        return "progressive JPEG" if self._head.passes else "JPEG"

    @property
    def cost(self) -> Cost:
        """What decoding takes at least: before `shrink`, with the most that this could do."""
        stored, (width, height) = self._size[0] * self._size[1], self.image.size
        decoded = width * height if self._shrunk else stored // _DRAFT**2
        held = 4 * decoded + int(2 * self._head.density * stored) if self._head.passes else 0
        return Cost(stored=stored, decoded=decoded, bytes=held)

    def shrink(self, factor: int) -> int:
        """Let the decoder do up to eighths, without a picture smaller than was asked for."""
        width, height = self.image.size
        self._shrunk = True
        steps = max(step for step in (1, 2, 4, 8) if step <= max(1, min(factor, _DRAFT)))
        self.image.draft(None, (width // steps, height // steps))
        return max(1, factor // max(1, round(width / self.image.width)))

    def load(self) -> Image.Image:
        """Decode it. Raises PictureError where rows are missing."""
        complete = True
        try:
            self.image.load()
        except OSError:
            complete = False
        if complete and not _ends_evenly(self.image):
            return self.image
        *before, (first, _) = self._head.parts
        end, components = _scans(self._file, int(first))
        parts: list[Part] = [*before, (int(first), end)]
        if not self._is_whole(parts) or (components < self._head.components and not complete):
            raise PictureError(PictureReason.CORRUPT, "the file ends before the picture does", what="cut-short")
        scale = max(1, round(self._size[0] / self.image.width))
        return self.image if complete else self._decoded([*parts, _ENDS[0]], scale, None, 0)

    def _is_whole(self, parts: list[Part]) -> bool:
        """Tell whether the data of a picture is all there, whatever follows it."""
        mode = "L" if self.progressive else None  # its first pass has the whole picture; a later one may be cut
        first, second = (
            self._decoded([*parts, tail], _DRAFT, mode, background)
            for tail, background in zip(_ENDS, (0, 255), strict=True)
        )
        return max(high for _, high in ImageStat.Stat(ImageChops.difference(first, second)).extrema) <= _SAME

    def _decoded(self, parts: list[Part], scale: int, mode: str | None, background: int) -> Image.Image:
        """Decode other parts of the file; where the decoder gives up, the background stays."""
        with Image.open(spliced(self._file, parts), formats=("JPEG",)) as image, _cut_files_allowed():
            image.draft(mode, (max(1, image.width // scale), max(1, image.height // scale)))
            image.im = Image.new(image.mode, image.size, (background,) * len(image.getbands())).im
            image.load()
            return image.copy()


def open_jpeg(file: BinaryIO) -> Jpeg:
    """Read the header. Raises PictureError for a kind of JPEG that Pillow cannot decode, else what Pillow raises."""
    head = _head(file)
    if head.frame and (head.frame not in _BASELINE_OR_PROGRESSIVE or head.bits != 8):
        raise PictureError(PictureReason.UNSUPPORTED_FORMAT, f"JPEG of {head.bits} bits, kind {head.frame:#x}")
    return Jpeg(Image.open(spliced(file, head.parts), formats=("JPEG",)), file, head)


def _head(file: BinaryIO) -> _Head:
    """Read up to the first scan. Anything odd ends the reading: from there on the file stays as it is."""
    head, profile, end = _Head(), list[Part](), file.seek(0, io.SEEK_END)
    at = 2
    for marker, start, stop in _segments(file, 2, end):
        file.seek(start + 4)
        at = stop
        body = file.read(min(stop - start - 4, 65533))
        if marker == _SCAN:
            at, head.passes = start, head.frame in _PROGRESSIVE or body[:1] != bytes([head.components])
            break
        if marker == _EXIF and body.startswith(b"Exif\0"):
            head.exif = head.exif or body[6:]  # after a byte that may be anything
        if marker in _FRAMES and len(body) >= 6:
            head.frame, head.bits, head.components = marker, body[0], body[5]
            head.density = _density(body[6:])
        if marker == _ICC and _is_wanted(marker, body):
            profile.append((start, stop))
        elif _is_wanted(marker, body):
            head.parts.append((start, stop))
    head.parts[1:] = [*profile, *head.parts[1:], (at, end)]  # Pillow leaves a profile aside that follows the frame
    return head


def _ends_evenly(image: Image.Image) -> bool:
    """Tell whether the end of the last row is of one colour, as the decoder fills in what is missing."""
    width, height = image.size
    end = image.crop((width - max(1, width // _END_PART), height - 1, width, height))
    return all(low == high for low, high in ImageStat.Stat(end).extrema)


def _density(components: bytes) -> float:
    """Return numbers a pixel, from each component's sampling factors."""
    areas = [(factors >> 4) * (factors & 15) for factors in components[1::3]]
    most = max(areas, default=0)
    return sum(areas) / most if most else 1.0


def _is_wanted(marker: int, body: bytes) -> bool:
    """Tell whether the decoder needs a segment: tables, the frame, and what says how its colours are meant."""
    if marker == _APP0:
        return body.startswith(b"JFIF\0") and len(body) >= 14
    if marker == _ICC:
        return body.startswith(b"ICC_PROFILE\0") and len(body) > 14
    if marker == _ADOBE:
        return body.startswith(b"Adobe") and len(body) >= 12
    return not (_APP0 <= marker <= 0xEF or marker == _COMMENT)


def _segments(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment, until something is no segment."""
    while at + 4 <= end:
        file.seek(at)
        mark, marker, high, low = file.read(4)
        if mark != 0xFF:
            return
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        stop = at + 2 + 256 * high + low
        if marker in (0x00, _END) or 256 * high + low < 2 or stop > end:
            return
        yield marker, at, stop
        at = stop


def _scans(file: BinaryIO, first: int) -> tuple[int, int]:
    """Return where the scans' data ends, and how many components have a scan of their coarsest values."""
    file.seek(first)
    data, seen, at = file.read(), set[int](), 0
    while match := _MARKER.search(data, at):
        at, marker = match.start(), data[match.start() + 1]
        body = data[at + 4 : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        if marker not in _BETWEEN_SCANS or not body:
            return first + at, len(seen)
        if marker == _SCAN and len(body) == 2 * body[0] + 4 and body[-3] == 0:
            seen |= set(body[1:-3:2])
        at += 4 + len(body)
    return first + len(data), len(seen)


@contextlib.contextmanager
def _cut_files_allowed() -> Iterator[None]:
    before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before
