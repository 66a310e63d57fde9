"""TIFFs whose numbers' meaning is sure, and those where it is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from generator.errors import PictureError, PictureReason
from tests.support.picture_files import Array, samples, tiff
from tests.support.picture_readers import libvips, read_by_us


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p"


@pytest.mark.parametrize("largest", [255, 65535])
def test_a_tiffs_palette_of_8_or_of_16_bits(path: Path, largest: int) -> None:
    indices = np.arange(24 * 40, dtype=np.uint8).reshape(24, 40) % 4
    colours = np.zeros((256, 3))
    colours[:4] = np.array([(0.04, 0.8, 0.1), (0.8, 0.1, 0.1), (0.1, 0.1, 0.9), (1.0, 1.0, 1.0)])
    table = np.round(colours * largest).astype(np.uint16).T
    path.write_bytes(tiff(indices, photometric="palette", colormap=table))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.abs(ours - np.round(colours[indices] * 255)).max() <= 1


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i2", "u4"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("order", "<>")
def test_numbers_whose_meaning_is_not_sure_are_refused_by_name(
    path: Path, kind: str, channels: int, order: str
) -> None:
    most = {"i2": 32767, "u4": 2**32 - 1}.get(kind, 1)
    values: Array = (samples(20, 30, channels) / 255 * most).astype(order + kind)
    photometric = "minisblack" if channels == 1 else "rgb"
    path.write_bytes(tiff(values[..., 0] if channels == 1 else values, photometric=photometric, byteorder=order))
    refusal = read_by_us(path)
    assert isinstance(refusal, PictureError)
    assert (refusal.reason, refusal.data["format"]) == (PictureReason.UNSUPPORTED_FORMAT, "TIFF")


@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("order", "<>")
def test_planes_apart_or_together(path: Path, planes: str, bits: int, order: str) -> None:
    values = samples(20, 30, 3, depth=bits)
    stored = np.moveaxis(values, -1, 0) if planes == "separate" else values
    path.write_bytes(tiff(stored.astype(f"{order}u{bits // 8}"), photometric="rgb", planarconfig=planes))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.abs(ours.astype(int) - (values >> (bits - 8))).max() <= 1


@pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha"])
@pytest.mark.parametrize(("channels", "photometric"), [(2, "minisblack"), (5, "rgb")])
def test_planes_that_would_be_read_wrongly_are_refused_by_name(
    path: Path, alpha: str, channels: int, photometric: str
) -> None:
    values = samples(20, 30, channels).astype(np.uint8)
    values[..., 1 if channels == 2 else 3] = 255
    more = ["unspecified"] * (channels == 5)
    options = {"photometric": photometric, "extrasamples": [alpha, *more]}
    path.write_bytes(tiff(np.moveaxis(values, -1, 0), planarconfig="separate", **options))
    refusal = read_by_us(path)
    assert isinstance(refusal, PictureError)
    assert (refusal.reason, refusal.data["format"]) == (PictureReason.UNSUPPORTED_FORMAT, "TIFF")
    path.write_bytes(tiff(values, planarconfig="contig", **options))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    shown = values[..., :1] if channels == 2 else values[..., :3]
    assert np.abs(ours.astype(int) - shown).max() <= 1


def test_what_is_not_read_at_all_is_no_damage(path: Path) -> None:
    values = samples(20, 30, 3).astype(np.uint8)
    picture = libvips().Image.new_from_array(values)
    for data in (tiff(values, bigtiff=True, byteorder=">"), picture.tiffsave_buffer(compression="webp")):
        path.write_bytes(data)
        refusal = read_by_us(path)
        assert isinstance(refusal, PictureError)
        assert (refusal.reason, refusal.data["format"]) == (PictureReason.UNSUPPORTED_FORMAT, "TIFF")


@pytest.mark.parametrize("most", [255, 65535])
def test_whole_numbers_in_floating_point_keep_their_range(path: Path, most: int) -> None:
    values = np.round(np.linspace(0, most, 20 * 30)).reshape(20, 30) // 2
    values[0, 0] = most
    path.write_bytes(tiff(values.astype("f4"), photometric="minisblack"))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.abs(ours[..., 0].astype(int) - np.round(values / most * 255)).max() <= 1
