"""What a picture's numbers mean when no ICC profile says it: primaries and a transfer curve. Pure numbers.

The codes are those of ITU-T H.273 (CICP), which PNG, AVIF and HEIC use alike. What is not known counts as sRGB, as in
browsers. Profiles are built as ICC version 2 matrix profiles, which every colour engine reads.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from dataclasses import dataclass

Matrix = tuple[tuple[float, float, float], ...]
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue, in PNG's order"""

PQ, HLG = 16, 18
"""the transfer codes of HDR"""
SRGB_TRANSFER = 13
_SMPTE_240, _CINEMA = 7, 17

_D65 = (0.3127, 0.329)
_D50 = (0.9642, 1.0, 0.8249)
_PRIMARIES: dict[int, Chromaticities] = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    7: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    8: (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    22: (*_D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077),
}
_GAMMAS = {1: 2.4, 6: 2.4, 11: 2.4, 14: 2.4, 15: 2.4, 4: 2.2, 5: 2.8, 8: 1.0}
"""the exponents of the plain curves; video's own (1, 6, 14, 15) is shown with 2.4, as BT.1886 has it"""
_BRADFORD: Matrix = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


@dataclass(frozen=True, slots=True)
class ColourSpace:
    """Primaries, and a transfer curve: a code of H.273, or the exponent of a plain curve."""

    primaries: Chromaticities
    transfer: int
    gamma: float | None = None

    @property
    def is_hdr(self) -> bool:
        """Whether its white is not the brightest that it can say."""
        return self.gamma is None and self.transfer in (PQ, HLG)


SRGB = ColourSpace(_PRIMARIES[1], SRGB_TRANSFER)
REC2020 = _PRIMARIES[9]


def from_cicp(primaries: int, transfer: int) -> ColourSpace | None:
    """Return the colour space of two codes; None is sRGB, or a code that nobody uses."""
    if primaries not in _PRIMARIES or transfer not in (*_GAMMAS, _SMPTE_240, _CINEMA, SRGB_TRANSFER, PQ, HLG):
        return None
    space = ColourSpace(_PRIMARIES[primaries], transfer)
    return None if space == SRGB else space


def from_gamma(exponent: float, chromaticities: Chromaticities | None) -> ColourSpace | None:
    """Return the colour space of PNG's gAMA and cHRM, or of a BMP's; None is as good as sRGB."""
    if not 0.001 <= exponent <= 1000 or (chromaticities is None and abs(exponent - 2.2) < 0.01):
        return None
    space = ColourSpace(chromaticities or _PRIMARIES[1], 0, exponent)
    try:
        rgb_to_xyz(space.primaries)
    except ZeroDivisionError:
        return None
    return space


def meaning(colour: bytes | ColourSpace | None) -> bytes | ColourSpace | None:
    """Return what a picture's numbers mean; of an ICC profile that says HDR, the colour space instead."""
    return from_icc(colour) or colour if isinstance(colour, bytes) else colour


def from_icc(profile: bytes) -> ColourSpace | None:
    """Return the HDR colour space that an ICC profile of version 4.4 names in its `cicp` tag; None without one."""
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(132, 132 + 12 * min(count, 100), 12):
        if profile[entry : entry + 4] == b"cicp":
            offset = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            codes = profile[offset + 8 : offset + 10]
            space = from_cicp(*codes) if len(codes) == 2 else None
            return space if space and space.is_hdr else None
    return None


def rgb_to_xyz(primaries: Chromaticities) -> Matrix:
    """Return the matrix from linear RGB to XYZ, where white has Y = 1. Raises ZeroDivisionError for nonsense."""
    white, *corners = (_xyz(primaries[i], primaries[i + 1]) for i in (0, 2, 4, 6))
    columns = tuple(zip(*corners, strict=True))
    gains = times(inverse(columns), white)
    return tuple(tuple(value * gain for value, gain in zip(row, gains, strict=True)) for row in columns)


def convert_primaries(source: Chromaticities, target: Chromaticities) -> Matrix:
    """Return the matrix between two spaces' linear RGB; a different white is adapted."""
    return product(inverse(_adapted(target)), _adapted(source))


@functools.cache
def matrix_profile(space: ColourSpace) -> bytes:
    """Return an ICC profile of a colour space that is not HDR."""
    decode = transfer_function(space)
    table = struct.pack(">1024H", *(round(65535 * min(1.0, decode(i / 1023))) for i in range(1024)))
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + table
    columns = zip(*_adapted(space.primaries), strict=True)
    tags = [(name, _icc_xyz(column)) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)]
    tags += [(b"wtpt", _icc_xyz(_D50)), *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC"))]
    tags += [(b"desc", b"desc\0\0\0\0" + struct.pack(">I", 2) + b"x\0" + bytes(79)), (b"cprt", b"text\0\0\0\0x\0\0\0")]
    rows, body = b"", b""
    start = 132 + 12 * len(tags)
    for name, data in tags:
        rows += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s12s4s", start + len(body), b"", 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"", b"acsp")
    head += bytes(28) + struct.pack(">3i", *(round(value * 65536) for value in _D50)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + rows + body


def transfer_function(space: ColourSpace) -> Callable[[float], float]:
    """Return the function from a picture's number, 0-1, to linear light."""
    gamma = space.gamma or _GAMMAS.get(space.transfer)
    if gamma is not None:
        return lambda value: float(value**gamma)
    others = {PQ: _pq, HLG: _hlg, _SMPTE_240: _smpte_240, _CINEMA: _cinema}
    return others.get(space.transfer, srgb_decoded)


def times(matrix: Matrix, vector: tuple[float, ...]) -> tuple[float, float, float]:
    """Return matrix x vector."""
    a, b, c = vector
    (m, n, o), (p, q, r), (s, t, u) = matrix
    return m * a + n * b + o * c, p * a + q * b + r * c, s * a + t * b + u * c


def product(first: Matrix, second: Matrix) -> Matrix:
    """Return the matrix that does `second`, then `first`."""
    columns = [times(first, column) for column in zip(*second, strict=True)]
    return tuple(zip(*columns, strict=True))


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse of a 3 x 3 matrix."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return (
        ((e * i - f * h) / det, (c * h - b * i) / det, (b * f - c * e) / det),
        ((f * g - d * i) / det, (a * i - c * g) / det, (c * d - a * f) / det),
        ((d * h - e * g) / det, (b * g - a * h) / det, (a * e - b * d) / det),
    )


def _pq(value: float) -> float:
    """Return nits / 203, so that 1 is the white of paper and of everything that is no light (SMPTE ST 2084)."""
    power = value ** (1 / 78.84375)
    return float(10000 / 203 * (max(power - 0.8359375, 0.0) / (18.8515625 - 18.6875 * power)) ** (1 / 0.1593017578125))


def _hlg(value: float) -> float:
    """Return the scene's light, 0-1 (ARIB STD-B67)."""
    if value <= 0.5:
        return value * value / 3
    return float((2.718281828459045 ** ((value - 0.55991073) / 0.17883277) + 0.28466892) / 12)


def _smpte_240(value: float) -> float:
    return value / 4 if value < 0.0913 else float(((value + 0.1115) / 1.1115) ** (1 / 0.45))


def _cinema(value: float) -> float:
    return float(value**2.6 * 52.37 / 48)


def srgb_decoded(value: float) -> float:
    """Return the light, 0-1, of a number of sRGB."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def srgb_encoded(light: float) -> float:
    """Return the number of sRGB for a light, 0-1."""
    return 12.92 * light if light <= 0.0031308 else float(1.055 * light ** (1 / 2.4) - 0.055)


def _xyz(x: float, y: float) -> tuple[float, float, float]:
    return x / y, 1.0, (1 - x - y) / y


def _adapted(primaries: Chromaticities) -> Matrix:
    """Return the matrix from linear RGB to XYZ under D50, ICC's white."""
    own, wanted = times(_BRADFORD, _xyz(*primaries[:2])), times(_BRADFORD, _D50)
    gains: Matrix = tuple(
        tuple(wanted[row] / own[row] if row == column else 0.0 for column in range(3))  # type: ignore[misc]
        for row in range(3)
    )
    return product(product(inverse(_BRADFORD), product(gains, _BRADFORD)), rgb_to_xyz(primaries))


def _icc_xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65536) for value in values))
