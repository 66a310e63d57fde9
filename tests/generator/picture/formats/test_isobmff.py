"""AVIF and HEIC: colours that the container tells, and an alpha channel whose size it does not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generator.clip import Framing
from generator.errors import PictureError
from generator.picture.image import allow_formats, frame_picture
from generator.picture.limits import PictureLimits
from tests.support.picture_files import XMP_TURNED, samples, saved
from tests.support.picture_readers import difference, read_by_us

PQ_ORANGE = np.array([0.550, 0.485, 0.322])
"""203 nits of sRGB's (1, 0.35, 0.02) as BT.2020 and PQ"""
SHOWN_ORANGE = [187, 116, 25]
"""what Chromium shows of it"""


@pytest.fixture(scope="module", autouse=True)
def _formats() -> None:
    allow_formats(max_pixels=PictureLimits().max_pixels)


def with_codes(data: bytes, primaries: int, transfer: int) -> bytes:
    """Return an AVIF or HEIC with other colour codes."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + bytes([0, primaries, 0, transfer]) + data[at + 4 :]


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_hdr_is_brought_to_what_a_browser_shows(tmp_path: Path, format: str) -> None:
    picture = Image.fromarray(np.broadcast_to(np.round(PQ_ORANGE * 255).astype(np.uint8), (64, 64, 3)))
    options = {"subsampling": "4:4:4"} if format == "AVIF" else {"chroma": 444}
    data = saved(picture, format, quality=100, **options)
    (path := tmp_path / "p").write_bytes(with_codes(data, 9, 16))
    framed, notes = frame_picture(path, (64, 64), Framing.CROP, PictureLimits())
    assert np.abs(np.asarray(framed)[32, 32].astype(int) - SHOWN_ORANGE).max() <= 8
    assert [note.kind for note in notes] == ["hdr"]
    path.write_bytes(data)
    framed, notes = frame_picture(path, (64, 64), Framing.CROP, PictureLimits())
    assert np.abs(np.asarray(framed)[32, 32].astype(int) - SHOWN_ORANGE).max() > 30, "the negative control"
    assert not notes


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
def test_a_wide_gamut_by_codes(tmp_path: Path, format: str) -> None:
    data = saved(Image.new("RGB", (64, 64), (200, 80, 40)), format, quality=100)
    (path := tmp_path / "p").write_bytes(with_codes(data, 12, 13))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.abs(ours[32, 32].astype(int) - [217, 69, 14]).max() <= 6


def without_alphas_size(data: bytes) -> bytes:
    """Return an AVIF whose alpha channel names no size, as early encoders wrote it."""
    associations = bytes.fromhex("00020401058607")  # what Pillow writes for picture 2: size, depth, codec, kind
    assert associations in data
    return data.replace(associations, bytes.fromhex("00020400058607"))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_an_alpha_channel_without_a_size(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(samples(40, 60, 4).astype(np.uint8)).convert(mode)
    data = without_alphas_size(saved(picture, "AVIF", quality=95))
    (path := tmp_path / "p").write_bytes(data)
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.percentile(difference(ours, np.asarray(picture.convert("RGBA"))), 99) <= 12


def test_what_is_no_size_but_damage_is_still_refused(tmp_path: Path) -> None:
    data = saved(Image.fromarray(samples(40, 60, 4).astype(np.uint8)), "AVIF")
    (path := tmp_path / "p").write_bytes(without_alphas_size(data).replace(b"ispe", b"free"))
    assert isinstance(read_by_us(path), PictureError)


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
@pytest.mark.parametrize("brand", [b"mif1", b"miaf", b"MA1B", b"isom", b"1pic", b"none"])
def test_a_general_brand_of_its_own_and_the_right_one_among_the_others(
    tmp_path: Path, format: str, brand: bytes
) -> None:
    data = saved(Image.fromarray(samples(40, 60, 3).astype(np.uint8)), format)
    path = tmp_path / "p"
    path.write_bytes(data)
    usual = read_by_us(path)
    path.write_bytes(data[:8] + brand + data[12:])
    ours = read_by_us(path)
    assert not isinstance(usual, PictureError)
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours, usual)
    path.write_bytes(data[:8] + b"isom" + bytes(4) + b"isomiso2avc1mp41".ljust(len(data), b"x"))
    refusal = read_by_us(path)
    assert isinstance(refusal, PictureError)
    assert refusal.data["format"] == "video"


def test_xmp_turns_nothing(tmp_path: Path) -> None:
    data = saved(Image.fromarray(samples(40, 60, 3).astype(np.uint8)), "AVIF", xmp=XMP_TURNED)
    (path := tmp_path / "p").write_bytes(data)
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert ours.shape == (40, 60, 3)
