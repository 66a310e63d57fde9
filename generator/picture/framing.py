"""Where in a picture the clip's frame lies. Pure geometry on numbers; knows no picture library."""

from __future__ import annotations

from generator.clip import Shape

Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels, not rounded"""

NARROWEST_PAD = 1 / 8
"""a padded picture fills at least this part of each side of the frame: beyond 8:1 it would be only a thin line"""

_LANDSCAPE_FROM = 1.3
"""just under 4:3, so that the commonest photo shape is landscape even when cropped a little carelessly"""


def resolve_shape(width: int, height: int, wanted: Shape) -> Shape:
    """Return the clip's shape for a picture: `wanted`, or for AUTO the one that is closest to the picture's own."""
    if wanted is not Shape.AUTO:
        return wanted
    if width >= _LANDSCAPE_FROM * height:
        return Shape.LANDSCAPE
    if height >= _LANDSCAPE_FROM * width:
        return Shape.PORTRAIT
    return Shape.SQUARE


def cover_box(source: tuple[int, int], target: tuple[int, int], focus: tuple[float, float] = (0.5, 0.5)) -> Box:
    """Return the largest box of the target's aspect ratio in the source.

    `source` and `target` are width and height. `focus` (0-1 across, 0-1 down) moves the box where there is room.
    """
    width, height = source
    scale = min(width / target[0], height / target[1])
    box_width, box_height = min(target[0] * scale, width), min(target[1] * scale, height)
    left, top = (width - box_width) * focus[0], (height - box_height) * focus[1]
    return left, top, min(left + box_width, width), min(top + box_height, height)


def pad_fit(source: tuple[int, int], target: tuple[int, int]) -> tuple[tuple[int, int], Box]:
    """Return the size at which a picture fits into the target, and the box of the source that fills it exactly.

    The box is the whole picture, less at most one pixel of the result, which rounding to whole pixels costs.
    A picture thinner than NARROWEST_PAD allows loses its ends.
    """
    (width, height), (target_width, target_height) = source, target
    scale = min(target_width / width, target_height / height)
    fitted = (
        _within(width * scale, target_width),
        _within(height * scale, target_height),
    )
    return fitted, cover_box(source, fitted)


def _within(value: float, whole: int) -> int:
    return max(int(value + 1e-6), round(whole * NARROWEST_PAD), 1)
