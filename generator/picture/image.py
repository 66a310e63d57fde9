"""One uploaded picture to one conditioning image: probe, decode, upright, sRGB, framed. Knows Pillow, no torch.

It runs inside the picture child (`generator.picture.intake`), which limits its time and memory.
"""

from __future__ import annotations

import contextlib
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pillow_heif
from PIL import AvifImagePlugin, Image, ImageFilter, UnidentifiedImageError

from generator.clip import Framing, Shape
from generator.errors import PictureError, PictureReason
from generator.picture.colour import opaque_srgb
from generator.picture.framing import cover_box, pad_fit, resolve_shape
from generator.picture.limits import PictureLimits
from generator.picture.saliency import salient_focus
from generator.protocol import Note
from generator.variants import Size

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "TIFF")
"""The only loaders that may look at a stranger's file; none of them starts another program, as EPS would."""

DAMAGED = (
    *(OSError, SyntaxError, ValueError, TypeError, AttributeError, AssertionError, RuntimeError),
    *(ArithmeticError, LookupError, EOFError, struct.error, zlib.error),
)
"""What Pillow's loaders are known to raise on a damaged file."""

UPSCALE_TOLD = 1.5
"""from this enlargement on the clip looks soft, and a note says so"""

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
"""where further images mean movement; in TIFF, HEIF and JPEG they are pages, bursts and depth maps"""

_ORIENTATION = 0x0112
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
    """A picture framed for the model: its shape, the size of the upright source in pixels, notes for the person."""

    picture: Image.Image
    shape: Shape
    source_size: Size
    notes: tuple[Note, ...]


def allow_formats(*, max_pixels: int) -> None:
    """Set up Pillow for strangers' files, once a process: HEIF, one thread a decoder, our own pixel limit."""
    pillow_heif.register_heif_opener(thumbnails=False, decode_threads=1)
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    Image.MAX_IMAGE_PIXELS = max_pixels


def probe(path: Path, limits: PictureLimits) -> PictureFacts:
    """Read a picture's facts without decoding it. Raises PictureError."""
    with _opened(path, limits) as image:
        width, height = _upright_size(image)
        return PictureFacts(
            format=str(image.format),
            width=width,
            height=height,
            animated=image.format in _ANIMATED and bool(getattr(image, "is_animated", False)),
        )


def conditioning_image(
    path: Path, sizes: Mapping[str, Size], shape: Shape, framing: Framing, limits: PictureLimits
) -> ConditioningImage:
    """Frame a picture for the model; `sizes` has the model's size for each shape. Raises PictureError."""
    facts = probe(path, limits)
    shape = resolve_shape(facts.width, facts.height, shape)
    picture, notes = frame_picture(path, sizes[shape], framing, limits)
    return ConditioningImage(picture=picture, shape=shape, source_size=(facts.width, facts.height), notes=notes)


def frame_picture(
    path: Path, size: Size, framing: Framing, limits: PictureLimits
) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return the first frame, upright, in sRGB, of exactly `size`, and what the person should know.

    It is never stretched: the picture is cropped, or padded over its own blurred copy. Raises PictureError.
    """
    notes: list[Note] = []
    if probe(path, limits).animated:
        notes.append(Note("first-frame"))
    with _opened(path, limits) as image:
        source = _upright_size(image)
        scale = min(source[0] / size[0], source[1] / size[1])  # source pixels along one pixel of the frame
        small, had_alpha = _small_rgb(image, scale)
        upright = _upright(small, image)
    if had_alpha:
        notes.append(Note("flattened"))
    if scale * UPSCALE_TOLD < 1:
        notes.append(Note("small-picture", {"width": source[0], "height": source[1]}))
    return _framed(upright, size, framing), tuple(notes)


@contextlib.contextmanager
def _opened(path: Path, limits: PictureLimits) -> Iterator[Image.Image]:
    """Open a picture and check its header; any error inside the block becomes a PictureError."""
    count = path.stat().st_size
    if count == 0:
        raise PictureError(PictureReason.EMPTY, "the file is empty")
    if count > limits.max_bytes:
        raise PictureError(PictureReason.TOO_MANY_BYTES, f"{count} bytes", max_bytes=limits.max_bytes, bytes=count)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd EXIF and metadata; what matters raises
            with Image.open(path, formats=FORMATS) as image:
                _check_pixels(image, limits)
                yield image
    except UnidentifiedImageError as error:
        raise _not_opened(path) from error
    except Image.DecompressionBombError as error:
        raise PictureError(PictureReason.TOO_MANY_PIXELS, str(error), max_pixels=limits.max_pixels) from error
    except MemoryError as error:
        raise PictureError(
            PictureReason.TOO_SLOW, "out of memory", max_bytes=limits.memory_bytes, what="memory"
        ) from error
    except DAMAGED as error:
        raise PictureError(PictureReason.CORRUPT, f"{type(error).__name__}: {error}") from error


def _check_pixels(image: Image.Image, limits: PictureLimits) -> None:
    pixels = image.width * image.height
    if pixels == 0:
        raise PictureError(PictureReason.EMPTY, "the picture has no pixels")
    if pixels > limits.max_pixels:
        raise PictureError(
            PictureReason.TOO_MANY_PIXELS, f"{pixels} pixels", max_pixels=limits.max_pixels, pixels=pixels
        )


_OURS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"II*\0", b"MM\0*")
_OUR_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1")
_OTHERS = (
    (0, b"%PDF", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"8BPS", "Photoshop"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "SVG"),
    (0, b"\x00\x00\x01\x00", "icon"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftyp", "video"),
    (0, b"\x1aE\xdf\xa3", "video"),
)


def _not_opened(path: Path) -> PictureError:
    """Return why Pillow could not open it: a damaged picture, another format, or no picture."""
    with path.open("rb") as file:
        head = file.read(16)
    if head.startswith(_OURS) or head[8:12] in (*_OUR_BRANDS, b"WEBP"):
        return PictureError(PictureReason.CORRUPT, "the file begins like a picture but cannot be opened")
    for offset, magic, name in _OTHERS:
        if head[offset:].startswith(magic):
            return PictureError(PictureReason.UNSUPPORTED_FORMAT, f"{name} is not accepted", format=name)
    return PictureError(PictureReason.NOT_A_PICTURE, "no accepted format recognises the file")


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns this one itself, and its size is the upright one already
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (*DAMAGED, MemoryError):
        return 1  # the picture itself may be fine


def _upright_size(image: Image.Image) -> Size:
    width, height = image.size
    return (height, width) if _orientation(image) >= 5 else (width, height)


def _upright(picture: Image.Image, image: Image.Image) -> Image.Image:
    turn = _UPRIGHT.get(_orientation(image))
    return picture if turn is None else picture.transpose(turn)


def _small_rgb(image: Image.Image, scale: float) -> tuple[Image.Image, bool]:
    """Decode to opaque 8-bit sRGB of near the frame's size, and tell whether the picture had transparency."""
    factor = max(1, int(scale / 2))  # leaves 2-4 pixels for one, for the final filter to choose from
    if image.format in ("JPEG", "MPO") and factor > 1:
        width, height = image.size
        image.draft(None, (width // factor, height // factor))
        factor = max(1, factor * image.width // width)
    image.load()
    return opaque_srgb(image, factor)


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
