"""Every picture in: any shape, any kind of pixel, upright, sRGB, never stretched."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from generator.clip import Framing, Shape
from generator.errors import PictureError, PictureReason
from generator.picture.framing import cover_box
from generator.picture.image import allow_formats, frame_picture, probe, shrink_factor
from generator.picture.limits import PictureLimits
from generator.variants import BUILT_IN
from tests.support.scenes import blobs

LIMITS = PictureLimits()
SIZES = [variant.size(shape) for variant in BUILT_IN.values() for shape in Shape if shape is not Shape.AUTO]
SMALL = (128, 72)


@pytest.fixture(scope="module", autouse=True)
def _formats() -> None:
    allow_formats(max_pixels=LIMITS.max_pixels)


def framed(path: Path, size: tuple[int, int] = SMALL, framing: Framing = Framing.CROP) -> np.ndarray:
    picture, _ = frame_picture(path, size, framing, LIMITS)
    assert (picture.size, picture.mode) == (size, "RGB")
    return np.asarray(picture).astype(int)


def notes_of(path: Path, size: tuple[int, int] = SMALL) -> dict[str, dict[str, object]]:
    return {note.kind: note.data for note in frame_picture(path, size, Framing.CROP, LIMITS)[1]}


def refusal(path: Path, limits: PictureLimits = LIMITS) -> PictureReason:
    with pytest.raises(PictureError) as caught:
        frame_picture(path, SMALL, Framing.CROP, limits)
    return caught.value.reason


def markers(width: int, height: int) -> Image.Image:
    """Red at the top left, green at the top right, blue at the bottom left, white at the bottom right."""
    corners = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.NEAREST)


def assert_markers(picture: np.ndarray) -> None:
    height, width = picture.shape[:2]
    for y, x, colour in (
        (0.2, 0.2, (255, 0, 0)),
        (0.2, 0.8, (0, 255, 0)),
        (0.8, 0.2, (0, 0, 255)),
        (0.8, 0.8, (255,) * 3),
    ):
        assert np.abs(picture[int(height * y), int(width * x)] - colour).max() < 40, (y, x)


# -- real pictures


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 400), st.integers(1, 400), st.sampled_from(SIZES), st.sampled_from(Framing), st.integers(1, 8),
    st.sampled_from(["png", "jpg", "webp", "bmp"]),
)  # fmt: skip
def test_the_result_is_of_the_models_size_and_always_the_same(
    tmp_path: Path, width: int, height: int, size: tuple[int, int], framing: Framing, orientation: int, format: str
) -> None:
    path = tmp_path / f"p.{format}"
    exif = Image.Exif()
    exif[0x0112] = orientation
    more: dict[str, Any] = {} if format == "bmp" else {"exif": exif}
    blobs(width, height).save(path, **more)
    first, notes = frame_picture(path, size, framing, LIMITS)
    again, _ = frame_picture(path, size, framing, LIMITS)
    assert (first.size, first.mode) == (size, "RGB")
    assert first.tobytes() == again.tobytes()
    facts = probe(path, LIMITS)
    turned = orientation >= 5 and format != "bmp"
    assert (facts.width, facts.height) == ((height, width) if turned else (width, height))
    assert {note.kind for note in notes} <= {"small-picture"}


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000), (20_000, 40), (40, 20_000), (1, 1), (9000, 3000)])
def test_extreme_pictures_are_framed(tmp_path: Path, size: tuple[int, int], framing: Framing) -> None:
    Image.new("RGB", size, (200, 30, 60)).save(path := tmp_path / "p.png")
    picture = framed(path, (256, 144), framing)
    assert np.abs(picture[72, 128] - (200, 30, 60)).max() <= 1


@pytest.mark.parametrize("framing", Framing)
@pytest.mark.parametrize("size", [(777, 400), (400, 777), (3001, 1999), (100, 100)])
def test_a_circle_stays_a_circle(tmp_path: Path, size: tuple[int, int], framing: Framing) -> None:
    y, x = np.mgrid[: size[1], : size[0]]
    radius = min(size) * 0.15
    inside = (x + 0.5 - size[0] / 2) ** 2 + (y + 0.5 - size[1] / 2) ** 2 < radius**2
    Image.fromarray((inside * 255).astype(np.uint8)).save(path := tmp_path / "p.png")
    picture = framed(path, (1024, 576), framing)[..., 0] / 255
    if framing is Framing.PAD:
        picture = picture[:, 512 - 140 : 512 + 140]  # without its blurred copy at the sides
    across, down = picture.sum(1).max(), picture.sum(0).max()
    assert across / down == pytest.approx(1, abs=0.01)
    assert across > 40


SAVERS: dict[str, Callable[[Image.Image, Path], None]] = {
    "jpg": lambda image, path: image.save(path, quality=95),
    "png": lambda image, path: image.save(path),
    "webp": lambda image, path: image.save(path, lossless=True),
    "gif": lambda image, path: image.save(path),
    "avif": lambda image, path: image.save(path, quality=90),
    "heic": lambda image, path: image.save(path, quality=90),
    "heif": lambda image, path: image.save(path, quality=90),
    "bmp": lambda image, path: image.save(path),
    "tiff": lambda image, path: image.save(path),
}


@pytest.mark.parametrize("format", SAVERS)
def test_every_format_is_read(tmp_path: Path, format: str) -> None:
    SAVERS[format](markers(320, 180), path := tmp_path / f"p.{format}")
    assert_markers(framed(path))
    facts = probe(path, LIMITS)
    assert (facts.width, facts.height, facts.animated) == (320, 180, False)


def test_the_name_of_a_file_means_nothing(tmp_path: Path) -> None:
    markers(320, 180).save(path := tmp_path / "p.jpg", format="PNG")
    assert_markers(framed(path))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["jpg", "png", "webp", "tiff", "avif", "heic"])
def test_the_orientation_is_honoured(tmp_path: Path, format: str, orientation: int) -> None:
    """The stored picture is turned so that its orientation tag turns it back."""
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose values: how a camera would have held it
    upright = markers(320, 180)
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undo[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    more: dict[str, Any] = {} if format == "tiff" else {"quality": 90}
    stored.save(path := tmp_path / f"p.{format}", exif=exif.tobytes(), **more)
    facts = probe(path, LIMITS)
    assert (facts.width, facts.height) == (320, 180)
    assert_markers(framed(path))


def wide_gamut() -> tuple[bytes, tuple[int, int, int]]:
    """Build a profile whose red and blue are exchanged, so that leaving it out shows."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    rows = {bytes(profile[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    red, blue = rows[b"rXYZ"], rows[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile), (0, 0, 255)


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "tiff", "avif", "heic"])
def test_colour_profiles_are_brought_to_srgb(tmp_path: Path, format: str) -> None:
    profile, seen = wide_gamut()
    Image.new("RGB", (160, 90), (255, 0, 0)).save(path := tmp_path / f"p.{format}", icc_profile=profile, quality=95)
    assert np.abs(framed(path)[30, 60] - seen).max() < 12


@pytest.mark.parametrize("profile", [b"", b"nonsense", b"\0" * 4000])
def test_a_damaged_profile_is_left_aside(tmp_path: Path, profile: bytes) -> None:
    markers(320, 180).save(path := tmp_path / "p.png", icc_profile=profile)
    assert_markers(framed(path))


def test_cmyk_is_read_with_and_without_adobes_inversion(tmp_path: Path) -> None:
    for format in ("jpg", "tiff"):
        markers(320, 180).convert("CMYK").save(path := tmp_path / f"p.{format}", quality=95)
        assert_markers(framed(path))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGBA", "I;16", "I", "F", "YCbCr", "LAB"])
def test_every_kind_of_pixel_is_read(tmp_path: Path, mode: str) -> None:
    grey = Image.linear_gradient("L").resize((320, 180))  # black above, white below
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    elif mode == "PA":
        image = grey.convert("RGBA").quantize(64).convert("PA")
    else:
        image = grey.convert("RGB").convert(mode) if mode == "LAB" else grey.convert(mode)
    path = tmp_path / ("p.tiff" if mode in ("F", "YCbCr", "LAB", "PA", "I") else "p.png")
    try:
        image.save(path)
    except OSError as error:
        pytest.skip(f"Pillow cannot write {mode}: {error}")
    picture = framed(path)
    assert picture[2].mean() < 60
    assert picture[-2].mean() > 195


def test_16_bit_grey_keeps_its_range(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65535, 256).astype(np.uint16)[None].repeat(144, 0)
    for format in ("png", "tiff"):
        Image.fromarray(ramp).save(path := tmp_path / f"p.{format}")
        row = framed(path, (256, 144))[70, :, 0]
        assert np.abs(row - np.arange(256)).max() <= 2


@pytest.mark.parametrize(("colour", "behind"), [((10, 20, 30), 255), ((250, 250, 250), 32)])
def test_transparency_is_laid_over_what_keeps_the_subject_visible(
    tmp_path: Path, colour: tuple[int, int, int], behind: int
) -> None:
    image = Image.new("RGBA", (320, 180), (*colour, 0))
    image.paste((*colour, 255), (100, 50, 220, 130))
    for format in ("png", "webp", "gif", "tiff", "avif", "heic"):
        image.save(path := tmp_path / f"p.{format}")
        picture = framed(path)
        assert np.abs(picture[3, 3] - behind).max() < 8, format
        assert np.abs(picture[36, 64] - colour).max() < 8, format
        assert "flattened" in notes_of(path), format


def test_an_opaque_alpha_channel_is_not_worth_a_note(tmp_path: Path) -> None:
    markers(320, 180).convert("RGBA").save(path := tmp_path / "p.png")
    assert not notes_of(path)


@pytest.mark.parametrize("format", ["gif", "webp", "png", "avif"])
def test_of_an_animation_the_first_frame_is_taken_and_said_so(tmp_path: Path, format: str) -> None:
    first, rest = markers(320, 180), [Image.new("RGB", (320, 180), (9, 9, 9 * i)) for i in range(1, 4)]
    first.save(path := tmp_path / f"p.{format}", save_all=True, append_images=rest, duration=100)
    assert_markers(framed(path))
    assert "first-frame" in notes_of(path)


def test_pages_and_bursts_are_no_animation(tmp_path: Path) -> None:
    pages = [markers(320, 180), Image.new("RGB", (320, 180))]
    pages[0].save(path := tmp_path / "p.tiff", save_all=True, append_images=pages[1:])
    assert_markers(framed(path))
    assert not notes_of(path)
    pages[0].save(path := tmp_path / "p.jpg", format="MPO", save_all=True, append_images=pages[1:])  # many phones' JPEG
    assert_markers(framed(path))
    assert not notes_of(path)
    burst = pillow_heif.from_pillow(pages[1])
    burst.add_from_pillow(pages[0])
    burst.save(path := tmp_path / "p.heic", primary_index=1)
    assert_markers(framed(path))
    assert not notes_of(path)


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("turned", [False, True])
def test_a_panorama_keeps_its_detail(tmp_path: Path, format: str, turned: bool) -> None:
    """Only its short side says how much smaller it may be decoded."""
    stripes = np.zeros((288, 6000, 3), np.uint8)
    stripes[:, (np.arange(6000) // 8) % 2 == 0] = 255  # two pixels of the frame wide
    panorama = Image.fromarray(stripes.swapaxes(0, 1) if turned else stripes)
    panorama.save(path := tmp_path / f"p.{format}", quality=95)
    size = (72, 128) if turned else (128, 72)
    box = cover_box(panorama.size, size)
    expected = np.asarray(panorama.resize(size, Image.Resampling.LANCZOS, box=box)).astype(int)
    ours = framed(path, size)
    assert np.abs(ours - expected).mean() < 12
    assert ours.std() > 100, "stripes, not grey"


@given(st.floats(0.01, 500))
def test_what_is_decoded_smaller_leaves_the_last_filter_a_choice(scale: float) -> None:
    assert shrink_factor(scale) >= 1
    if scale >= 2:
        assert 2 <= scale / shrink_factor(scale) < 4


def test_small_pictures_are_enlarged_and_said_so(tmp_path: Path) -> None:
    markers(200, 120).save(path := tmp_path / "p.png")
    assert notes_of(path, (1024, 576)) == {"small-picture": {"width": 200, "height": 120}}
    assert not notes_of(path, (256, 144))


# -- framing


def subject(left: float) -> Image.Image:
    """A colourful, detailed thing before soft grey."""
    picture = Image.effect_noise((1200, 400), 4).convert("RGB")
    thing = np.random.default_rng(4).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    thing[..., 0] = 230
    picture.paste(Image.fromarray(thing).resize((160, 160)), (int(left * 1040), 120))
    return picture


@pytest.mark.parametrize("left", [0.0, 0.3, 0.8, 1.0])
@pytest.mark.parametrize("turned", [False, True])
def test_a_smart_crop_keeps_what_stands_out(tmp_path: Path, left: float, turned: bool) -> None:
    picture = subject(left)
    if turned:
        picture = picture.transpose(Image.Transpose.TRANSPOSE)
    picture.save(path := tmp_path / "p.png")
    whole = red(np.asarray(picture).astype(int))
    scale = (192 / 400) ** 2
    assert red(framed(path, (192, 192), Framing.SMART)) > 0.95 * whole * scale
    if left in (0.0, 1.0):
        assert red(framed(path, (192, 192), Framing.CROP)) < 0.05 * whole * scale, "the negative control"


def red(picture: np.ndarray) -> int:
    return int((picture[..., 0] > picture[..., 1:].mean(-1) + 30).sum())


def test_a_smart_crop_of_an_even_picture_is_the_centre_crop(tmp_path: Path) -> None:
    Image.new("RGB", (900, 300), (70, 80, 90)).save(path := tmp_path / "p.png")
    assert (framed(path, SMALL, Framing.SMART) == framed(path, SMALL, Framing.CROP)).all()


def test_padding_shows_the_whole_picture_over_its_blurred_self(tmp_path: Path) -> None:
    markers(300, 300).save(path := tmp_path / "p.png")
    picture = framed(path, (256, 144), Framing.PAD)
    assert_markers(picture[:, 56:200])
    side = picture[:, :40]
    assert np.abs(np.diff(side, axis=0)).max() < 40, "the sides are soft"
    assert side.std() > 10, "and made of the picture"


# -- refusals


def test_too_many_bytes_are_refused_before_they_are_read(tmp_path: Path) -> None:
    markers(320, 180).save(path := tmp_path / "p.bmp")
    assert refusal(path, PictureLimits(max_bytes=1000)) is PictureReason.TOO_MANY_BYTES


def test_too_many_pixels_are_refused_by_the_header_alone(tmp_path: Path) -> None:
    for format in ("png", "jpg", "gif", "bmp", "tiff", "webp", "avif", "heic"):
        markers(320, 180).save(path := tmp_path / f"p.{format}")
        assert refusal(path, PictureLimits(max_pixels=320 * 180 - 1)) is PictureReason.TOO_MANY_PIXELS, format


def test_a_header_that_claims_a_billion_pixels_is_refused(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("L", (8, 8)).save(data, "BMP")
    lying = bytearray(data.getvalue())
    lying[18:26] = struct.pack("<ii", 30_000, 40_000)
    (tmp_path / "p.bmp").write_bytes(lying)
    assert refusal(tmp_path / "p.bmp") is PictureReason.TOO_MANY_PIXELS


def test_what_is_no_picture_is_refused_by_its_kind(tmp_path: Path) -> None:
    kinds = {
        b"": PictureReason.EMPTY,
        b"hello": PictureReason.NOT_A_PICTURE,
        b"%PDF-1.7\n": PictureReason.UNSUPPORTED_FORMAT,
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2": PictureReason.UNSUPPORTED_FORMAT,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>": PictureReason.UNSUPPORTED_FORMAT,
    }
    for data, reason in kinds.items():
        (path := tmp_path / "p").write_bytes(data)
        assert refusal(path) is reason, data


def test_formats_whose_loaders_start_programs_are_refused(tmp_path: Path) -> None:
    markers(64, 64).save(path := tmp_path / "p.eps")
    assert refusal(path) is PictureReason.UNSUPPORTED_FORMAT
    for format in ("PPM", "TGA", "ICO", "PCX"):
        markers(64, 64).save(path := tmp_path / "p", format=format)
        assert refusal(path) in (PictureReason.NOT_A_PICTURE, PictureReason.UNSUPPORTED_FORMAT), format


@pytest.mark.parametrize("format", ["jpg", "png", "webp", "gif", "avif", "heic", "bmp", "tiff"])
def test_a_file_cut_short_is_refused(tmp_path: Path, format: str) -> None:
    blobs(640, 360).save(path := tmp_path / f"p.{format}")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert refusal(path) is PictureReason.CORRUPT
