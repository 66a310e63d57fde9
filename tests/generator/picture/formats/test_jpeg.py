"""JPEGs that end too early, or go on with something else, or begin oddly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ImageColor, ImageOps

from generator.errors import PictureError, PictureReason
from generator.picture.formats.jpeg import open_jpeg
from generator.picture.image import allow_formats
from generator.picture.limits import PictureLimits
from tests.generator.picture.test_image import wide_gamut
from tests.support.picture_files import ExifOrientation, saved, segment, with_segments
from tests.support.picture_readers import read_by_us
from tests.support.scenes import blobs

SAMSUNG = b"\0\0\xa1\x0a\x0e\0\0\0Image_UTC_Data1577836800000SEFHk\0\0\0\1\0\0\0SEFT"
KINDS: list[dict[str, Any]] = [
    {"subsampling": subsampling, "progressive": progressive, **more}
    for subsampling in (0, 2)
    for progressive in (False, True)
    for more in ({}, {"restart_marker_rows": 1})
]
MODES = ["RGB", "L", "CMYK"]
TURNED = ExifOrientation(6).exif()


@pytest.fixture(scope="module", autouse=True)
def _formats() -> None:
    allow_formats(max_pixels=PictureLimits().max_pixels)


def jpeg(mode: str = "RGB", **options: Any) -> bytes:
    kind = {} if mode == "L" else options
    return saved(blobs(333, 222).convert(mode), "JPEG", quality=88, **kind)


def read(tmp_path: Path, data: bytes) -> np.ndarray[Any, Any] | PictureError:
    (path := tmp_path / "p").write_bytes(data)
    return read_by_us(path)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_complete_picture_without_its_end_is_read(tmp_path: Path, kind: dict[str, Any], mode: str) -> None:
    whole = jpeg(mode, **kind)
    expected = read(tmp_path, whole)
    assert not isinstance(expected, PictureError)
    for name, data in {
        "two bytes are missing": whole[:-2],
        "one byte is missing": whole[:-1],
        "a phone's data follows": whole[:-2] + SAMSUNG,
        "what is no marker follows": whole[:-2] + b"\xff\x5a\xff\xff" + bytes(500),
        "another picture follows": whole + b"\xff\xd8\xff" + bytes(500),
    }.items():
        ours = read(tmp_path, data)
        assert not isinstance(ours, PictureError), name
        assert np.abs(ours.astype(int) - expected).max() <= 1, name


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(
    "end", [b"", SAMSUNG, b"\xff\xd9"], ids=["nothing follows", "a phone's data follows", "an end marker follows"]
)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("restarts", [{}, {"restart_marker_blocks": 1}, {"restart_marker_rows": 1}], ids=str)
def test_missing_rows_are_refused_and_named(
    tmp_path: Path, mode: str, restarts: dict[str, Any], part: float, end: bytes
) -> None:
    """The negative control: not everything that ends early is whole."""
    data = saved(blobs(333, 222).convert(mode), "JPEG", quality=88, **restarts)
    refusal = read(tmp_path, data[: int(len(data) * part)] + end)
    assert isinstance(refusal, PictureError)
    assert (refusal.reason, refusal.data["what"]) == (PictureReason.CORRUPT, "cut-short")


@pytest.mark.parametrize("colour", ["white", "black", "teal"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", [{}, {"progressive": True}, {"restart_marker_blocks": 1}], ids=str)
def test_a_whole_picture_may_end_in_one_colour(tmp_path: Path, colour: str, mode: str, kind: dict[str, Any]) -> None:
    """It looks as if rows were missing, which the decoder fills with one colour."""
    picture = ImageOps.expand(blobs(200, 120), 30, ImageColor.getrgb(colour)).convert(mode)
    data = saved(picture, "JPEG", quality=88, **kind)
    for whole in (data, data + SAMSUNG, data[:-2]):
        assert not isinstance(read(tmp_path, whole), PictureError)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (200, 3), (7, 7), (8, 9)])
def test_a_tiny_one_is_read_with_and_without_its_end(tmp_path: Path, size: tuple[int, int]) -> None:
    data = saved(blobs(*size), "JPEG", quality=88)
    expected = read(tmp_path, data)
    assert not isinstance(expected, PictureError)
    ours = read(tmp_path, data[:-2])
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours, expected)


def test_of_a_progressive_picture_the_first_pass_is_enough(tmp_path: Path) -> None:
    data = jpeg(progressive=True)
    expected = read(tmp_path, data)
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    cut = read(tmp_path, data[: second + 400])
    assert not isinstance(expected, PictureError)
    assert not isinstance(cut, PictureError)
    assert np.abs(cut.astype(int) - expected).mean() < 15
    first = data.index(b"\xff\xda")
    assert isinstance(read(tmp_path, data[: (first + second) // 2]), PictureError), "half of the first one is not"


@pytest.mark.parametrize("kind", [{}, {"progressive": True}])
def test_a_large_one_is_rescued_at_the_size_it_is_needed(tmp_path: Path, kind: dict[str, Any]) -> None:
    whole = saved(blobs(2000, 1200), "JPEG", quality=85, **kind)
    pictures = []
    for data in (whole, whole[:-2]):
        (path := tmp_path / "p").write_bytes(data)
        with path.open("rb") as file:
            picture = open_jpeg(file)
            assert picture.shrink(5) == 1
            pictures.append(np.asarray(picture.load()).astype(int))
    assert pictures[0].shape == (300, 500, 3)
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


@pytest.mark.parametrize("length", range(12))
def test_a_short_jfif_is_left_out(tmp_path: Path, length: int) -> None:
    data, jfif = jpeg(), b"JFIF\0\1\1\0\0\1\0\1"
    expected, ours = read(tmp_path, data), read(tmp_path, with_segments(data, segment(0xE0, jfif[:length])))
    assert not isinstance(ours, PictureError)
    assert not isinstance(expected, PictureError)
    assert np.array_equal(ours, expected)


def test_kinds_of_coding_that_nobody_shows_are_refused_by_name(tmp_path: Path) -> None:
    data = bytearray(jpeg())
    frame = data.index(b"\xff\xc0")
    for at, value in ((frame + 1, 0xC3), (frame + 4, 12)):
        odd = bytearray(data)
        odd[at] = value
        refusal = read(tmp_path, bytes(odd))
        assert isinstance(refusal, PictureError)
        assert refusal.reason is PictureReason.UNSUPPORTED_FORMAT


def test_the_cost_is_what_a_small_picture_of_it_takes(tmp_path: Path) -> None:
    limits = PictureLimits()
    for kind, most in (({}, 400e6), ({"progressive": True}, 150e6), ({"progressive": True, "subsampling": 0}, 80e6)):
        (path := tmp_path / "p").write_bytes(saved(blobs(1600, 1600), "JPEG", **kind))
        with path.open("rb") as file:
            picture = open_jpeg(file)
            picture.shrink(8)
            assert most * 0.9 < limits.most_pixels(picture.cost) <= most


@pytest.mark.parametrize("before", ["tables", "frame", "scan"])
def test_a_profile_counts_wherever_it_stands_before_the_scan(tmp_path: Path, before: str) -> None:
    data, profile = jpeg(), segment(0xE2, b"ICC_PROFILE\0\1\1" + wide_gamut()[0])
    plain, usual = read(tmp_path, data), read(tmp_path, data[:20] + profile + data[20:])
    at = data.index({"tables": b"\xff\xdb", "frame": b"\xff\xc0", "scan": b"\xff\xda"}[before])
    ours = read(tmp_path, data[:at] + profile + data[at:])
    assert not isinstance(plain, PictureError)
    assert not isinstance(usual, PictureError)
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours, usual)
    assert not np.array_equal(ours, plain), "the negative control"


@pytest.mark.parametrize(
    ("bodies", "turned"),
    [
        ([b"Exif\0\0" + TURNED], True),
        ([b"Exif\0\xff" + TURNED], True),
        ([b"Exif\0\0", b"Exif\0\0" + TURNED], True),
        ([b"Exif\0\0MM\0*", b"Exif\0\0" + TURNED], False),
        ([b"Exif" + TURNED], False),
    ],
)
def test_which_exif_data_counts(tmp_path: Path, bodies: list[bytes], turned: bool) -> None:
    ours = read(tmp_path, with_segments(jpeg(), *(segment(0xE1, body) for body in bodies)))
    assert not isinstance(ours, PictureError)
    assert (ours.shape[0] > ours.shape[1]) is turned


def test_the_orientation_is_of_the_first_exif_data(tmp_path: Path) -> None:
    first, second = (segment(0xE1, b"Exif\0\0" + ExifOrientation(value).exif()) for value in (6, 3))
    ours = read(tmp_path, with_segments(jpeg(), first, second))
    assert not isinstance(ours, PictureError)
    assert ours.shape == (333, 222, 3)
