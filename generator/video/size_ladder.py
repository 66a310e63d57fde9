"""The size ladder: the steps by which a clip is made to fit a byte budget. Pure.

First come lower qualities, then smaller sizes, then lower frame rates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from generator.clip import Format
from generator.protocol import Note
from generator.variants import Size


@dataclass(frozen=True, slots=True)
class SizeStep:
    """One way to encode a clip."""

    quality: int
    """x264's crf, WebP's quality, or a GIF's number of colours"""
    scale: float
    """of both sides"""
    every: int
    """keep each n-th frame; the clip plays as long as before"""
    cost: float
    """a guess at its bytes, relative to the format's first step"""


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
"""a clip that uses this fraction of its budget is not encoded again on a better step: the difference is hardly seen"""


def size_ladder(format: Format, frames: int) -> list[SizeStep]:
    """Return the steps for a clip of so many frames, the best first; the last ones keep two frames, then one."""
    steps = [SizeStep(quality, 1.0, 1, cost) for quality, cost in _QUALITIES[format]]
    quality, cost = steps[-1].quality, steps[-1].cost
    steps += [SizeStep(quality, scale, 1, cost * scale**1.5) for scale in _SCALES]
    steps += [SizeStep(quality, _SCALES[-1], every, steps[-1].cost / every) for every in _RATES]
    every = _RATES[-1]
    while every < 2 * frames:
        steps.append(SizeStep(_WORST[format], _SMALLEST, every, cost * _SMALLEST**1.5 / every / 2))
        every *= 2
    return [step for step in steps if step.every == 1 or step.every < 2 * frames]


def next_step(steps: Sequence[SizeStep], sizes: Mapping[int, int], max_bytes: int) -> int | None:
    """Return the index of the step to encode next, or None when the search is over.

    `sizes` maps the indices of the steps that were encoded to their bytes; the first one, 0, must be among them. The
    guess by `cost` only says where to begin. After that the search halves what lies between the last step that was too
    large and the first one that fits.
    """
    too_large = max((index for index, count in sizes.items() if count > max_bytes), default=-1)
    fits = min((index for index, count in sizes.items() if count <= max_bytes), default=len(steps))
    if fits <= too_large + 1 or (fits < len(steps) and sizes[fits] >= GOOD_USE * max_bytes):
        return None
    if fits < len(steps):
        return (too_large + fits) // 2
    wanted = steps[too_large].cost * max_bytes / sizes[too_large]
    below = range(too_large + 1, len(steps))
    return next((index for index in below if steps[index].cost <= wanted), below[-1])


def size_notes(base: Size, size: Size, fps: float, step: SizeStep) -> tuple[Note, ...]:
    """Return what a clip's person is told of its step: the width and height, and the frame rate, if they are lower."""
    notes: list[Note] = []
    if size != base:
        notes.append(
            Note("shrunk", {"width": size[0], "height": size[1], "from_width": base[0], "from_height": base[1]})
        )
    if step.every > 1:
        notes.append(Note("frame-rate", {"fps": round(fps / step.every, 2), "from_fps": fps}))
    return tuple(notes)
