"""Only one kind of orientation counts: a single 16-bit number from 1 to 8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.picture.formats.exif import orientation
from tests.support.picture_files import ExifOrientation


@pytest.mark.parametrize("order", "<>")
def test_one_short_number(order: str) -> None:
    for value in range(1, 9):
        assert orientation(ExifOrientation(value, order=order).exif()) == value
    for value in (0, 9, 255, 65535):
        assert orientation(ExifOrientation(value, order=order).exif()) == 1
    for kind, count in ((4, 1), (3, 2), (3, 0), (2, 1), (1, 1), (8, 1)):
        assert orientation(ExifOrientation(6, kind, count, order).exif()) == 1


@pytest.mark.parametrize(("first", "second", "counts"), [(9, 6, 6), (0, 3, 3), (3, 6, 3), (1, 6, 1)])
def test_of_several_the_first_that_is_right_counts(first: int, second: int, counts: int) -> None:
    head, tail = ExifOrientation(first).exif(), ExifOrientation(second).exif()
    assert orientation(head[:8] + b"\0\2" + head[10:22] + tail[10:]) == counts


def test_an_entry_that_is_cut_is_none() -> None:
    data = ExifOrientation(6).exif()
    assert orientation(data[:22]) == 6
    for length in range(22):
        assert orientation(data[:length]) == 1


@given(st.binary(max_size=60))
def test_damaged_data_is_upright(data: bytes) -> None:
    assert orientation(data) in range(1, 9)
    assert orientation(b"II*\0" + data) in range(1, 9)
    assert orientation(None) == 1
