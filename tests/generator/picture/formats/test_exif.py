"""Only one kind of orientation counts: a single 16-bit number from 1 to 8."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.picture.formats.exif import orientation
from tests.support.picture_files import ExifOrientation


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_one_short_number(order: str, prefix: bytes) -> None:
    for value in range(1, 9):
        assert orientation(prefix + ExifOrientation(value, order=order).exif()) == value
    for value in (0, 9, 255, 65535):
        assert orientation(prefix + ExifOrientation(value, order=order).exif()) == 1
    for kind, count in ((4, 1), (3, 2), (3, 0), (2, 1), (1, 1), (8, 1)):
        assert orientation(prefix + ExifOrientation(6, kind, count, order).exif()) == 1


@given(st.binary(max_size=60))
def test_damaged_data_is_upright(data: bytes) -> None:
    assert orientation(data) in range(1, 9)
    assert orientation(b"II*\0" + data) in range(1, 9)
    assert orientation(None) == 1
