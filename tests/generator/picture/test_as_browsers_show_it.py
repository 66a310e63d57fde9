"""Pictures of every format, mode, orientation and metadata come out as Chromium shows them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from generator.errors import PictureError
from generator.picture.image import allow_formats
from generator.picture.limits import PictureLimits
from tests.generator.picture.formats.test_isobmff import with_codes
from tests.generator.picture.test_image import wide_gamut
from tests.support.picture_files import (
    PNG_CHANNELS,
    XMP_TURNED,
    BmpKind,
    Chunk,
    ExifOrientation,
    bmp,
    cicp,
    frame_control,
    gamma,
    gif,
    hdr_profile,
    moving_webp,
    png,
    png_of,
    png_rows,
    samples,
    saved,
    segment,
    with_segments,
)
from tests.support.picture_readers import BrowserReader, browser_reader, difference, read_by_us

pytestmark = pytest.mark.browser

WIDTH, HEIGHT = 22, 14
property_test = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
orientations = st.builds(
    ExifOrientation,
    value=st.sampled_from([*range(10), 65535]),
    kind=st.sampled_from([3, 3, 3, 4]),
    count=st.sampled_from([1, 1, 1, 2]),
    order=st.sampled_from("<>"),
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[BrowserReader]:
    allow_formats(max_pixels=PictureLimits().max_pixels)
    with browser_reader() as reader:
        yield reader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def assert_as_shown(chromium: BrowserReader, path: Path, data: bytes, mime: str, *, most: float = 12) -> None:
    """The very same size; no pixel far from Chromium's, and the picture as a whole near it."""
    path.write_bytes(data)
    shown, ours = chromium.shown(data, mime), read_by_us(path)
    assert shown is not None, "a test of what nobody shows tests nothing"
    assert not isinstance(ours, PictureError), ours
    assert ours.shape[:2] == shown.shape[:2]
    levels = difference(ours, shown)
    assert np.percentile(levels, 99) <= most
    assert levels.mean() <= most / 4


# -- PNG

MODES = [
    (0, 1),
    (0, 2),
    (0, 4),
    (0, 8),
    (0, 16),
    (2, 8),
    (2, 16),
    (3, 1),
    (3, 4),
    (3, 8),
    (4, 8),
    (4, 16),
    (6, 8),
    (6, 16),
]
P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
COLOURS: list[tuple[Chunk, ...]] = [
    (),
    *((cicp(primaries, transfer),) for primaries in (1, 2, 9, 12) for transfer in (1, 4, 8, 13, 16, 17, 18)),
    *((gamma(value),) for value in (1.0, 0.55, 0.45455, 2.0, 0.0)),
    (gamma(0.45455), (b"cHRM", P3)),
    (gamma(1.0), (b"cHRM", bytes(32))),
    (gamma(1.0), (b"sRGB", b"\0")),
    (cicp(9, 16), gamma(1.0)),
]
TEXTS: list[tuple[Chunk, ...]] = [
    (),
    ((b"tEXt", b"a\0" + b"b" * 1_500_000),),
    ((b"zTXt", b"a\0\0" + zlib.compress(b"c" * 3_000_000)),),
    ((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP_TURNED),),
]


@property_test
@given(
    st.sampled_from(MODES), st.sampled_from(COLOURS), st.sampled_from(TEXTS), st.booleans(), orientations,
    st.integers(0, 99),
)  # fmt: skip
def test_png(
    chromium: BrowserReader, path: Path, mode: tuple[int, int], colour: tuple[Chunk, ...], text: tuple[Chunk, ...],
    keyed: bool, turned: ExifOrientation, seed: int,
) -> None:  # fmt: skip
    colour_type, depth = mode
    values = samples(HEIGHT, WIDTH, PNG_CHANNELS[colour_type], depth=depth, seed=seed)
    chunks = [*colour, *text, (b"eXIf", turned.exif())]
    rng = np.random.default_rng(seed)
    if colour_type == 3:
        chunks.append((b"PLTE", rng.integers(0, 256, (2**depth, 3), np.uint8).tobytes()))
    if keyed and colour_type == 3:
        chunks.append((b"tRNS", rng.integers(0, 256, 2**depth - 1, np.uint8).tobytes()))
    elif keyed and colour_type in (0, 2):
        chunks.append((b"tRNS", values[3, 5].astype(">u2").tobytes()))
    assert_as_shown(chromium, path, png(values, colour_type, depth, *chunks), "image/png")


@property_test
@given(st.booleans(), st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1), st.booleans(), st.integers(0, 99))
def test_the_first_frame_of_an_apng(
    chromium: BrowserReader, path: Path, default_is_first: bool, left: int, top: int, split: bool, seed: int
) -> None:
    default, first, second = (samples(HEIGHT, WIDTH, 3, seed=seed + i) for i in range(3))
    whole, small = (0, 0, WIDTH, HEIGHT), (left, top, WIDTH - left, HEIGHT - top)
    chunks: list[Chunk] = [(b"acTL", struct.pack(">II", 2, 0))]
    if default_is_first:
        chunks += [frame_control(0, whole), (b"IDAT", png_rows(default, 8))]
        number = 1
    else:
        rows = png_rows(first[top:, left:], 8)
        parts = [rows[:20], rows[20:]] if split else [rows]
        chunks += [(b"IDAT", png_rows(default, 8)), frame_control(0, small)]
        chunks += [(b"fdAT", struct.pack(">I", i) + part) for i, part in enumerate(parts, 1)]
        number = 1 + len(parts)
    chunks += [frame_control(number, whole), (b"fdAT", struct.pack(">I", number + 1) + png_rows(second, 8))]
    assert_as_shown(chromium, path, png_of(WIDTH, HEIGHT, 2, 8, *chunks), "image/png", most=3)


# -- other formats

SEGMENTS = {
    "short JFIF": segment(0xE0, b"JFIF\0\1"),
    "no JFIF": b"",
    "short Adobe": segment(0xEE, b"Adobe"),
    "cut Photoshop data": segment(0xED, b"Photoshop 3.0\x008BIM"),
    "damaged index of pictures": segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff"),
    "short profile": segment(0xE2, b"ICC_PROFILE\0\1"),
    "XMP that turns": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP_TURNED),
    "a comment": segment(0xFE, b"x" * 60_000),
}


@property_test
@given(
    st.sampled_from(["RGB", "L", "CMYK"]), st.booleans(), st.sampled_from([0, 2]), st.sampled_from(sorted(SEGMENTS)),
    orientations, st.integers(0, 99),
)  # fmt: skip
def test_jpeg(
    chromium: BrowserReader, path: Path, mode: str, progressive: bool, subsampling: int, odd: str,
    turned: ExifOrientation, seed: int,
) -> None:  # fmt: skip
    picture = Image.fromarray(samples(70, 90, 3, seed=seed).astype(np.uint8)).convert(mode)
    options: dict[str, Any] = {} if mode == "L" else {"subsampling": subsampling}
    data = saved(picture, "JPEG", quality=92, progressive=progressive, **options)
    exif = segment(0xE1, b"Exif\0\0" + turned.exif())
    data = data[:2] + SEGMENTS[odd] + exif + data[2 if mode == "CMYK" else 20 :]
    assert_as_shown(chromium, path, data, "image/jpeg")


@property_test
@given(st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99))
def test_webp(chromium: BrowserReader, path: Path, lossless: bool, alpha: bool, moves: bool, seed: int) -> None:
    frames = [Image.fromarray(samples(40, 60, 3 + alpha, seed=seed + i).astype(np.uint8)) for i in range(2)]
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:]} if moves else {}
    data = saved(frames[0], "WEBP", lossless=lossless, quality=95, **more)
    assert_as_shown(chromium, path, data, "image/webp")


@property_test
@given(st.integers(0, 6), st.integers(0, 6), st.integers(6, 18), st.integers(6, 12), st.booleans())
def test_a_webp_whose_first_frame_is_small(
    chromium: BrowserReader, path: Path, left: int, top: int, width: int, height: int, alpha: bool
) -> None:
    data = moving_webp((30, 24), (2 * left, 2 * top, width, height), alpha=alpha)
    assert_as_shown(chromium, path, data, "image/webp", most=3)


@property_test
@given(
    st.integers(0, 12), st.integers(0, 12), st.integers(6, 30), st.integers(6, 30), st.none() | st.integers(0, 9),
    st.integers(1, 2),
)  # fmt: skip
def test_gif(
    chromium: BrowserReader, path: Path, left: int, top: int, width: int, height: int, transparent: int | None,
    frames: int,
) -> None:  # fmt: skip
    data = gif((30, 24), (left, top, width, height), transparent=transparent, frames=frames)
    assert_as_shown(chromium, path, data, "image/gif", most=3)


LAYOUTS = [
    (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
    (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)),
    (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    (16, (0xF800, 0x7E0, 0x1F, 0)),
    (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
    (16, (0xF00, 0xF0, 0xF, 0xF000)),
]


@property_test
@given(st.sampled_from(LAYOUTS), st.sampled_from([40, 52, 56, 108, 124]), st.booleans(), st.integers(1, 9))
def test_bmp(
    chromium: BrowserReader, path: Path, layout: tuple[int, tuple[int, int, int, int]], header: int, top_first: bool,
    width: int,
) -> None:  # fmt: skip
    bits, masks = layout
    kind = BmpKind(bits=bits, masks=masks, header=header, top_first=top_first)
    pixels = samples(9, width, 4)
    pixels[4, 0, 3] = 255  # where nothing at all would be visible, we show the colours
    assert_as_shown(chromium, path, bmp(pixels, kind), "image/bmp", most=4)


@property_test
@given(
    st.sampled_from([1, 2, 9, 12]), st.sampled_from([1, 2, 4, 8, 13, 14, 16, 18]), st.booleans(), st.integers(1, 8),
    st.integers(0, 99),
)  # fmt: skip
def test_avif(
    chromium: BrowserReader, path: Path, primaries: int, transfer: int, profile: bool, orientation: int, seed: int
) -> None:
    picture, exif = Image.fromarray(samples(40, 60, 3, seed=seed).astype(np.uint8)), Image.Exif()
    exif[0x0112] = orientation
    more = {"icc_profile": wide_gamut()[0]} if profile else {}
    data = saved(picture, "AVIF", quality=100, subsampling="4:4:4", speed=10, exif=exif, **more)
    assert_as_shown(chromium, path, with_codes(data, primaries, transfer), "image/avif")


@pytest.mark.parametrize("transfer", [16, 18])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_a_profile_that_says_hdr(chromium: BrowserReader, path: Path, format: str, transfer: int) -> None:
    options: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 98, "subsampling": 0}}
    picture = Image.fromarray(samples(40, 60, 3).astype(np.uint8))
    data = saved(picture, format, icc_profile=hdr_profile(transfer), **options.get(format, {}))
    assert_as_shown(chromium, path, data, f"image/{format.lower()}", most=14)


# -- negative controls: a reader without the care for it would be found out


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (png(samples(HEIGHT, WIDTH, 3, depth=16), 2, 16, chunk), png(samples(HEIGHT, WIDTH, 3, depth=16), 2, 16))
        for chunk in (cicp(9, 16), cicp(9, 18), cicp(12, 13), gamma(1.0))
    ],
)
def test_the_comparison_sees_colour_that_is_left_out(
    chromium: BrowserReader, path: Path, right: bytes, wrong: bytes
) -> None:
    assert_as_shown(chromium, path, right, "image/png")
    shown = chromium.shown(right, "image/png")
    path.write_bytes(wrong)
    ours = read_by_us(path)
    assert shown is not None
    assert not isinstance(ours, PictureError)
    assert np.percentile(difference(ours, shown), 99) > 12


def test_the_comparison_sees_a_turn_that_is_left_out(chromium: BrowserReader, path: Path) -> None:
    jpeg = saved(Image.fromarray(samples(60, 60, 3).astype(np.uint8)), "JPEG", quality=95)
    turned = with_segments(jpeg, segment(0xE1, b"Exif\0\0" + ExifOrientation(3).exif()))
    shown = chromium.shown(turned, "image/jpeg")
    path.write_bytes(jpeg)
    ours = read_by_us(path)
    assert shown is not None
    assert not isinstance(ours, PictureError)
    assert difference(ours, shown).mean() > 12
