"""The most salient part of a picture, where people look first: colour that stands out, and detail. Knows Pillow only.

Frequency-tuned saliency (Achanta, Hemami, Estrada, Susstrunk, CVPR 2009: the distance of each slightly blurred pixel
from the mean colour; here in YCbCr) plus gradient energy, on a thumbnail.

Tested in tests/generator/picture/test_image.py.
"""

from __future__ import annotations

from itertools import accumulate

from PIL import Image, ImageFilter, ImageStat

_THUMBNAIL = 128
_CENTRE_PULL = 0.25
"""the part of its saliency that a window at the very edge loses: in most pictures the subject is near the middle"""


def salient_focus(picture: Image.Image, target: tuple[int, int]) -> tuple[float, float]:
    """Return the `focus` for `cover_box` that keeps the most salient part of an RGB picture; 0.5 is the centre.

    `target` is the frame's width and height.
    """
    thumb = picture.copy()
    thumb.thumbnail((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
    (width, height), saliency = thumb.size, _saliency(thumb)
    across = picture.width * target[1] / (picture.height * target[0])
    if across >= 1:
        return _best_window([sum(saliency[x::width]) for x in range(width)], 1 / across), 0.5
    rows = [sum(saliency[y * width : (y + 1) * width]) for y in range(height)]
    return 0.5, _best_window(rows, across)


def _saliency(thumb: Image.Image) -> list[float]:
    """Return one number a pixel, row by row; on average half of it is colour and half detail."""
    colour, detail = _colour_distance(thumb), _gradient(thumb)
    colour_weight, detail_weight = 1 / (sum(colour) or 1), 1 / (sum(detail) or 1)
    return [colour_weight * c + detail_weight * d for c, d in zip(colour, detail, strict=True)]


def _colour_distance(thumb: Image.Image) -> list[float]:
    blurred = thumb.filter(ImageFilter.GaussianBlur(1.5)).convert("YCbCr")
    mean_y, mean_cb, mean_cr = ImageStat.Stat(blurred).mean
    bands = (band.tobytes() for band in blurred.split())
    return [abs(y - mean_y) + 2 * abs(cb - mean_cb) + 2 * abs(cr - mean_cr) for y, cb, cr in zip(*bands, strict=True)]


def _gradient(thumb: Image.Image) -> list[int]:
    width = thumb.width
    luma = thumb.convert("L").filter(ImageFilter.BoxBlur(1)).tobytes()
    last = len(luma) - 1
    return [
        abs(luma[min(i + 1, last)] - level) * ((i + 1) % width > 0) + abs(luma[min(i + width, last)] - level)
        for i, level in enumerate(luma)
    ]


def _best_window(profile: list[float], part: float) -> float:
    """Return where (0 first, 1 last) a window over `part` of the profile holds most; of equals the most central one."""
    room = len(profile) - round(len(profile) * part)
    if room <= 0:
        return 0.5
    length = len(profile) - room
    sums = [0.0, *accumulate(profile)]

    def worth(start: int) -> float:
        off_centre = abs(2 * start / room - 1)
        return (sums[start + length] - sums[start]) * (1 - _CENTRE_PULL * off_centre)

    return max(range(room + 1), key=lambda start: (worth(start), -abs(2 * start - room))) / room
