"""A picture's hash, by which a copy of it is known again after it was made smaller or saved anew: PDQ, 256 bits.

The steps are those of PDQ's reference (github.com/facebook/ThreatExchange, pdq/), so that lists of such hashes can be
used: grey, 64 x 64 by two box filters, the 16 x 16 lowest frequencies, each above the median or not. Two hashes that
differ in at most 31 bits belong to the same picture. It knows copies; it says nothing about what a picture shows.

Without numpy, which would take 80 MiB of the address space that the picture child may have.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise
from operator import mul

from PIL import Image

_LARGEST = 512
"""pixels along a side: larger pictures are brought to 512 x 512 first, as the reference does"""
_GRID = 64
_LOWEST = 16
_USEFUL_QUALITY = 50
"""what PDQ's authors recommend (2019): hashes of less are of no use"""

Rows = list[Sequence[float]]


def fingerprint(picture: Image.Image) -> str | None:
    """Return the hash of an upright RGB picture of any size: 64 hexadecimal digits.

    None: the picture is so plain that other plain ones have the same hash.
    """
    if max(picture.size) > _LARGEST:
        picture = picture.resize((_LARGEST, _LARGEST), Image.Resampling.BILINEAR)
    small = _shrunk(_transposed(_shrunk(_grey(picture))))  # transposed
    if _quality(small) < _USEFUL_QUALITY:
        return None
    waves = [
        [math.cos(math.pi / (2 * _GRID) * frequency * (2 * position + 1)) for position in range(_GRID)]
        for frequency in range(1, _LOWEST + 1)
    ]
    strength = [value for row in _product(_product(waves, small), waves) for value in row]
    median = sorted(strength)[len(strength) // 2 - 1]
    return f"{sum(1 << bit for bit, value in enumerate(strength) if value > median):064x}"


def _grey(picture: Image.Image) -> Rows:
    values = array("f", picture.convert("F").tobytes())
    width = picture.width
    return [values[start : start + width] for start in range(0, len(values), width)]


def _transposed(rows: Rows) -> Rows:
    return list(zip(*rows, strict=True))


def _product(rows: Sequence[Sequence[float]], others: Sequence[Sequence[float]]) -> Rows:
    """Return the product of a matrix with the transposed of another one."""
    return [[sum(map(mul, row, other)) for other in others] for row in rows]


def _shrunk(rows: Rows) -> Rows:
    """Return each row with 64 values, each a mean of its neighbourhood."""
    means = _means(len(rows[0]))
    return [[sum(map(mul, row[start : start + len(parts)], parts)) for start, parts in means] for row in rows]


def _means(length: int) -> list[tuple[int, list[float]]]:
    """Return for each of 64 values where its neighbourhood begins, and how much each pixel there counts.

    It is the mean of means over a window, each with fewer pixels at the edges.
    """
    window = (length + 2 * _GRID - 1) // (2 * _GRID)
    after = (window + 2) // 2

    def span(centre: int) -> range:
        return range(max(0, centre + after - window), min(length, centre + after))

    found = []
    for number in range(_GRID):
        outer = span(int((number + 0.5) * length / _GRID))
        parts = dict.fromkeys(range(span(outer[0])[0], span(outer[-1])[-1] + 1), 0.0)
        for centre in outer:
            for pixel in span(centre):
                parts[pixel] += 1 / (len(outer) * len(span(centre)))
        found.append((min(parts), list(parts.values())))
    return found


def _quality(small: Rows) -> float:
    """Return how much there is to see, as the reference counts it; 90 and more counts as all."""
    steps = 0
    for rows in (small, _transposed(small)):
        for row in rows:
            steps += sum(int(abs(left - right) * 100 / 255) for left, right in pairwise(row))
    return steps / 90
