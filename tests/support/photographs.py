"""Twenty-four photographs that the demo model never saw, each from a package, with its licence.

Ten come with scikit-image and two with scikit-learn, which the tests need anyway; twelve are in Debian's package
mate-backgrounds.

Tested in tests/benchmarks/test_demo.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import skimage.data
import sklearn.datasets
from PIL import Image

_SKIMAGE = Path(skimage.data.__file__).parent
_SKLEARN = Path(sklearn.datasets.__file__).parent / "images"
MATE = Path("/usr/share/backgrounds/mate/nature")
"""where Debian's package installs its pictures"""


@dataclass(frozen=True)
class Photograph:
    """A picture in a package: whose it is, under which licence, and what installs it."""

    name: str
    path: Path
    author: str
    licence: str
    package: str

    def open(self) -> Image.Image:
        """Return the picture as RGB. Raises OSError where the package is not installed."""
        with Image.open(self.path) as image:
            return image.convert("RGB")


def _of_skimage(file: str, author: str, licence: str) -> Photograph:
    return Photograph(file.split(".")[0], _SKIMAGE / file, author, licence, "scikit-image")


def _of_sklearn(file: str, author: str) -> Photograph:
    return Photograph(file.split(".")[0], _SKLEARN / file, author, "CC BY 2.0", "scikit-learn")


def _of_mate(file: str, author: str, folder: Path) -> Photograph:
    return Photograph(file.split(".")[0], folder / file, author, "GPL-2+", "mate-backgrounds (Debian)")


def photographs(mate: Path = MATE) -> list[Photograph]:
    """Return all of them, installed or not; `mate` is the folder with the pictures of mate-backgrounds."""
    return [
        _of_skimage("astronaut.png", "NASA", "public domain"),
        _of_skimage("chelsea.png", "Stéfan van der Walt", "CC0"),
        _of_skimage("coffee.png", "Pikolo Espresso Bar, Rachel Michetti", "CC0"),
        _of_skimage("rocket.jpg", "SpaceX", "public domain"),
        _of_skimage("camera.png", "Lav Varshney", "CC0"),
        _of_skimage("coins.png", "Brooklyn Museum", "no known copyright restrictions"),
        _of_skimage("hubble_deep_field.jpg", "NASA", "public domain"),
        _of_skimage("retina.jpg", "Mikael Häggström", "CC0"),
        _of_skimage("brick.png", "CC0Textures", "CC0"),
        _of_skimage("gravel.png", "CC0Textures", "CC0"),
        _of_sklearn("china.jpg", "Daniel Büchele"),
        _of_sklearn("flower.jpg", "vultilion"),
        _of_mate("Aqua.jpg", "Charles Barbin", mate),
        _of_mate("Blinds.jpg", "Lennart Poettering, Andrea Cimitan", mate),
        _of_mate("Dune.jpg", "Marco Cogoni, Hylke Bons", mate),
        _of_mate("FreshFlower.jpg", "Jens Ansorg", mate),
        _of_mate("Garden.jpg", "Charles Barbin", mate),
        _of_mate("GreenMeadow.jpg", "Timothy Schellhase, Lapo Calamandrei", mate),
        _of_mate("LadyBird.jpg", "Charles Barbin", mate),
        _of_mate("RainDrops.jpg", "blackcombwhistler07", mate),
        _of_mate("Storm.jpg", "Sergey Nazarov", mate),
        _of_mate("TwoWings.jpg", "Charles Barbin, Hylke Bons", mate),
        _of_mate("Wood.jpg", "Jean-François Fortin Tam", mate),
        _of_mate("YellowFlower.jpg", "Charles Barbin", mate),
    ]


def installed(mate: Path = MATE) -> tuple[list[Photograph], list[Photograph]]:
    """Return those that are here, and those that are not."""
    here = [each for each in photographs(mate) if each.path.is_file()]
    return here, [each for each in photographs(mate) if each not in here]
