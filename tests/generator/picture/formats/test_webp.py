"""A WebP's size is known before it takes memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from generator.errors import PictureError, PictureReason
from generator.picture.image import probe
from generator.picture.limits import PictureLimits
from tests.support.picture_files import saved
from tests.support.scenes import blobs


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"II*\0"}, {"save_all": True}], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (97, 61), (16383, 1)])
def test_the_size(tmp_path: Path, size: tuple[int, int], options: dict[str, Any]) -> None:
    (path := tmp_path / "p").write_bytes(saved(blobs(*size), "WEBP", **options))
    facts = probe(path, PictureLimits())
    assert (facts.format, facts.width, facts.height) == ("WEBP", *size)


def test_one_too_large_is_refused_by_its_header_alone(tmp_path: Path) -> None:
    data = bytearray(saved(blobs(64, 64), "WEBP"))
    data[26:30] = (8000).to_bytes(2, "little") * 2
    (path := tmp_path / "p").write_bytes(data)
    with pytest.raises(PictureError) as caught:
        probe(path, PictureLimits())
    assert caught.value.reason is PictureReason.TOO_MANY_PIXELS
    assert (caught.value.data["kind"], caught.value.data["pixels"]) == ("WebP", 64_000_000)
    assert 20_000_000 < caught.value.data["max_pixels"] < 30_000_000


@pytest.mark.parametrize("length", [12, 16, 20, 29])
def test_a_cut_header_is_damaged(tmp_path: Path, length: int) -> None:
    (path := tmp_path / "p").write_bytes(saved(blobs(64, 64), "WEBP")[:length])
    with pytest.raises(PictureError) as caught:
        probe(path, PictureLimits())
    assert caught.value.reason is PictureReason.CORRUPT
