"""Where the frame lies, for every picture from 1x1 to 20000x20000: nothing is ever stretched."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from generator.clip import Shape
from generator.picture.framing import NARROWEST_PAD, cover_box, pad_fit, resolve_shape
from generator.variants import BUILT_IN

SIZES = {variant.size(shape) for variant in BUILT_IN.values() for shape in Shape if shape is not Shape.AUTO}
sides = st.integers(1, 20_000)
sizes = st.sampled_from(sorted(SIZES))


@given(sides, sides, sizes, st.floats(0, 1), st.floats(0, 1))
@example(1, 1, (1024, 576), 0.0, 1.0)
@example(20_000, 1, (576, 1024), 1.0, 0.5)
@example(1, 20_000, (1024, 576), 0.5, 1.0)
def test_a_crop_lies_in_the_picture_and_stretches_nothing(
    width: int, height: int, size: tuple[int, int], x: float, y: float
) -> None:
    left, top, right, bottom = cover_box((width, height), size, (x, y))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left) / (bottom - top) == pytest.approx(size[0] / size[1], rel=1e-6)
    assert right - left == pytest.approx(width) or bottom - top == pytest.approx(height)


@given(sides, sides, sizes)
@example(20_000, 1, (1024, 576))
@example(1, 20_000, (576, 1024))
def test_padding_stretches_nothing_and_keeps_the_picture_whole(width: int, height: int, size: tuple[int, int]) -> None:
    (fitted_width, fitted_height), (left, top, right, bottom) = pad_fit((width, height), size)
    assert 1 <= fitted_width <= size[0]
    assert 1 <= fitted_height <= size[1]
    assert (right - left) / (bottom - top) == pytest.approx(fitted_width / fitted_height, rel=1e-6)
    assert fitted_width == size[0] or fitted_height == size[1]
    thinness = max(width * size[1], height * size[0]) / min(width * size[1], height * size[0])
    if thinness < 1 / NARROWEST_PAD:
        lost = 1 - (right - left) * (bottom - top) / (width * height)
        assert lost <= 1 / min(fitted_width, fitted_height), "less than one pixel of the result"


@given(sides, sides)
def test_the_chosen_shape_is_that_of_the_picture(width: int, height: int) -> None:
    shape = resolve_shape(width, height, Shape.AUTO)
    turned = {Shape.LANDSCAPE: Shape.PORTRAIT, Shape.PORTRAIT: Shape.LANDSCAPE, Shape.SQUARE: Shape.SQUARE}
    assert resolve_shape(height, width, Shape.AUTO) == turned[shape]
    assert resolve_shape(width, width, Shape.AUTO) is Shape.SQUARE
    assert resolve_shape(width, height, Shape.PORTRAIT) is Shape.PORTRAIT


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (4032, 3024, Shape.LANDSCAPE),
        (3024, 4032, Shape.PORTRAIT),
        (1920, 1080, Shape.LANDSCAPE),
        (1080, 1350, Shape.SQUARE),
    ],
)
def test_common_photos_get_the_shape_one_expects(width: int, height: int, shape: Shape) -> None:
    assert resolve_shape(width, height, Shape.AUTO) is shape
