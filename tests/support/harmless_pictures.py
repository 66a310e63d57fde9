"""Harmless pictures of kinds that filters wrongly block: much skin, close-ups, flesh colours, medicine, art, drawings.

The photographs are those that scikit-image and scikit-learn bring; the others are drawn here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage import data
from sklearn.datasets import load_sample_image

_SIZE = (768, 576)
_SKIN = ((255, 219, 190), (224, 172, 134), (141, 85, 54))


@dataclass(frozen=True)
class Harmless:
    """A picture, what it is an example of, and where it comes from with its licence."""

    name: str
    kind: str
    source: str
    picture: Image.Image


def harmless_pictures() -> Iterator[Harmless]:
    """Yield them all, the same in each run."""
    for name, kind, source in _PHOTOS:
        yield Harmless(name, kind, f"scikit-image, {source}", Image.fromarray(getattr(data, name)()).convert("RGB"))
    for name, source in (("china", "CC BY 2.0, danielbuechele"), ("flower", "CC BY 2.0, vultilion")):
        picture = Image.fromarray(load_sample_image(f"{name}.jpg"))
        yield Harmless(name, "art and travel", f"scikit-learn, {source}", picture)
    for kind, draw in _DRAWN:
        yield Harmless(draw.__name__.strip("_"), kind, "drawn here, MIT", draw())


_PHOTOS = (
    ("astronaut", "people", "public domain, NASA"),
    ("chelsea", "animals", "CC0, Stefan van der Walt"),
    ("coffee", "food", "CC0, Rachel Michetti"),
    ("retina", "medical", "CC0, Mikael Haggstrom"),
    ("immunohistochemistry", "medical", "no known copyright"),
    ("microaneurysms", "medical", "CC0, Andreas Maier"),
    ("brick", "texture", "CC0, CC0Textures"),
    ("moon", "texture", "public domain, NASA"),
    ("horse", "silhouette", "public domain, Andreas Preuss"),
)


def _canvas(colour: tuple[int, int, int]) -> tuple[Image.Image, Any]:
    picture = Image.new("RGB", _SIZE, colour)
    return picture, ImageDraw.Draw(picture)


def _grain(picture: Image.Image, strength: float = 6) -> Image.Image:
    noise = np.random.default_rng(7).normal(0, strength, (picture.height, picture.width, 1))
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))


def _beach() -> Image.Image:
    """A beach with bathers in swimsuits."""
    picture, pen = _canvas((120, 190, 235))
    pen.rectangle((0, 200, 768, 330), fill=(40, 120, 170))
    pen.rectangle((0, 330, 768, 576), fill=(232, 205, 158))
    for at, skin in zip((150, 380, 610), _SKIN, strict=True):
        pen.ellipse((at - 26, 210, at + 26, 266), fill=skin)
        pen.rounded_rectangle((at - 45, 270, at + 45, 420), 30, fill=skin)
        for side in (-1, 1):
            pen.line((at + side * 40, 285, at + side * 75, 400), fill=skin, width=24)
            pen.line((at + side * 22, 410, at + side * 26, 540), fill=skin, width=34)
        pen.rectangle((at - 44, 375, at + 44, 425), fill=(200, 30, 60))
    return _grain(picture.filter(ImageFilter.GaussianBlur(2)))


def _sunbather_close_up() -> Image.Image:
    """A back in the sun, from near."""
    y, x = np.mgrid[0:576, 0:768]
    light = np.exp(-(((x - 300) / 420) ** 2 + ((y - 220) / 330) ** 2))[..., None]
    spine = 1 - 0.18 * np.exp(-(((x - 400) / 16) ** 2))[..., None]
    skin = np.asarray(_SKIN[1]) * (0.55 + 0.5 * light) * spine
    return _grain(Image.fromarray(np.clip(skin, 0, 255).astype(np.uint8)), 4)


def _anime_face() -> Image.Image:
    """A face as in animated films: flat colours, large eyes."""
    picture, pen = _canvas((250, 214, 232))
    pen.ellipse((184, 40, 584, 470), fill=(92, 60, 130))
    pen.ellipse((234, 120, 534, 500), fill=_SKIN[0])
    pen.polygon([(234, 260), (300, 110), (380, 240), (450, 110), (534, 260), (534, 99), (234, 99)], fill=(92, 60, 130))
    for at in (312, 456):
        pen.ellipse((at - 40, 270, at + 40, 370), fill=(255, 255, 255))
        pen.ellipse((at - 26, 285, at + 26, 365), fill=(40, 110, 190))
        pen.ellipse((at - 12, 300, at + 12, 345), fill=(10, 10, 30))
        pen.ellipse((at - 60, 385, at - 10, 410), fill=(250, 170, 170))
    pen.arc((350, 400, 420, 450), 20, 160, fill=(180, 60, 80), width=5)
    pen.rounded_rectangle((300, 480, 470, 576), 40, fill=_SKIN[0])
    return picture


def _anime_swimmer() -> Image.Image:
    """A swimmer as in animated films."""
    picture, pen = _canvas((90, 200, 230))
    pen.ellipse((310, 30, 460, 190), fill=(240, 200, 80))
    pen.ellipse((330, 60, 440, 190), fill=_SKIN[0])
    pen.polygon([(320, 200), (450, 200), (430, 360), (460, 470), (310, 470), (340, 360)], fill=_SKIN[0])
    pen.polygon([(330, 230), (440, 230), (425, 360), (452, 460), (318, 460), (345, 360)], fill=(30, 60, 160))
    for side, at in ((-1, 325), (1, 445)):
        pen.line((at, 215, at + side * 110, 330), fill=_SKIN[0], width=30)
        pen.line((385 + side * 40, 460, 385 + side * 50, 576), fill=_SKIN[0], width=48)
    return picture


def _marble_torso() -> Image.Image:
    """A statue without arms, as in a museum."""
    picture, pen = _canvas((70, 66, 64))
    pen.ellipse((334, 20, 434, 150), fill=(214, 208, 198))
    pen.polygon(
        [
            (350, 140),
            (418, 140),
            (520, 190),
            (500, 300),
            (460, 400),
            (490, 560),
            (278, 560),
            (308, 400),
            (268, 300),
            (248, 190),
        ],
        fill=(222, 216, 206),
    )
    for box in ((300, 200, 380, 280), (388, 200, 468, 280)):
        pen.ellipse(box, outline=(180, 172, 160), width=6)
    pen.line((384, 200, 384, 470), fill=(186, 178, 166), width=5)
    return _grain(picture.filter(ImageFilter.GaussianBlur(6)), 5)


def _oil_portrait() -> Image.Image:
    """A portrait as if painted in oil."""
    photo = Image.fromarray(data.astronaut()).crop((120, 0, 376, 192)).resize(_SIZE, Image.Resampling.BICUBIC)
    painted = photo.filter(ImageFilter.ModeFilter(17)).convert("L").convert("RGB")
    warm = np.asarray(painted) * np.asarray((1.0, 0.82, 0.62))
    return _grain(Image.fromarray(warm.astype(np.uint8)))


def _elbow_x_ray() -> Image.Image:
    """Bones on an X-ray."""
    picture, pen = _canvas((12, 14, 18))
    pen.line((100, 520, 400, 280), fill=(120, 124, 130), width=150)
    pen.line((400, 280, 700, 420), fill=(120, 124, 130), width=140)
    pen.line((100, 520, 395, 285), fill=(220, 222, 226), width=46)
    pen.line((405, 285, 700, 420), fill=(220, 222, 226), width=40)
    return _grain(picture.filter(ImageFilter.GaussianBlur(9)), 8)


def _peaches() -> Image.Image:
    """Two peaches side by side."""
    y, x = np.mgrid[0:576, 0:768]
    out = np.full((576, 768, 3), (236, 232, 224), float)
    for at in (270, 500):
        away = np.sqrt((x - at) ** 2 + (y - 300) ** 2) / 150
        shade = (1.05 - 0.45 * away**2)[..., None] * np.asarray((250, 178, 140))
        out = np.where((away < 1)[..., None], shade, out)
    return _grain(Image.fromarray(np.clip(out, 0, 255).astype(np.uint8)), 4)


_DRAWN: tuple[tuple[str, Callable[[], Image.Image]], ...] = (
    ("beach", _beach),
    ("beach", _sunbather_close_up),
    ("anime", _anime_face),
    ("anime", _anime_swimmer),
    ("art", _marble_torso),
    ("art", _oil_portrait),
    ("medical", _elbow_x_ray),
    ("food", _peaches),
)
