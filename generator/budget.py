"""The ladder by which a clip meets a byte budget: quality first, then size, then frame rate. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from generator.clip import Format


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to encode. `cost` is the expected size in bytes relative to the format's first rung."""

    quality: int
    """x264's crf, WebP's quality, or a GIF's number of colours"""
    scale: float
    every: int
    """keep each n-th frame; the clip plays as long as before"""
    cost: float


_QUALITIES: dict[Format, tuple[tuple[int, float], ...]] = {
    Format.MP4: ((18, 1.0), (21, 0.6), (24, 0.42), (27, 0.3), (30, 0.21), (33, 0.15)),
    Format.GIF: ((256, 1.0), (128, 0.8), (64, 0.62), (32, 0.45)),
    Format.WEBP: ((80, 1.0), (65, 0.7), (50, 0.55), (35, 0.43), (20, 0.3)),
}
_SCALES = (0.75, 0.5, 0.375, 0.25)
_WORST = {Format.MP4: 40, Format.GIF: 16, Format.WEBP: 5}
_SMALLEST = 0.125


def rungs(format: Format) -> Iterator[Rung]:
    """Give the ladder from the best rung down; it never ends, its later rungs only drop more frames."""
    quality, cost = 0, 1.0
    for quality, cost in _QUALITIES[format]:
        yield Rung(quality, 1.0, 1, cost)
    for scale in _SCALES:
        yield Rung(quality, scale, 1, cost * scale**1.5)
    for every in (2, 3, 4):
        yield Rung(quality, _SCALES[-1], every, cost * _SCALES[-1] ** 1.5 / every)
    every = 4
    while True:
        yield Rung(_WORST[format], _SMALLEST, every, cost * _SMALLEST**1.5 / every / 2)
        every *= 2


def rungs_below(format: Format, first_bytes: int, max_bytes: int, frames: int) -> Iterator[Rung]:
    """Give the rungs worth trying after the first one gave `first_bytes`: those that may fit, best first.

    Rungs that are expected to be far too large are passed over. Ends when no second frame would be left.
    """
    wanted = max_bytes / first_bytes * 1.5  # a guess may be wrong by that much and still be tried
    for above, rung in pairwise(rungs(format)):
        if rung.every > 4 and frames // rung.every < 2:
            return
        if rung.cost <= wanted or rung.every > above.every >= 4:
            yield rung
