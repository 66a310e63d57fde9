"""TIFF: numbers whose meaning is sure become a picture, every other kind is refused by name.

A TIFF may hold anything, measurements too. libtiff reads it, for Pillow's own reader makes noise of separate planes.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from PIL import Image, ImageChops, ImageMath, TiffImagePlugin, UnidentifiedImageError

from generator.errors import PictureError, PictureReason
from generator.picture.formats.picture import Picture

_WHITE_IS_ZERO = 0
_BITS, _PHOTOMETRIC, _SAMPLES, _PLANES, _COLOUR_MAP, _FORMAT = 258, 262, 277, 284, 320, 339
_APART = 2
_BIG_ENDIAN_BIGTIFF = b"MM\0+"
_SIGNED_FORMAT, _FLOAT_FORMAT = 2, 3
_AS_THE_MACHINE = {
    **dict.fromkeys(("F;32F", "F;32BF"), "F;32NF"),
    **dict.fromkeys(("I;16S", "I;16BS"), "I;16NS"),
    **dict.fromkeys(("I;32S", "I;32BS"), "I;32NS"),
}
"""libtiff gives numbers in the machine's own byte order, which Pillow forgets for these"""


class Tiff(Picture):
    """The first page of a TIFF. Pillow turns it itself."""

    @property
    def orientation(self) -> int:
        """Upright."""
        return 1

    def load(self) -> Image.Image:
        """Decode it. Raises PictureError where the numbers' meaning is not sure."""
        image: Any = self.image
        bits, whole = image.tag_v2.get(_BITS, (1,))[0], image.tag_v2.get(_PHOTOMETRIC, _WHITE_IS_ZERO)
        colours = image.tag_v2.get(_COLOUR_MAP)
        if kind := _misread(image):
            raise _refused(kind)
        if _SIGNED_FORMAT in image.tag_v2.get(_FORMAT, (1,)) and bits < 32:
            raise _refused("numbers below zero")
        image.tile = [tile._replace(args=_native(tile.args)) for tile in image.tile]
        image.load()
        if image.mode == "P" and colours and max(colours) < 256:  # written by programs that know 8 bits only
            image.putpalette(bytes(value & 255 for value in colours), "RGB;L")
        if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            return self.image
        most = 2**bits - 1 if image.mode.startswith("I;16") else _highest(self.image)
        grey = _eight_bits(self.image, most)
        return ImageChops.invert(grey) if whole == _WHITE_IS_ZERO else grey


def open_tiff(file: BinaryIO) -> Tiff:
    """Read the header. Raises PictureError for a sound file of a kind that Pillow does not know."""
    TiffImagePlugin.READ_LIBTIFF = True
    try:
        return Tiff(Image.open(file, formats=("TIFF",)))
    except UnidentifiedImageError:
        file.seek(0)
        big = file.read(4) == _BIG_ENDIAN_BIGTIFF
        if kind := "64-bit offsets, high bytes first" if big else _described(file):
            raise _refused(kind) from None
        raise


def _misread(image: Any) -> str | None:
    """Return what Pillow opens but reads wrongly or not at all."""
    channels = image.tag_v2.get(_SAMPLES, 1)
    if image.tag_v2.get(_PLANES) == _APART and (image.mode in ("LA", "La") or channels > 4):
        return f"{channels} separate planes"
    return "WebP's compression" if image.info.get("compression") == "webp" else None


def _native(args: Any) -> Any:
    return (_AS_THE_MACHINE.get(args[0], args[0]), *args[1:]) if isinstance(args, tuple) else args


def _highest(image: Image.Image) -> int:
    """Return 255 or 65535, whichever whole numbers without a sign are meant to reach. Raises PictureError."""
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if image.mode == "F" and not _is_whole(image):
        raise _refused("floating point numbers")
    if low < 0 or not high <= 65535:
        raise _refused("numbers of 32 bits or below zero")
    return 255 if high <= 255 else 65535


def _is_whole(image: Image.Image) -> bool:
    rest = ImageMath.lambda_eval(lambda args: abs(args["im"] - args["float"](args["int"](args["im"]))), im=image)
    return bool(rest.getextrema()[1] == 0)


def _eight_bits(image: Image.Image, most: int) -> Image.Image:
    scale = 255 / most
    return image.convert("F").point(lambda level: level * scale + 0).convert("L")


def _described(file: BinaryIO) -> str | None:
    """Return what kind of TIFF it is, if at least its first directory is sound."""
    try:
        file.seek(0)
        tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
        file.seek(tags.next)
        tags.load(file)
        width, bits, formats = tags[256], tags.get(_BITS, (1,)), tags.get(_FORMAT, (1,))
    except Exception:  # noqa: BLE001 - whatever it is, it is damaged then
        return None
    if not width:
        return None
    kind = "floating point numbers" if _FLOAT_FORMAT in formats else f"{bits[0]} bits"
    return f"{kind}, {len(bits)} channels"


def _refused(kind: str) -> PictureError:
    return PictureError(PictureReason.UNSUPPORTED_FORMAT, f"a TIFF of {kind} is not accepted", format="TIFF", kind=kind)
