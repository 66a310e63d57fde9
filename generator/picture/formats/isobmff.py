"""AVIF and HEIC: the colour codes that say HDR or a wide gamut, and the turn that the container makes.

Pillow does not tell AVIF's codes, and refuses AVIFs of encoders that leave out the size of the alpha channel.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from PIL import Image, UnidentifiedImageError

from generator.picture.colour_space import SRGB_TRANSFER, ColourSpace, from_cicp
from generator.picture.formats.boxes import Meta
from generator.picture.formats.picture import Picture
from generator.picture.formats.splice import spliced

_ORIENTATION = 0x0112
_NOT_SAID = 2
AVIF_BRANDS = (b"avif", b"avis")
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
EITHER = (b"mif1", b"msf1")
_ORDINARY = (_NOT_SAID, 1, 6, 14, 15)


class Heif(Picture):
    """A HEIC; libheif has turned it already."""

    bytes_per_pixel = 7.7

    @property
    def orientation(self) -> int:
        """Upright."""
        return 1

    @property
    def colour(self) -> bytes | ColourSpace | None:
        """What the numbers mean."""
        codes: dict[str, Any] = self.image.info.get("nclx_profile") or {}
        return _colour(self.image, codes.get("color_primaries", 2), codes.get("transfer_characteristics", 2))


class Avif(Picture):
    """An AVIF, or the first frame of one that moves."""

    moves = True
    bytes_per_pixel = 9.1

    def __init__(self, image: Image.Image, codes: tuple[int, int]) -> None:
        super().__init__(image)
        self._codes = codes

    @property
    def orientation(self) -> int:
        """What the container's own boxes say; Pillow writes it over the Exif's."""
        exif = Image.Exif()
        exif.load(self.image.info.get("exif", b""))
        value = exif.get(_ORIENTATION, 1)
        return value if value in range(1, 9) else 1

    @property
    def colour(self) -> bytes | ColourSpace | None:
        """What the numbers mean."""
        return _colour(self.image, *self._codes)


def open_heif(file: BinaryIO) -> Heif:
    """Read the header. Raises what Pillow raises."""
    return Heif(Image.open(_branded(file, b"heic"), formats=("HEIF",)))


def open_avif(file: BinaryIO) -> Avif:
    """Read the header. Raises what Pillow raises."""
    file = _branded(file, b"avif")
    meta = Meta.read(file)
    codes = meta.colour_codes() if meta else (2, 2)
    file.seek(0)
    try:
        return Avif(Image.open(file, formats=("AVIF",)), codes)
    except UnidentifiedImageError:
        parts = meta.with_sizes() if meta else None
        if parts is None:
            raise
        return Avif(Image.open(spliced(file, parts), formats=("AVIF",)), codes)


def _branded(file: BinaryIO, brand: bytes) -> BinaryIO:
    """Return a file with a brand that Pillow knows, where its own one is a general one."""
    head, size = file.read(12), file.seek(0, 2)
    file.seek(0)
    return file if head[8:12] in (*AVIF_BRANDS, *HEIF_BRANDS, *EITHER) else spliced(file, [(0, 8), brand, (12, size)])


def _colour(image: Image.Image, primaries: int, transfer: int) -> bytes | ColourSpace | None:
    """Return the profile, else what the codes say; the codes of ordinary video count as sRGB, as in browsers."""
    profile: bytes | None = image.info.get("icc_profile")
    if profile:
        return profile
    return from_cicp(1 if primaries == _NOT_SAID else primaries, SRGB_TRANSFER if transfer in _ORDINARY else transfer)
