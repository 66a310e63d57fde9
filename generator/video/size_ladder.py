"""The ladder by which a clip meets a byte budget: quality first, then size, then frame rate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.clip import Format


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to encode. `cost` is a guess at its bytes relative to the format's first rung."""

    quality: int
    """x264's crf, WebP's quality, or a GIF's number of colours"""
    scale: float
    every: int
    """keep each n-th frame; the clip plays as long as before"""
    cost: float


_QUALITIES: dict[Format, tuple[tuple[int, float], ...]] = {
    Format.MP4: ((18, 1.0), (21, 0.6), (24, 0.4), (27, 0.25), (30, 0.15), (33, 0.1)),
    Format.GIF: ((256, 1.0), (128, 0.8), (64, 0.62), (32, 0.45)),
    Format.WEBP: ((80, 1.0), (65, 0.7), (50, 0.55), (35, 0.43), (20, 0.3)),
}
_SCALES = (0.75, 0.5, 0.375, 0.25)
_RATES = (2, 3, 4)
_WORST = {Format.MP4: 40, Format.GIF: 16, Format.WEBP: 5}
_SMALLEST = 0.125

GOOD_USE = 0.7
"""a clip that fills this part of its budget is not tried again a rung higher: the difference is hardly seen"""


def ladder(format: Format, frames: int) -> list[Rung]:
    """Give the rungs from the best down, for a clip of so many frames; the last ones keep two frames, then one."""
    rungs = [Rung(quality, 1.0, 1, cost) for quality, cost in _QUALITIES[format]]
    quality, cost = rungs[-1].quality, rungs[-1].cost
    rungs += [Rung(quality, scale, 1, cost * scale**1.5) for scale in _SCALES]
    rungs += [Rung(quality, _SCALES[-1], every, rungs[-1].cost / every) for every in _RATES]
    every = _RATES[-1]
    while every < 2 * frames:
        rungs.append(Rung(_WORST[format], _SMALLEST, every, cost * _SMALLEST**1.5 / every / 2))
        every *= 2
    return [rung for rung in rungs if rung.every == 1 or rung.every < 2 * frames]


def next_try(rungs: Sequence[Rung], tried: Mapping[int, int], max_bytes: int) -> int | None:
    """Give the index of the rung to try next, or None when the search is over.

    `tried` maps indices to bytes and holds 0, the first rung, at least. The guess by `cost` only says where to start:
    after it the search halves what is left between the last rung that was too large and the first one that fits.
    """
    too_large = max((index for index, count in tried.items() if count > max_bytes), default=-1)
    fits = min((index for index, count in tried.items() if count <= max_bytes), default=len(rungs))
    if fits <= too_large + 1 or (fits < len(rungs) and tried[fits] >= GOOD_USE * max_bytes):
        return None
    if fits < len(rungs):
        return (too_large + fits) // 2
    wanted = rungs[too_large].cost * max_bytes / tried[too_large]
    below = range(too_large + 1, len(rungs))
    return next((index for index in below if rungs[index].cost <= wanted), below[-1])
