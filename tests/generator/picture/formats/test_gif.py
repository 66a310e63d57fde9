"""GIFs whose first frame does not cover the canvas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from generator.errors import PictureError, PictureReason
from tests.support.picture_files import gif
from tests.support.picture_readers import read_by_us


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("transparent", [None, 3])
def test_the_rest_of_the_canvas_is_transparent(tmp_path: Path, transparent: int | None, frames: int) -> None:
    (path := tmp_path / "p").write_bytes(gif((40, 30), (5, 6, 20, 12), transparent=transparent, frames=frames))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    outside = np.ones((30, 40), bool)
    outside[6:18, 5:25] = False
    assert len(np.unique(ours[outside], axis=0)) == 1
    assert ours[0, 0].tolist() in ([255] * 3, [32] * 3)
    assert len(np.unique(ours[6:18, 5:25].reshape(-1, 3), axis=0)) > 4, "the frame is there"


def test_a_frame_that_covers_the_canvas_has_no_background(tmp_path: Path) -> None:
    (path := tmp_path / "p").write_bytes(gif((40, 30), (0, 0, 40, 30)))
    ours = read_by_us(path)
    assert not isinstance(ours, PictureError)
    assert len(np.unique(ours[[0, -1]].reshape(-1, 3), axis=0)) > 2


@pytest.mark.parametrize("box", [(0, 0, 40, 30), (5, 6, 20, 12)])
def test_last_bytes_that_are_missing_harm_nothing_and_rows_that_are_do(
    tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    data, path = gif((40, 30), box), tmp_path / "p"
    path.write_bytes(data)
    expected = read_by_us(path)
    assert not isinstance(expected, PictureError)
    for lost in (1, 2, 3):
        path.write_bytes(data[:-lost])
        ours = read_by_us(path)
        assert not isinstance(ours, PictureError), lost
        assert np.array_equal(ours, expected)
    for part in (0.5, 0.8):
        path.write_bytes(data[: int(len(data) * part)])
        refusal = read_by_us(path)
        assert isinstance(refusal, PictureError)
        assert (refusal.reason, refusal.data["what"]) == (PictureReason.CORRUPT, "cut-short")
