"""Pictures that no browser shows, or not as we read them: TIFF of every kind, AVIF's transparency, orientations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from generator.errors import PictureError, PictureReason
from generator.picture.image import allow_formats
from generator.picture.limits import PictureLimits
from tests.support.picture_files import ExifOrientation, samples, saved, tiff
from tests.support.picture_readers import difference, libvips, read_by_libvips, read_by_us

property_test = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module", autouse=True)
def _formats() -> None:
    libvips()
    allow_formats(max_pixels=PictureLimits().max_pixels)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


def assert_as_read(path: Path, data: bytes, most: float) -> None:
    path.write_bytes(data)
    ours, theirs = read_by_us(path), read_by_libvips(data)
    assert not isinstance(ours, PictureError), ours
    assert ours.shape[:2] == theirs.shape[:2]
    assert np.percentile(difference(ours, theirs), 99) <= most


@property_test
@given(
    st.sampled_from(["minisblack", "miniswhite", "rgb", "rgba"]), st.sampled_from([8, 16]), st.booleans(),
    st.sampled_from([None, "deflate"]), st.booleans(), st.sampled_from("<>"), st.integers(1, 8), st.integers(0, 99),
)  # fmt: skip
def test_tiff(
    path: Path, kind: str, bits: int, planes: bool, compression: str | None, predictor: bool, order: str,
    orientation: int, seed: int,
) -> None:  # fmt: skip
    channels = {"rgb": 3, "rgba": 4}.get(kind, 1)
    values = samples(20, 30, channels, depth=bits, seed=seed).astype(f"{order}u{bits // 8}")
    values = values[..., 0] if channels == 1 else values
    options: dict[str, Any] = {"photometric": "rgb" if channels > 1 else kind, "compression": compression}
    options["predictor"] = predictor and compression is not None
    if channels > 1 and planes:
        values, options["planarconfig"] = np.moveaxis(values, -1, 0), "separate"
    if channels == 4:
        options["extrasamples"] = ["unassalpha"]
    data = tiff(values, byteorder=order, extratags=[(274, 3, 1, orientation, True)], **options)
    path.write_bytes(data)
    ours = read_by_us(path)
    if isinstance(ours, PictureError):  # Pillow lacks one of them
        assert (kind, bits, order) == ("miniswhite", 16, ">"), ours
        assert ours.reason is PictureReason.UNSUPPORTED_FORMAT
    else:
        assert_as_read(path, data, 3)


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_avif_of_another_encoder(path: Path, mode: str, bits: int, lossless: bool) -> None:
    picture = Image.fromarray(samples(40, 60, 4).astype(np.uint8)).convert(mode)
    values = libvips().Image.new_from_array(np.asarray(picture))
    if mode == "LA":
        values = values.copy(interpretation="b-w")
    data = values.heifsave_buffer(compression="av1", bitdepth=bits, lossless=lossless, Q=95)
    assert_as_read(path, data, 8)


@property_test
@given(st.sampled_from(["JPEG", "WEBP", "PNG"]), st.integers(1, 8), st.sampled_from("<>"))
def test_orientations(path: Path, format: str, orientation: int, order: str) -> None:
    picture = Image.fromarray(samples(40, 60, 3).astype(np.uint8))
    exif = b"Exif\0\0" + ExifOrientation(orientation, order=order).exif()
    kinds: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": 0}}
    assert_as_read(path, saved(picture, format, exif=exif, **kinds.get(format, {})), 6)


def test_the_comparison_sees_a_wrong_byte_order(path: Path) -> None:
    values = samples(20, 30, 3, depth=16).astype("<u2")
    assert_as_read(path, tiff(values, photometric="rgb"), 3)
    theirs = read_by_libvips(tiff(values.byteswap(), photometric="rgb"))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert difference(ours, theirs).mean() > 20
