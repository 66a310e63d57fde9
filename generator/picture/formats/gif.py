"""GIF: where the first frame does not cover the canvas, the rest is transparent, as in browsers.

A file that lost its last bytes is read if the frame is all there.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from PIL import Image, ImageChops

from generator.errors import PictureError, PictureReason
from generator.picture.formats.picture import Picture
from generator.picture.formats.splice import spliced

_ENDS = (b"\0" * 512, b"\xaa" * 512)
"""two ways to go on where the file ends: a frame that is whole looks the same with both"""


class Gif(Picture):
    """The first frame of a GIF; Pillow fills what it leaves free with a colour."""

    moves = True

    def __init__(self, image: Image.Image, file: BinaryIO) -> None:
        super().__init__(image)
        self._file = file

    def load(self) -> Image.Image:
        """Decode the first frame. Raises PictureError where rows are missing."""
        image: Any = self.image
        covered = image.tile[0].extents if image.tile else None
        try:
            image.load()
        except OSError:
            image = self._rescued()
        if covered is None or covered == (0, 0, *image.size):
            return image  # type: ignore[no-any-return]
        canvas = Image.new("RGBA", image.size)
        canvas.paste(image.crop(covered).convert("RGBA"), covered[:2])
        return canvas

    def _rescued(self) -> Image.Image:
        try:
            first, second = (self._with(end) for end in _ENDS)
        except (OSError, EOFError):
            whole = False
        else:
            whole = ImageChops.difference(first.convert("RGB"), second.convert("RGB")).getbbox() is None
        if not whole:
            raise PictureError(PictureReason.CORRUPT, "the file ends before the picture does", what="cut-short")
        return first

    def _with(self, end: bytes) -> Image.Image:
        size = self._file.seek(0, 2)
        image = Image.open(spliced(self._file, [(0, size), end]), formats=("GIF",))
        image.load()
        return image


def open_gif(file: BinaryIO) -> Gif:
    """Read the header. Raises what Pillow raises."""
    return Gif(Image.open(file, formats=("GIF",)), file)
