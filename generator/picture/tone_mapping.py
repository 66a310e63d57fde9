"""HDR to an ordinary screen's range, as browsers show it there. Knows Pillow only.

The curve is the reference white tone mapping of SMPTE ST 2094-50, which Chromium uses for pictures without a curve of
their own: up to the reference white (203 nits) everything becomes half as bright, above it the curve bends down to
white at 1000 nits. It is applied to the brightest channel, so that hues stay.

Tested in tests/generator/picture/test_colour_space.py.
"""

from __future__ import annotations

import functools
from typing import Any

from PIL import Image, ImageMath

from generator.picture.colour_space import (
    HLG,
    REC2020,
    SRGB,
    ColourSpace,
    Matrix,
    convert_primaries,
    srgb_encoded,
    transfer_function,
)

_STRIP_PIXELS = 500_000
"""what is calculated at once: its channels are floating point numbers"""
_MOST = 1000 / 203
"""the light that becomes white"""
_HALF = 0.5
_MIDDLE_X, _MIDDLE_Y = 0.35 + 0.65 / _HALF, 0.35 * _HALF + 0.65
"""the middle point of the bend, a quadratic Bezier curve from (1, _HALF) to (_MOST, 1)"""

Bands = list[Any]
"""red, green, blue as ImageMath's operands"""


def tone_mapped(image: Image.Image, space: ColourSpace) -> Image.Image:
    """Return an RGB picture in an HDR colour space as sRGB."""
    result = Image.new("RGB", image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        result.paste(_mapped(strip, space), (0, top))
    return result


def _mapped(strip: Image.Image, space: ColourSpace) -> Image.Image:
    decode = transfer_function(space)
    table = [decode(level / 255) for level in range(256)]
    bands = {name: band.point(table, "F") for name, band in zip("rgb", strip.split(), strict=True)}

    def band(index: int, args: dict[str, Any]) -> Any:
        light = _times(convert_primaries(space.primaries, REC2020), [args["r"], args["g"], args["b"]])
        if space.transfer == HLG:
            light = _displayed(light, args["max"])
        gain = _gain(args["max"](args["max"](light[0], light[1]), light[2]), args)
        value = _times(convert_primaries(REC2020, SRGB.primaries), light, index)[0] * gain
        return args["int"](args["min"](args["max"](value, 0), 1) * 65535 + 0.5)

    numbers = [ImageMath.lambda_eval(functools.partial(band, index), **bands) for index in range(3)]
    return Image.merge("RGB", [number.point(_encoding(), "L") for number in numbers])


def _times(matrix: Matrix, bands: Bands, only: int | None = None) -> Bands:
    rows = matrix if only is None else matrix[only : only + 1]
    return [
        sum((band * value for band, value in zip(bands[1:], row[1:], strict=True)), bands[0] * row[0]) for row in rows
    ]


def _displayed(light: Bands, maximum: Any) -> Bands:
    """Return the light of a 1000-nit screen for a scene's (BT.2100's system gamma of 1.2)."""
    luminance = light[0] * 0.2627 + light[1] * 0.678 + light[2] * 0.0593
    scale = maximum(luminance, 0) ** 0.2 * _MOST
    return [band * scale for band in light]


def _gain(brightest: Any, args: dict[str, Any]) -> Any:
    bright = args["max"](brightest, 1)
    a, b = 1 - 2 * _MIDDLE_X + _MOST, 2 * _MIDDLE_X - 2
    t = ((((args["min"](bright, _MOST) - 1) * (4 * a)) + b * b) ** 0.5 - b) / (2 * a)
    return (t * t * (_HALF - 2 * _MIDDLE_Y + 1) + t * (2 * (_MIDDLE_Y - _HALF)) + _HALF) / bright


@functools.cache
def _encoding() -> list[int]:
    return [round(255 * srgb_encoded(value / 65535)) for value in range(65536)]
