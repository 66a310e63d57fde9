"""Pixels of every kind to opaque 8-bit sRGB. Knows Pillow only, and neither files nor sizes.

Tested in tests/generator/picture/test_image.py.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageCms, ImageStat

from generator.picture.colour_space import ColourSpace, matrix_profile
from generator.picture.tone_mapping import tone_mapped

_STRIP_PIXELS = 4_000_000
"""the most pixels that are converted at once, so that a huge picture is never in memory twice"""

_WHITE, _DARK = (255, 255, 255), (32, 32, 32)


def opaque_srgb(image: Image.Image, factor: int, colour: bytes | ColourSpace | None = None) -> tuple[Image.Image, bool]:
    """Return a loaded picture as opaque 8-bit RGB in sRGB, and whether it had transparency.

    Each side is `factor` times smaller. It is reduced before anything else, because memory is limited. `colour` says
    what its numbers mean: an ICC profile or a colour space; without one they are sRGB.
    """
    return _flattened(_to_srgb(_reduced(image, factor), colour))


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Return a loaded picture in an 8-bit mode (L, LA, RGB, RGBA, CMYK or LAB), each side `factor` times smaller."""
    if factor == 1:
        return _eight_bit(image)
    rows = max(1, _STRIP_PIXELS // image.width // factor) * factor
    result: Image.Image | None = None
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        small = _eight_bit(strip).reduce(factor)
        if result is None:
            result = Image.new(small.mode, (small.width, -(-image.height // factor)))
        result.paste(small, (0, top // factor))
    assert result is not None
    return result


def _to_srgb(image: Image.Image, colour: bytes | ColourSpace | None) -> Image.Image:
    """Return RGB or RGBA in sRGB; a profile that is damaged or of another kind of picture is not used."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    plain = image.convert(image.mode[:-1]) if alpha else image
    rgb = _converted(plain, colour)
    if alpha:
        rgb.putalpha(alpha)
    return rgb


def _converted(image: Image.Image, colour: bytes | ColourSpace | None) -> Image.Image:
    if isinstance(colour, ColourSpace):
        rgb = image.convert("RGB")
        if colour.is_hdr:
            return tone_mapped(rgb, colour)
        return _through_profile(rgb, matrix_profile(colour)) or rgb
    return _through_profile(image, colour) or image.convert("RGB")


def _flattened(image: Image.Image) -> tuple[Image.Image, bool]:
    """Return the picture without transparency, and whether it had any.

    The background is white, or dark where what is visible is itself nearly white: a white logo stays visible.
    """
    if image.mode != "RGBA":
        return image, False
    alpha = image.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return image.convert("RGB"), False
    rgb = image.convert("RGB")
    visible = alpha.point(lambda level: 255 if level > 127 else 0)
    luma = rgb.convert("L")
    bright = bool(visible.getbbox()) and ImageStat.Stat(luma, visible).mean[0] > 200
    background = Image.new("RGB", image.size, _DARK if bright else _WHITE)
    background.paste(rgb, mask=alpha)
    return background, True


def _eight_bit(image: Image.Image) -> Image.Image:
    mode = image.mode
    if mode.startswith("I;16"):
        return image.convert("F").point(lambda level: level * (255 / 65535) + 0).convert("L")
    if image.has_transparency_data and mode not in ("LA", "RGBA"):
        return image.convert("LA" if mode in ("1", "L", "La") else "RGBA")
    if mode in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        return image
    return image.convert("L" if mode == "1" else "RGB")


def _through_profile(image: Image.Image, icc_profile: bytes | None) -> Image.Image | None:
    profile: Any = io.BytesIO(icc_profile) if icc_profile else None
    if image.mode == "LAB":
        profile = profile or ImageCms.createProfile("LAB")
    if profile is None:
        return None
    try:
        source = ImageCms.getOpenProfile(profile) if icc_profile else profile
        return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
