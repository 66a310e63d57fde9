"""A JPEG with endless scans is refused at a glance; every picture that an encoder writes is not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from generator.errors import PictureError
from generator.picture.scans import ALWAYS_SCANS, MOST_SCANS, count_scans, refuse_endless_scans
from tests.support.hostile_pictures import many_scans
from tests.support.scenes import blobs


def jpeg(width: int = 64, height: int = 48, **how: Any) -> bytes:
    data = io.BytesIO()
    blobs(width, height).save(data, "JPEG", **how)
    return data.getvalue()


@pytest.mark.parametrize(
    ("how", "scans"),
    [
        ({}, 1),
        ({"progressive": True}, 10),
        ({"restart_marker_blocks": 1}, 1),
        ({"progressive": True, "restart_marker_blocks": 1, "comment": b"\xff\xda" * 500, "exif": b"\xff\xda" * 99}, 10),
    ],
    ids=["baseline", "progressive", "restarts", "what looks like scans in comments"],
)
def test_it_counts_the_scans_that_a_decoder_walks(how: dict[str, Any], scans: int) -> None:
    assert count_scans(jpeg(**how), 1000) == (scans, 64 * 48)


def test_what_follows_the_first_image_does_not_count() -> None:
    assert count_scans(jpeg(progressive=True) + jpeg(progressive=True) * 20, 1000)[0] == 10


@pytest.mark.parametrize("how", [{"progressive": True}, {"progressive": True, "restart_marker_blocks": 1}])
def test_more_scans_than_any_picture_needs_are_refused(tmp_path: Path, how: dict[str, Any]) -> None:
    path = tmp_path / "p.jpg"
    path.write_bytes(many_scans(jpeg(**how), MOST_SCANS - 9))
    refuse_endless_scans(path)
    path.write_bytes(many_scans(jpeg(**how), MOST_SCANS - 8))
    with pytest.raises(PictureError, match="scans"):
        refuse_endless_scans(path)


def test_the_larger_the_picture_the_fewer_the_scans(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("L", (10_000, 9_900)).save(data, "JPEG", quality=5, progressive=True)
    path, own = tmp_path / "p.jpg", count_scans(data.getvalue(), 1000)[0]
    path.write_bytes(many_scans(data.getvalue(), ALWAYS_SCANS - own + 1))
    refuse_endless_scans(path)
    path.write_bytes(many_scans(data.getvalue(), ALWAYS_SCANS - own + 2))
    with pytest.raises(PictureError, match="scans"):
        refuse_endless_scans(path)


def test_a_cut_or_damaged_file_is_left_to_the_decoder(tmp_path: Path) -> None:
    whole = jpeg(progressive=True)
    for end in range(3, len(whole), 7):
        (path := tmp_path / "p.jpg").write_bytes(whole[:end])
        refuse_endless_scans(path)
    assert count_scans(b"\xff\xd8\xff\xda", 5) == (1, 0)
