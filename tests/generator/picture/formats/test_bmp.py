"""BMPs with bit fields, transparency or a profile."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from generator.errors import PictureError, PictureReason
from tests.generator.picture.test_image import wide_gamut
from tests.support.picture_files import BmpKind, bmp, samples, saved
from tests.support.picture_readers import read_by_us


def opaque(width: int = 13) -> np.ndarray:
    pixels = samples(9, width, 4)
    pixels[..., 3] = 255
    return pixels


@pytest.mark.parametrize(
    ("bits", "masks", "most"),
    [
        (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000), 0),
        (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000), 1),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0), 1),
        (16, (0xF00, 0xF0, 0xF, 0xF000), 9),
        (16, (0xF800, 0x7E0, 0x1F, 0), 5),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000), 5),
    ],
)
@pytest.mark.parametrize("top_first", [False, True])
@pytest.mark.parametrize("header", [56, 108, 124])
def test_any_layout(
    tmp_path: Path, bits: int, masks: tuple[int, int, int, int], most: int, top_first: bool, header: int
) -> None:
    pixels = opaque()
    (path := tmp_path / "p").write_bytes(
        bmp(pixels, BmpKind(bits=bits, masks=masks, top_first=top_first, header=header))
    )
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.abs(ours.astype(int) - pixels[..., :3]).max() <= most


@pytest.mark.parametrize("compression", [0, 3])
def test_transparency(tmp_path: Path, compression: int) -> None:
    pixels = opaque()
    pixels[:, :5, 3] = 0
    kind = BmpKind(masks=(0xFF0000, 0xFF00, 0xFF, 0xFF000000), compression=compression)
    (path := tmp_path / "p").write_bytes(bmp(pixels, kind))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert (ours[:, :5] == 255).all()
    assert np.array_equal(ours[:, 5:], pixels[:, 5:, :3])
    pixels[..., 3] = 0
    path.write_bytes(bmp(pixels, kind))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours, pixels[..., :3]), "where nothing is visible, the alpha was left empty"


def test_a_profile(tmp_path: Path) -> None:
    profile, seen = wide_gamut()
    pixels = np.broadcast_to(np.array([255, 0, 0, 255]), (20, 20, 4))
    for kind, expected in ((BmpKind(profile=profile), seen), (BmpKind(), (255, 0, 0))):
        (path := tmp_path / "p").write_bytes(bmp(pixels, kind))
        ours = read_by_us(path)
        assert not isinstance(ours, PictureError)
        assert np.abs(ours.astype(int) - expected).max() < 12


@pytest.mark.parametrize("colours", [256, 257, 300, 2**32 - 1])
def test_a_palette_that_claims_more_colours_than_there_can_be(tmp_path: Path, colours: int) -> None:
    picture = Image.fromarray(samples(60, 90, 3).astype(np.uint8)).quantize(256)
    data = bytearray(saved(picture, "BMP"))
    data[46:50] = struct.pack("<I", colours)
    (path := tmp_path / "p").write_bytes(data)
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert np.array_equal(ours, np.asarray(picture.convert("RGB")))


def test_rows_that_are_missing(tmp_path: Path) -> None:
    kind = BmpKind(bits=16, masks=(0xF00, 0xF0, 0xF, 0), top_first=True)
    data = bmp(opaque(13), kind)
    (path := tmp_path / "p").write_bytes(data[:-2])  # what fills the last row up
    assert not isinstance(read_by_us(path), PictureError)
    path.write_bytes(data[:-30])
    refusal = read_by_us(path)
    assert isinstance(refusal, PictureError)
    assert refusal.reason is PictureReason.CORRUPT
