"""One uploaded picture to one conditioning image: probe, decode, upright, sRGB, framed. Knows Pillow, no torch.

It runs inside the picture child (`generator.picture.intake`), which limits its time and memory.
"""

from __future__ import annotations

import contextlib
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
from PIL import AvifImagePlugin, Image, ImageFilter

from generator.clip import Framing, Shape
from generator.errors import PictureError, PictureReason
from generator.picture.colour import opaque_srgb
from generator.picture.colour_space import ColourSpace, meaning
from generator.picture.fingerprint import fingerprint
from generator.picture.formats.opening import open_picture
from generator.picture.formats.picture import Picture
from generator.picture.framing import cover_box, pad_fit, resolve_shape
from generator.picture.limits import STORED_TIMES, PictureLimits
from generator.picture.saliency import salient_focus
from generator.protocol import Note
from generator.variants import Size

DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError),
    *(ArithmeticError, LookupError, EOFError, struct.error, zlib.error),
)
"""What Pillow's loaders are known to raise on a damaged file."""

UPSCALE_TOLD = 1.5
"""from this enlargement on the clip looks soft, and a note says so"""

_OUT_OF_MEMORY = re.compile("out of memory|allocat", re.IGNORECASE)
"""how decoders say it that have no error of their own for it"""

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""what undoes each EXIF orientation"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureFacts:
    """What a file's header says; `width` and `height` (pixels) are those of the upright picture."""

    format: str
    width: int
    height: int
    animated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditioningImage:
    """A picture framed for the model: its shape, the size of the upright source in pixels, notes for the person.

    `hash` is that of the whole picture, by `fingerprint`.
    """

    picture: Image.Image
    shape: Shape
    source_size: Size
    notes: tuple[Note, ...]
    hash: str | None = None


def allow_formats(*, max_pixels: int) -> None:
    """Set up Pillow for strangers' files, once a process: HEIF, one thread a decoder, our own pixel limit."""
    pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = STORED_TIMES * max_pixels // 2  # Pillow refuses from twice this on


def probe(path: Path, limits: PictureLimits) -> PictureFacts:
    """Read a picture's facts without decoding it. Raises PictureError."""
    with _refusals(limits), _opened(path, limits) as picture:
        width, height = _upright_size(picture)
        return PictureFacts(format=picture.format, width=width, height=height, animated=picture.animated)


def conditioning_image(
    path: Path, sizes: Mapping[str, Size], shape: Shape, framing: Framing, limits: PictureLimits
) -> ConditioningImage:
    """Frame a picture for the model; `sizes` has the model's size for each shape. Raises PictureError."""
    facts = probe(path, limits)
    shape = resolve_shape(facts.width, facts.height, shape)
    size = sizes[shape]
    with _refusals(limits):
        whole, notes = _read(path, size, limits)
        return ConditioningImage(
            picture=_framed(whole, size, framing),
            shape=shape,
            source_size=(facts.width, facts.height),
            notes=notes,
            hash=fingerprint(whole),
        )


def frame_picture(
    path: Path, size: Size, framing: Framing, limits: PictureLimits
) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return the first frame, upright, in sRGB, of exactly `size`, and what the person should know.

    It is never stretched: the picture is cropped, or padded over its own blurred copy. Raises PictureError.
    """
    with _refusals(limits):
        whole, notes = _read(path, size, limits)
        return _framed(whole, size, framing), notes


def _read(path: Path, size: Size, limits: PictureLimits) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return the whole first frame, upright, in sRGB, at least as large as `size` needs, and the notes about it."""
    notes: list[Note] = []
    with _opened(path, limits) as picture:
        source, colour = _upright_size(picture), meaning(picture.colour)
        if picture.animated:
            notes.append(Note("first-frame"))
        scale = min(source[0] / size[0], source[1] / size[1])  # source pixels along one pixel of the frame
        small, had_alpha = _small_rgb(picture, scale, limits)
        turn = picture.orientation
    if isinstance(colour, ColourSpace) and colour.is_hdr:
        notes.append(Note("hdr"))
    if had_alpha:
        notes.append(Note("flattened"))
    if scale * UPSCALE_TOLD < 1:
        notes.append(Note("small-picture", {"width": source[0], "height": source[1]}))
    return _upright(small, turn), tuple(notes)


@contextlib.contextmanager
def _refusals(limits: PictureLimits) -> Iterator[None]:
    """Make a PictureError of any error inside the block."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF and metadata; what matters raises
            yield
    except Image.DecompressionBombError as error:
        raise PictureError(PictureReason.TOO_MANY_PIXELS, str(error), max_pixels=limits.max_pixels) from error
    except (MemoryError, *DAMAGED) as error:
        if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
            raise PictureError(
                PictureReason.TOO_SLOW, "out of memory", max_bytes=limits.memory_bytes, what="memory"
            ) from error
        raise PictureError(PictureReason.CORRUPT, f"{type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _opened(path: Path, limits: PictureLimits) -> Iterator[Picture]:
    """Open a picture and check its header."""
    count = path.stat().st_size
    if count == 0:
        raise PictureError(PictureReason.EMPTY, "the file is empty")
    if count > limits.max_bytes:
        raise PictureError(PictureReason.TOO_MANY_BYTES, f"{count} bytes", max_bytes=limits.max_bytes, bytes=count)
    with path.open("rb") as file:
        picture = open_picture(file)
        _check_pixels(picture, limits)
        with picture.image:
            yield picture


def _check_pixels(picture: Picture, limits: PictureLimits) -> None:
    """Refuse what costs too much to decode, before it is decoded."""
    pixels, most = picture.cost.stored, limits.most_pixels(picture.cost)
    if pixels == 0:
        raise PictureError(PictureReason.EMPTY, "the picture has no pixels")
    if pixels > most:
        text = f"{pixels / 1e6:.0f} million pixels are too many; for this {picture.kind} the limit is {most / 1e6:.0f}"
        own = {"kind": picture.kind} if most != limits.max_pixels else {}
        raise PictureError(PictureReason.TOO_MANY_PIXELS, text, max_pixels=most, pixels=pixels, **own)


def _upright_size(picture: Picture) -> Size:
    width, height = picture.size
    return (height, width) if picture.orientation >= 5 else (width, height)


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _small_rgb(picture: Picture, scale: float, limits: PictureLimits) -> tuple[Image.Image, bool]:
    """Decode to opaque 8-bit sRGB of near the frame's size, and tell whether the picture had transparency."""
    factor = picture.shrink(shrink_factor(scale))
    _check_pixels(picture, limits)
    return opaque_srgb(picture.load(), factor, meaning(picture.colour))


def shrink_factor(scale: float) -> int:
    """Return how many times smaller a picture may be before it is framed, from its pixels along one of the frame.

    It leaves 2-4 pixels for one, for the final filter to choose from.
    """
    return max(1, int(scale / 2))


def _framed(picture: Image.Image, size: Size, framing: Framing) -> Image.Image:
    if framing is Framing.PAD:
        return _padded(picture, size)
    focus = salient_focus(picture, size) if framing is Framing.SMART else (0.5, 0.5)
    return _cut(picture, size, cover_box(picture.size, size, focus))


def _cut(picture: Image.Image, size: Size, box: tuple[float, float, float, float]) -> Image.Image:
    return picture.resize(size, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def _padded(picture: Image.Image, size: Size) -> Image.Image:
    """Return the whole picture over its own blurred, slightly darker copy."""
    fitted, box = pad_fit(picture.size, size)
    if fitted == size:
        return _cut(picture, size, box)
    behind = _cut(picture, size, cover_box(picture.size, size))
    behind = behind.filter(ImageFilter.GaussianBlur(max(size) / 24)).point(lambda level: level * 0.8)
    behind.paste(_cut(picture, fitted, box), ((size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2))
    return behind
