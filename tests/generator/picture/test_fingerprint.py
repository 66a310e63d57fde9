"""The hash that knows a picture again."""

from __future__ import annotations

import io

import pytest
import skimage.data
from PIL import Image

from bot.queue.servers.trust.pictures import ALIKE_BITS
from generator.picture.fingerprint import fingerprint

REFERENCE = {
    "astronaut": "2d6b1af3a956c529e79ca3d2526fa834d4196c81cedd04de0a26b855fc99b724",
    "chelsea": "5feb5321f01da156898e2bf629a5d3438412cdbd23f48942464526315db33ffd",
    "coffee": "88629e779a663698f9a3b8668026727c21a679f61eb6e1f8c79b27e27c0299e0",
}
"""what the reference (pdqhash 0.2.8) says of scikit-image's pictures, brought to 512 x 512"""


def photo(name: str) -> Image.Image:
    return Image.fromarray(getattr(skimage.data, name)())


def apart(one: Image.Image, other: Image.Image) -> int:
    first, second = fingerprint(one), fingerprint(other)
    assert first and second
    return (int(first, 16) ^ int(second, 16)).bit_count()


@pytest.mark.parametrize("name", REFERENCE)
def test_it_is_the_references_hash(name: str) -> None:
    assert fingerprint(photo(name)) == REFERENCE[name]


@pytest.mark.parametrize("name", REFERENCE)
def test_a_smaller_copy_of_poor_quality_is_the_same_picture(name: str) -> None:
    picture, copy = photo(name), io.BytesIO()
    picture.resize((picture.width // 2, picture.height // 2)).save(copy, "JPEG", quality=40)
    assert apart(picture, Image.open(copy).convert("RGB")) <= ALIKE_BITS


def test_other_pictures_are_others_and_so_is_a_mirrored_one() -> None:
    """The negative control."""
    pictures = [photo(name) for name in REFERENCE]
    pictures.append(pictures[0].transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    distances = [apart(one, other) for number, one in enumerate(pictures) for other in pictures[:number]]
    assert min(distances) > 3 * ALIKE_BITS


def test_a_plain_picture_has_none_because_all_plain_ones_would_be_alike() -> None:
    assert fingerprint(Image.new("RGB", (640, 360), (40, 90, 160))) is None
    assert fingerprint(Image.new("RGB", (1, 1))) is None
