"""Colour spaces by codes, and HDR as Chromium shows it: its own numbers, read from its screen."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from generator.picture.colour_space import (
    SRGB,
    from_cicp,
    from_gamma,
    from_icc,
    inverse,
    matrix_profile,
    meaning,
    product,
    rgb_to_xyz,
    srgb_decoded,
    srgb_encoded,
)
from generator.picture.tone_mapping import tone_mapped
from tests.support.picture_files import hdr_profile


@pytest.mark.parametrize(
    ("signal", "transfer", "shown"),
    [
        ((0.581, 0.581, 0.581), 16, (187, 187, 187)),
        ((0.653, 0.653, 0.653), 16, (223, 223, 223)),
        ((0.752, 0.752, 0.752), 16, (255, 255, 255)),
        ((0.300, 0.300, 0.300), 16, (43, 43, 43)),
        ((0.621, 0.554, 0.380), 16, (240, 150, 36)),
        ((0.720, 0.650, 0.466), 16, (255, 176, 43)),
        ((0.748, 0.703, 0.661), 16, (255, 206, 172)),
        ((0.697, 0.697, 0.697), 18, (162, 162, 162)),
        ((0.773, 0.643, 0.280), 18, (218, 136, 32)),
        ((0.687, 0.600, 0.508), 18, (170, 124, 102)),
    ],
)
def test_hdr_is_shown_as_chromium_shows_it(
    signal: tuple[float, ...], transfer: int, shown: tuple[int, int, int]
) -> None:
    space = from_cicp(9, transfer)
    assert space is not None
    picture = Image.new("RGB", (3, 3), tuple(round(value * 255) for value in signal))
    assert np.abs(np.asarray(tone_mapped(picture, space)).astype(int)[1, 1] - shown).max() <= 5


def test_codes_that_say_srgb_or_nothing_need_no_conversion() -> None:
    for codes in ((1, 13), (2, 2), (0, 13), (9, 2), (99, 16), (1, 3)):
        assert from_cicp(*codes) is None
    assert from_gamma(2.2, None) is None
    assert from_gamma(2.2, (0.0,) * 8) is None


def test_a_built_profile_is_one_that_a_colour_engine_reads() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    built = ImageCms.ImageCmsProfile(io.BytesIO(matrix_profile(SRGB)))
    ramp = Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8))
    same = ImageCms.profileToProfile(ramp, built, srgb)
    assert same is not None
    assert np.abs(np.asarray(same).astype(int) - np.asarray(ramp)).max() <= 2


def test_an_icc_profile_may_carry_the_codes_of_hdr() -> None:
    for transfer in (16, 18):
        assert from_icc(hdr_profile(transfer)) == meaning(hdr_profile(transfer)) == from_cicp(9, transfer)
    plain = matrix_profile(SRGB)
    assert from_icc(plain) is None
    assert meaning(plain) == plain
    assert from_icc(b"") is None


def test_the_arithmetic() -> None:
    matrix = rgb_to_xyz(SRGB.primaries)
    assert np.allclose(product(inverse(matrix), matrix), np.eye(3))
    assert np.allclose(matrix[1], [0.2126, 0.7152, 0.0722], atol=1e-3)
    assert all(abs(srgb_encoded(srgb_decoded(value / 50)) - value / 50) < 1e-9 for value in range(51))
