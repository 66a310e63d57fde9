"""A WebP's size is known before it takes memory, and its first frame may be smaller than its canvas."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from generator.errors import PictureError, PictureReason
from generator.picture.image import probe
from generator.picture.limits import PictureLimits
from tests.support.picture_files import moving_webp, samples, saved
from tests.support.picture_readers import read_by_us
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


@pytest.mark.parametrize("box", [(0, 0, 40, 30), (6, 4, 20, 12), (0, 0, 40, 8)])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_rest_of_the_canvas_is_transparent(tmp_path: Path, box: tuple[int, int, int, int], alpha: bool) -> None:
    left, top, width, height = box
    (path := tmp_path / "p").write_bytes(moving_webp((40, 30), box, alpha=alpha))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    outside = np.ones((30, 40), bool)
    outside[top : top + height, left : left + width] = False
    assert np.all((ours[outside] == 255) | (ours[outside] == 32))
    assert np.array_equal(ours[~outside].reshape(height, width, 3), samples(height, width, 3))


@pytest.mark.parametrize("length", [12, 16, 20, 29])
def test_a_cut_header_is_damaged(tmp_path: Path, length: int) -> None:
    (path := tmp_path / "p").write_bytes(saved(blobs(64, 64), "WEBP")[:length])
    with pytest.raises(PictureError) as caught:
        probe(path, PictureLimits())
    assert caught.value.reason is PictureReason.CORRUPT
