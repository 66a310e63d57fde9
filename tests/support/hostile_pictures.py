"""Pictures made to do harm: what real encoders write, mutated, and bombs built by hand. The same for the same seed."""

from __future__ import annotations

import functools
import io
import random
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pillow_heif
from PIL import Image

from tests.support.scenes import blobs

_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_LARGE = (0xFFFF, 0x7FFF, 20_000, 16_383, 0x7FFFFFFF, 0xFFFFFFFF, 0x10000)


def hostile_pictures(count: int, seed: int) -> Iterator[bytes]:
    """Yield `count` files: one in a hundred is a bomb, the others are mutations of about fifty well-formed files."""
    pillow_heif.register_heif_opener()
    rng = random.Random(seed)
    sources, built = well_formed(), bombs()
    for _ in range(count):
        yield rng.choice(built) if rng.random() < 0.01 else mutated(rng, sources)


def well_formed() -> list[bytes]:
    """Build small files of every format, in many of its variants."""
    rgb = blobs(97, 61)
    noisy = Image.effect_noise((64, 48), 60).convert("RGB")
    frames = [blobs(40 + i, 30).resize((40, 30)) for i in range(4)]
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    deep = Image.fromarray(np.linspace(0, 65535, 61 * 97).astype(np.uint16).reshape(61, 97))
    alpha = rgb.convert("RGBA")
    alpha.putalpha(Image.linear_gradient("L").resize(rgb.size))
    moving = {"save_all": True, "append_images": frames[1:], "duration": 50, "loop": 0}
    jobs: list[tuple[Image.Image, str, dict[str, Any]]] = [
        *((image, "JPEG", {}) for image in (rgb, noisy, rgb.convert("L"), rgb.convert("CMYK"))),
        (rgb, "JPEG", {"progressive": True, "exif": exif}),
        (rgb, "JPEG", {"subsampling": 0, "restart_marker_blocks": 2, "optimize": True}),
        *((image, "PNG", {}) for image in (rgb, alpha, deep, rgb.quantize(16), rgb.convert("1"), alpha.convert("LA"))),
        (rgb, "PNG", {"exif": exif, "icc_profile": b"\0" * 300}),
        (frames[0], "PNG", moving),
        *((image, "WEBP", {"lossless": lossless}) for image in (rgb, alpha) for lossless in (True, False)),
        (frames[0], "WEBP", moving),
        (frames[0].convert("RGBA"), "WEBP", {**moving, "lossless": True, "exif": exif}),
        *((image, "GIF", {}) for image in (rgb, rgb.convert("1"), noisy)),
        (frames[0], "GIF", {**moving, "disposal": 2}),
        (frames[0].quantize(8), "GIF", {**moving, "transparency": 3}),
        *((image, "AVIF", {"speed": 10}) for image in (rgb, alpha)),
        (rgb, "AVIF", {"speed": 10, "exif": exif, "subsampling": "4:4:4"}),
        (frames[0], "AVIF", {**moving, "speed": 10}),
        *((image, "HEIF", {}) for image in (rgb, alpha, noisy)),
        (rgb, "HEIF", {"exif": exif.tobytes(), "quality": -1, "chroma": 444}),
        *((image, "BMP", {}) for image in (rgb, alpha, rgb.quantize(4), rgb.convert("1"))),
        *((image, "TIFF", {}) for image in (rgb, alpha, deep)),
        *((rgb.convert(mode), "TIFF", {}) for mode in ("CMYK", "YCbCr", "F")),
        *((rgb, "TIFF", {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits", "zstd")),
        (rgb.convert("1"), "TIFF", {"compression": "group4"}),
        (frames[0], "TIFF", {"save_all": True, "append_images": frames[1:]}),
        (rgb, "TIFF", {"exif": exif, "big_tiff": True}),
    ]  # fmt: skip
    return [_saved(image, format, options) for image, format, options in jobs]


def _saved(image: Image.Image, format: str, options: dict[str, Any]) -> bytes:
    data = io.BytesIO()
    image.save(data, format, **options)
    return data.getvalue()


def mutated(rng: random.Random, sources: list[bytes]) -> bytes:
    """Return one of the sources with a few mistakes in it."""
    data = bytearray(rng.choice(sources))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        if not data:
            break
        rng.choice((_cut, _flip, _flip, _poke, _poke, _lie, _lie, _repeat, _drop, _splice, _nest))(rng, data, sources)
    return bytes(data)


def _at(rng: random.Random, data: bytearray) -> int:
    """Return an offset, in half of the cases in the header, where wrong values matter most."""
    return rng.randrange(min(len(data), 200) if rng.random() < 0.5 else len(data))


def _cut(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    del data[_at(rng, data) :]


def _flip(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    for _ in range(rng.randrange(1, 30)):
        data[_at(rng, data)] ^= 1 << rng.randrange(8)


def _poke(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    for _ in range(rng.randrange(1, 6)):
        data[_at(rng, data)] = rng.choice(_INTERESTING)


def _lie(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    """Put a large number where a size, a length or an offset may stand."""
    width, order = rng.choice((2, 4)), rng.choice((">", "<"))
    value = rng.choice(_LARGE) & (2 ** (8 * width) - 1)
    at = _at(rng, data)
    data[at : at + width] = struct.pack(order + ("H" if width == 2 else "I"), value)


def _repeat(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    start = _at(rng, data)
    piece = data[start : start + rng.randrange(1, 400)]
    data[start:start] = piece * rng.choice((1, 2, 50))


def _drop(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    start = _at(rng, data)
    del data[start : start + rng.randrange(1, 200)]


def _splice(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    data[_at(rng, data) :] = rng.choice(sources)[rng.randrange(100) :]


def _nest(rng: random.Random, data: bytearray, sources: list[bytes]) -> None:
    at = _at(rng, data)
    data[at:at] = rng.choice(sources)


@functools.cache
def bombs() -> list[bytes]:
    """Build small files that are large, slow or endless when they are opened."""
    black, zeros = Image.new("L", (8_000, 6_000)), zlib.compress(b"\0" * 60_000_000)
    return [
        _png(30_000, 30_000, 1),
        _png(10_000, 9_900, 8),
        _png(90, 60, 8, (b"zTXt", b"a\0\0" + zeros)),
        _png(90, 60, 8, (b"iCCP", b"a\0\0" + zeros)),
        _png(90, 60, 8, (b"tEXt", b"a\0" + b"b" * 500_000)),
        _saved(black, "JPEG", {"quality": 5, "progressive": True}),
        many_scans(_saved(Image.new("L", (4000, 4000)), "JPEG", {"quality": 5, "progressive": True}), 400),
        _saved(black, "GIF", {}),
        _nested_gif(4_000),
        _saved(Image.new("1", (20_000, 5_000)), "TIFF", {"compression": "group4"}),
        _saved(black, "TIFF", {"compression": "tiff_deflate"}),
        _looping_tiff(),
        _saved(Image.new("RGB", (12_000, 5_000)), "WEBP", {"lossless": True, "method": 0}),
        _saved(Image.new("RGB", (5_000, 5_000)), "AVIF", {"speed": 10, "quality": 1}),
    ]


def slow_png() -> bytes:
    """Build an acceptable picture of 25 million pixels, a few kilobytes that take some tenths of a second."""
    return _png(5_000, 5_000, 8)


def _png(width: int, height: int, depth: int, *chunks: tuple[bytes, bytes]) -> bytes:
    squeezed, row = zlib.compressobj(9), b"\0" * (1 + width * depth // 8)
    pixels = b"".join(squeezed.compress(row * 100) for _ in range(height // 100 + 1)) + squeezed.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def many_scans(jpeg: bytes, times: int) -> bytes:
    """Have the last scan of a JPEG `times` times: each one walks over the whole picture again."""
    start, end = jpeg.rfind(b"\xff\xda"), jpeg.rfind(b"\xff\xd9")
    return jpeg[:start] + jpeg[start:end] * times + jpeg[end:]


def _nested_gif(frames: int) -> bytes:
    """Build thousands of frames that are larger than their canvas."""
    gif = _saved(Image.new("P", (8, 8)), "GIF", {})
    start = gif.index(b",")
    frame = bytearray(gif[start:-1])
    frame[5:9] = struct.pack("<HH", 60_000, 60_000)
    return gif[:start] + bytes(frame) * frames + b";"


def _looping_tiff() -> bytes:
    tiff = bytearray(_saved(Image.new("L", (8, 8)), "TIFF", {}))
    first = struct.unpack("<I", tiff[4:8])[0]
    entries = struct.unpack("<H", tiff[first : first + 2])[0]
    tiff[first + 2 + 12 * entries : first + 6 + 12 * entries] = struct.pack("<I", first)
    return bytes(tiff)
