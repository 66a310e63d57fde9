"""PNGs: what browsers skip, text without end, the colour that is transparent, APNG's first frame."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator.clip import Framing
from generator.errors import PictureError, PictureReason
from generator.picture.image import allow_formats, frame_picture
from generator.picture.limits import PictureLimits
from tests.generator.picture.test_image import wide_gamut
from tests.support.picture_files import (
    Chunk,
    ExifOrientation,
    cicp,
    frame_control,
    gamma,
    png,
    png_of,
    png_rows,
    samples,
)
from tests.support.picture_readers import read_by_us

VALUES = samples(14, 22, 3)


@pytest.fixture(scope="module", autouse=True)
def _formats() -> None:
    allow_formats(max_pixels=PictureLimits().max_pixels)


def read(tmp_path: Path, data: bytes) -> np.ndarray[Any, Any] | PictureError:
    (path := tmp_path / "p").write_bytes(data)
    return read_by_us(path)


def assert_reads(tmp_path: Path, data: bytes, expected: np.ndarray[Any, Any], most: int = 0) -> None:
    ours = read(tmp_path, data)
    assert not isinstance(ours, PictureError), ours
    assert np.abs(ours.astype(int) - expected).max() <= most


@pytest.mark.parametrize(
    "chunk",
    [
        (b"tEXt", b"a\0" + b"b" * 3_000_000),
        (b"zTXt", b"a\0\0" + zlib.compress(b"c" * 70_000_000)),
        (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(b"d" * 70_000_000)),
        (b"iTXt", b"\xff\xff"),
        (b"iCCP", b"a\0\0not compressed"),
        (b"gAMA", b"\0"),
        (b"cHRM", b"\0" * 31),
        (b"eXIf", b"II*\0"),
        (b"quXx", b"of another program"),
    ],
    ids=lambda chunk: chunk[0].decode(),
)
def test_what_is_beside_the_picture_harms_nothing(tmp_path: Path, chunk: Chunk) -> None:
    assert_reads(tmp_path, png(VALUES, 2, 8, chunk), VALUES)
    assert_reads(tmp_path, png(VALUES, 2, 8, after=[chunk]), VALUES)


def test_an_end_that_is_missing_harms_nothing_and_rows_that_are_do(tmp_path: Path) -> None:
    data = png(VALUES, 2, 8)
    for lost in (1, 12, 14, 16, 18):
        assert_reads(tmp_path, data[:-lost], VALUES)
    assert_reads(tmp_path, data + b"something behind it", VALUES)
    refusal = read(tmp_path, data[: len(data) // 2])
    assert isinstance(refusal, PictureError)
    assert refusal.reason is PictureReason.CORRUPT


def test_a_damaged_chunk_of_colour_is_left_aside(tmp_path: Path) -> None:
    data = bytearray(png(VALUES, 2, 8, gamma(1.0)))
    ours = read(tmp_path, bytes(data))
    assert not isinstance(ours, PictureError)
    assert not np.array_equal(ours, VALUES), "the negative control"
    data[data.index(b"gAMA") + 8] ^= 1  # its checksum
    assert_reads(tmp_path, bytes(data), VALUES)


MEANT_BEFORE: list[Chunk] = [
    cicp(12, 13),
    cicp(9, 16),
    gamma(1.0),
    (b"iCCP", b"a\0\0" + zlib.compress(wide_gamut()[0])),
    (b"eXIf", ExifOrientation(6).exif()),
    (b"tRNS", VALUES[3, 5].astype(">u2").tobytes()),
]


@pytest.mark.parametrize("chunk", MEANT_BEFORE, ids=lambda chunk: chunk[0].decode())
def test_what_stands_behind_the_picture_means_nothing(tmp_path: Path, chunk: Chunk) -> None:
    assert_reads(tmp_path, png(VALUES, 2, 8, after=[chunk]), VALUES)
    ours = read(tmp_path, png(VALUES, 2, 8, chunk))
    assert not isinstance(ours, PictureError)
    assert not np.array_equal(ours, VALUES), "the negative control"


@pytest.mark.parametrize(
    "chunk",
    [
        (b"eXIf", b"Exif\0\0" + ExifOrientation(6).exif()),
        (b"iCCP", b"\0\0" + zlib.compress(wide_gamut()[0])),
        (b"iCCP", b"a" * 80 + b"\0\0" + zlib.compress(wide_gamut()[0])),
        (b"tRNS", b"\0"),
        (b"tRNS", VALUES[3, 5, :2].astype(">u2").tobytes()),
    ],
    ids=["Exif with a prefix", "no name", "a long name", "a byte", "two channels"],
)
def test_a_chunk_that_is_not_as_it_should_be_is_left_aside(tmp_path: Path, chunk: Chunk) -> None:
    assert_reads(tmp_path, png(VALUES, 2, 8, chunk), VALUES)


def test_a_palette_too_short_goes_on_with_its_last_colour(tmp_path: Path) -> None:
    colours, indices = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20, samples(14, 22, 1)
    data = png(indices, 3, 8, (b"PLTE", colours.tobytes()))
    assert_reads(tmp_path, data, colours[np.minimum(indices[..., 0], 3)])


def test_a_palettes_transparency_before_its_colours_is_left_aside(tmp_path: Path) -> None:
    palette, transparency = (b"PLTE", VALUES[:8, :2].astype(np.uint8).tobytes()), (b"tRNS", bytes(16))
    indices = samples(14, 22, 1, depth=4)
    ours, right, none = (
        read(tmp_path, png(indices, 3, 4, *chunks))
        for chunks in ((transparency, palette), (palette,), (palette, transparency))
    )
    assert not isinstance(ours, PictureError)
    assert not isinstance(right, PictureError)
    assert not isinstance(none, PictureError)
    assert np.array_equal(ours, right)
    assert not np.array_equal(ours, none), "the negative control"


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_transparent_colour_beyond_the_depth(tmp_path: Path, depth: int) -> None:
    values = samples(14, 22, 1, depth=depth)
    grey = np.repeat(values * 255 // (2**depth - 1), 3, 2)
    key = int(values[3, 5, 0]) + 2**depth
    ours = read(tmp_path, png(values, 0, depth, (b"tRNS", struct.pack(">H", key))))
    assert not isinstance(ours, PictureError)
    expected = np.where((values == key & 255) & (depth == 8), 255, grey)  # of 8 bits the low ones count
    assert np.array_equal(ours, expected)


def test_a_wrong_checksum_of_all_numbers_harms_nothing(tmp_path: Path) -> None:
    rows = png_rows(VALUES, 8)
    for data in (rows[:-4] + b"\0\0\0\0", rows[:-1] + bytes([rows[-1] ^ 1]), rows[:-4]):
        assert_reads(tmp_path, png_of(22, 14, 2, 8, (b"IDAT", data)), VALUES)
    damaged = bytearray(rows)
    damaged[2] = 7  # a kind of block that does not exist
    assert isinstance(read(tmp_path, png_of(22, 14, 2, 8, (b"IDAT", bytes(damaged)))), PictureError)
    refusal = read(tmp_path, png_of(22, 14, 2, 8, (b"IDAT", rows[: len(rows) // 2])))
    assert isinstance(refusal, PictureError)
    assert refusal.data["what"] == "cut-short"


@pytest.mark.parametrize("colour_type", [0, 2])
def test_the_transparent_colour_of_16_bits_is_compared_in_16_bits(tmp_path: Path, colour_type: int) -> None:
    channels = 3 if colour_type else 1
    values = np.full((14, 22, channels), 0x4000)
    values[:, :8], values[:, 8:14] = 0x1234, 0x1235  # the same in 8 bits
    ours = read(tmp_path, png(values, colour_type, 16, (b"tRNS", struct.pack(">H", 0x1234) * channels)))
    assert not isinstance(ours, PictureError)
    assert ours[5, 3].tolist() == [255] * 3
    assert ours[5, 10].tolist() == [0x12] * 3
    assert ours[5, 20].tolist() == [0x40] * 3


def test_a_first_frame_that_is_not_the_default_image(tmp_path: Path) -> None:
    default, small = samples(14, 22, 3, seed=1), samples(5, 7, 3, seed=2)
    rows = png_rows(small, 8)
    ours = read(
        tmp_path,
        png_of(
            *(22, 14, 2, 8),
            (b"acTL", struct.pack(">II", 2, 0)),
            (b"IDAT", png_rows(default, 8)),
            frame_control(0, (3, 2, 7, 5)),
            (b"fdAT", struct.pack(">I", 1) + rows[:9]),
            (b"fdAT", struct.pack(">I", 2) + rows[9:]),
            frame_control(3, (0, 0, 22, 14)),
            (b"fdAT", struct.pack(">I", 4) + png_rows(VALUES, 8)),
        ),
    )
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours[2:7, 3:10], small)
    assert ours[0, 0].tolist() == [255] * 3


def test_a_hostile_number_of_chunks_is_read_in_time(tmp_path: Path) -> None:
    data = png(VALUES, 2, 8, *[(b"tEXt", b"a\0b")] * 50_000)
    assert_reads(tmp_path, data, VALUES)


def test_hdr_is_told(tmp_path: Path) -> None:
    for chunk, notes in ((cicp(9, 16), ["hdr"]), (cicp(9, 18), ["hdr"]), (cicp(12, 13), []), (gamma(1.0), [])):
        (path := tmp_path / "p").write_bytes(png(VALUES, 2, 8, chunk))
        _, told = frame_picture(path, (22, 14), Framing.CROP, PictureLimits())
        assert [note.kind for note in told] == notes
