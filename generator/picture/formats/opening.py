"""Any stranger's file to a Picture, or the reason why it is none.

Tested in tests/generator/picture/test_image.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from PIL import UnidentifiedImageError

from generator.errors import PictureError, PictureReason
from generator.picture.formats.bmp import open_bmp
from generator.picture.formats.gif import open_gif
from generator.picture.formats.isobmff import AVIF_BRANDS, EITHER, HEIF_BRANDS, open_avif, open_heif
from generator.picture.formats.jpeg import open_jpeg
from generator.picture.formats.picture import Picture
from generator.picture.formats.png import SIGNATURE, open_png
from generator.picture.formats.tiff import open_tiff
from generator.picture.formats.webp import open_webp

_OTHERS = (
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
)

_LONGEST_HEAD = 128
"""bytes that tell a file's format"""


def open_picture(file: BinaryIO) -> Picture:
    """Read a file's header by the one loader that its first bytes name. Raises PictureError, or what Pillow raises.

    None of the loaders starts another program, as Pillow's for EPS would.
    """
    head = file.read(_LONGEST_HEAD)
    opened = _opener(head)
    file.seek(0)
    if opened is None:
        raise _no_picture(head)
    try:
        return opened(file)
    except UnidentifiedImageError:
        text = "the file begins like a picture but cannot be opened"
        raise PictureError(PictureReason.CORRUPT, text) from None


def _opener(head: bytes) -> Callable[[BinaryIO], Picture] | None:
    if head[4:8] == b"ftyp":
        end = min(len(head), int.from_bytes(head[:4], "big"))
        brands = [head[at : at + 4] for at in (8, *range(16, end, 4))]  # the file's own one, then those it also obeys
        known = sorted((brand for brand in brands if brand in _BRANDS), key=lambda brand: brand in EITHER)
        return _BRANDS[known[0]] if known else None
    if head[:4] == b"RIFF":
        return open_webp if head[8:12] == b"WEBP" else None
    for start, opener in (
        (b"\xff\xd8\xff", open_jpeg),
        (SIGNATURE, open_png),
        (b"GIF8", open_gif),
        (b"BM", open_bmp),
        *((magic, open_tiff) for magic in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    ):
        if head.startswith(start):
            return opener
    return None


def _either(file: BinaryIO) -> Picture:
    """Let the decoders say what the file's brand does not."""
    try:
        return open_avif(file)
    except UnidentifiedImageError:
        file.seek(0)
        return open_heif(file)


_BRANDS: dict[bytes, Callable[[BinaryIO], Picture]] = {
    **dict.fromkeys(AVIF_BRANDS, open_avif),
    **dict.fromkeys(HEIF_BRANDS, open_heif),
    **dict.fromkeys(EITHER, _either),
}


def _no_picture(head: bytes) -> PictureError:
    """Return why no loader takes it: another format, or no picture."""
    for offset, magic, name in _OTHERS:
        if head[offset:].startswith(magic):
            return PictureError(PictureReason.UNSUPPORTED_FORMAT, f"{name} is not accepted", format=name)
    return PictureError(PictureReason.NOT_A_PICTURE, "no accepted format recognises the file")
