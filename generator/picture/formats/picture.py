"""A file that Pillow has opened, and what each format's own file in this folder may know better.

Tested in tests/generator/picture/test_image.py.
"""

from __future__ import annotations

from PIL import Image

from generator.picture.colour_space import ColourSpace
from generator.picture.formats.exif import orientation
from generator.picture.limits import Cost
from generator.variants import Size


class Picture:
    """A picture whose header is read; nothing is decoded before `load`."""

    moves = False
    """whether further images in a file of this format mean movement, and not pages, bursts or depth maps"""

    bytes_per_pixel = 0.0
    """what decoding takes at least, where the decoder does not say that it is out of memory; measured"""

    def __init__(self, image: Image.Image) -> None:
        self.image = image

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return str(self.image.format)

    @property
    def size(self) -> Size:
        """Width and height as stored, not turned."""
        return self.image.size

    @property
    def orientation(self) -> int:
        """The EXIF orientation, 1-8, that `load` leaves to be undone."""
        return orientation(self.image.info.get("exif", b"").removeprefix(b"Exif\0\0"))

    @property
    def animated(self) -> bool:
        """Whether the file holds more frames than the one that `load` gives."""
        return self.moves and bool(getattr(self.image, "is_animated", False))

    @property
    def colour(self) -> bytes | ColourSpace | None:
        """What the pixels' numbers mean: an ICC profile or a colour space; None is sRGB."""
        return self.image.info.get("icc_profile")

    @property
    def kind(self) -> str:
        """What a person would call the kind of file."""
        return self.format

    @property
    def cost(self) -> Cost:
        """What decoding takes at least."""
        pixels = self.size[0] * self.size[1]
        return Cost(stored=pixels, decoded=pixels, bytes=int(pixels * self.bytes_per_pixel))

    def shrink(self, factor: int) -> int:
        """Let the decoder itself make each side smaller, at most by `factor`, and return what is left of the factor."""
        return factor

    def load(self) -> Image.Image:
        """Decode the first frame, in a mode that `colour.opaque_srgb` takes."""
        self.image.load()
        return self.image
