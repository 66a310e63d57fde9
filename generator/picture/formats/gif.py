"""GIF: where the first frame does not cover the canvas, the rest is transparent, as in browsers."""

from __future__ import annotations

from PIL import Image

from generator.picture.formats.picture import Picture


class Gif(Picture):
    """The first frame of a GIF; Pillow fills what it leaves free with a colour."""

    moves = True

    def load(self) -> Image.Image:
        """Decode the first frame."""
        covered = self.image.tile[0].extents if self.image.tile else None  # type: ignore[attr-defined]
        self.image.load()
        if covered is None or covered == (0, 0, *self.image.size):
            return self.image
        canvas = Image.new("RGBA", self.image.size)
        canvas.paste(self.image.crop(covered).convert("RGBA"), covered[:2])
        return canvas
