"""Picture files of every kind that encoders write, built from their parts: chunks, segments, headers, frames."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from generator.picture.colour_space import REC2020, SRGB_TRANSFER, ColourSpace, matrix_profile

Array = np.ndarray[Any, np.dtype[Any]]
Chunk = tuple[bytes, bytes]
PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""colour type -> samples a pixel"""


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return what Pillow writes."""
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def samples(height: int, width: int, channels: int, *, depth: int = 8, seed: int = 0) -> Array:
    """Return soft blobs of numbers, 0 to 2 ** depth - 1."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 6), np.uint8))
    bands = [
        np.asarray(small.rotate(180 * (i % 2)).resize((width, height), Image.Resampling.BICUBIC)) / 255 * (1 - i / 9)
        for i in range(channels)
    ]
    result: Array = np.round(np.stack(bands, 2) * (2**depth - 1)).astype(int)
    return result


def tiff(values: Array, **options: Any) -> bytes:
    """Return what tifffile writes."""
    data = io.BytesIO()
    tifffile.imwrite(data, values, **options)
    return data.getvalue()


# -- PNG


def png_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_rows(values: Array, depth: int) -> bytes:
    """Return the compressed rows of height x width x channels numbers."""
    rows = b""
    for row in values.reshape(len(values), -1):
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        elif depth == 8:
            packed = row.astype("u1").tobytes()
        else:
            bits = np.unpackbits(row.astype("u1")[:, None], axis=1)[:, 8 - depth :]
            packed = np.packbits(bits.reshape(-1)).tobytes()
        rows += b"\0" + packed
    return zlib.compress(rows)


def png(values: Array, colour_type: int, depth: int, *before: Chunk, after: Sequence[Chunk] = ()) -> bytes:
    """Return a PNG of numbers, with chunks before and after its data."""
    chunks = [*before, (b"IDAT", png_rows(values, depth)), *after]
    return png_of(values.shape[1], values.shape[0], colour_type, depth, *chunks)


def png_of(width: int, height: int, colour_type: int, depth: int, *chunks: Chunk) -> bytes:
    """Return a PNG of just these chunks after its header."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in [(b"IHDR", header), *chunks, (b"IEND", b"")])


def frame_control(number: int, box: tuple[int, int, int, int]) -> Chunk:
    """Return an APNG's fcTL; the box is left, top, width, height."""
    left, top, width, height = box
    return b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, 0, 0)


def cicp(primaries: int, transfer: int) -> Chunk:
    """Return a PNG's chunk with the colour codes of H.273."""
    return b"cICP", bytes([primaries, transfer, 0, 1])


def gamma(value: float) -> Chunk:
    """Return a PNG's gAMA."""
    return b"gAMA", struct.pack(">I", round(value * 100_000))


# -- Exif


@dataclass(frozen=True)
class ExifOrientation:
    """An orientation as a file may have it: the tag's value, type, number of values, and the byte order."""

    value: int = 1
    kind: int = 3
    count: int = 1
    order: str = ">"

    def exif(self) -> bytes:
        """Return Exif data, without the prefix that JPEG needs."""
        short = self.kind == 3
        values = struct.pack(
            self.order + ("HH" if short else "I"), *((self.value, self.value) if short else (self.value,))
        )
        entry = struct.pack(self.order + "HHHI", 1, 0x0112, self.kind, self.count)
        magic = b"MM\0*" if self.order == ">" else b"II*\0"
        return magic + struct.pack(self.order + "I", 8) + entry + values + bytes(4)


XMP_TURNED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
"""XMP that says what only Exif may say"""


# -- JPEG


def segment(marker: int, body: bytes) -> bytes:
    """Return one of a JPEG's segments."""
    return bytes([255, marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return a JPEG of Pillow's with these segments in the place of its JFIF."""
    return jpeg[:2] + b"".join(segments) + jpeg[20:]


# -- GIF


def gif(
    canvas: tuple[int, int], box: tuple[int, int, int, int], *, transparent: int | None = None, frames: int = 1
) -> bytes:
    """Return a GIF whose frames cover the box (left, top, width, height) of its canvas."""
    image = Image.fromarray(samples(box[3], box[2], 3).astype(np.uint8)).quantize(16)
    data = saved(image, "GIF")
    start = data.index(b",", 13 + 3 * 16)
    frame = b"," + struct.pack("<HHHH", *box) + data[start + 9 : -1]
    control = b"!\xf9\x04" + bytes([4 + (transparent is not None), 10, 0, transparent or 0, 0])
    screen = struct.pack("<HHBBB", *canvas, 0xF3, 7, 0)
    return b"GIF89a" + screen + data[13 : 13 + 48] + (control + frame) * frames + b";"


# -- WebP


def webp_chunk(name: bytes, data: bytes) -> bytes:
    """Return one chunk."""
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)


def moving_webp(canvas: tuple[int, int], box: tuple[int, int, int, int], *, alpha: bool = False) -> bytes:
    """Return an animation of one lossless frame that covers the box (left, top, width, height) of its canvas."""
    three = [value.to_bytes(3, "little") for value in (canvas[0] - 1, canvas[1] - 1)]
    where = [box[0] // 2, box[1] // 2, box[2] - 1, box[3] - 1, 100]
    picture = Image.fromarray(samples(box[3], box[2], 3).astype(np.uint8))
    still = saved(picture, "WEBP", lossless=True)
    frame = b"".join(value.to_bytes(3, "little") for value in where) + b"\0" + still[12:]
    head = webp_chunk(b"VP8X", bytes([0x12 if alpha else 2, 0, 0, 0]) + b"".join(three))
    body = b"WEBP" + head + webp_chunk(b"ANIM", b"\0\0\xff\xff\0\0") + webp_chunk(b"ANMF", frame)
    return b"RIFF" + struct.pack("<I", len(body)) + body


# -- BMP


@dataclass(frozen=True, kw_only=True)
class BmpKind:
    """How a BMP's pixels lie in 16 or 32 bits, and how long its header is."""

    bits: int = 32
    masks: tuple[int, int, int, int] = (0xFF0000, 0xFF00, 0xFF, 0)
    header: int = 124
    compression: int = 3
    top_first: bool = False
    profile: bytes = b""


def bmp(pixels: Array, kind: BmpKind) -> bytes:
    """Return a BMP of height x width x 4 numbers of 8 bits."""
    height, width = pixels.shape[:2]
    values = np.zeros((height, width), np.uint64)
    for channel, mask in enumerate(kind.masks):
        if mask:
            shift = (mask & -mask).bit_length() - 1
            values |= (np.round(pixels[..., channel] / 255 * (mask >> shift)).astype(np.uint64)) << np.uint64(shift)
    stride = (width * kind.bits + 31) // 32 * 4
    ordered = values if kind.top_first else values[::-1]
    rows = b"".join(row.astype(f"<u{kind.bits // 8}").tobytes().ljust(stride, b"\0") for row in ordered)
    signed_height = -height if kind.top_first else height
    head = struct.pack("<IiiHHI", kind.header, width, signed_height, 1, kind.bits, kind.compression)
    head += struct.pack("<IiiII", len(rows), 2835, 2835, 0, 0)
    masks = struct.pack("<4I", *kind.masks)
    space = b"DEBM" if kind.profile else b"BGRs"
    rest = {40: masks[:12] if kind.compression == 3 else b"", 52: masks[:12], 56: masks}.get(kind.header)
    if rest is None:
        rest = masks + space + bytes(48)
        if kind.header == 124:
            rest += struct.pack("<4I", 4, kind.header + len(rows), len(kind.profile), 0)
    start = 14 + len(head) + len(rest)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + rest + rows + kind.profile


# -- ICC


def hdr_profile(transfer: int) -> bytes:
    """Return an ICC profile of version 4.4 whose `cicp` tag says BT.2020 with PQ (16) or HLG (18)."""
    plain = matrix_profile(ColourSpace(REC2020, SRGB_TRANSFER))
    count = int.from_bytes(plain[128:132], "big")
    rows, data = plain[132 : 132 + 12 * count], plain[132 + 12 * count :]
    shifted = b""
    for at in range(0, len(rows), 12):
        shifted += rows[at : at + 4] + struct.pack(">I", int.from_bytes(rows[at + 4 : at + 8], "big") + 12)
        shifted += rows[at + 8 : at + 12]
    shifted += struct.pack(">4sII", b"cicp", len(plain) + 12, 12)
    body = plain[8:128].replace(b"\x02\x40\0\0", b"\x04\x40\0\0", 1) + struct.pack(">I", count + 1) + shifted + data
    body += b"cicp\0\0\0\0" + bytes([9, transfer, 0, 1])
    return struct.pack(">I", len(body) + 8) + plain[4:8] + body
