"""Write frames to an animated GIF with one palette, fitted to the whole clip. Pillow and numpy.

There is no dithering: its pattern changes from frame to frame, so that it costs bytes and flickers. It is hardly missed
with a palette that k-means has fitted to all frames.

Tested in tests/generator/video/test_encode.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.video.ffmpeg import Frame, OnWait
from generator.video.recipe import ai_comment

FASTEST_GIF_FPS = 50.0
"""browsers play a frame of less than two hundredths of a second for ten of them"""

_BITS = 6
"""a colour is looked up by so many upper bits of each channel; together they are its code"""

_ROUNDS = 6
"""of k-means; more of them change the palette by less than the look-up can tell apart"""

_SAMPLE_PIXELS = 40_000
"""the first guess of the palette is made from about so many"""

_SAMPLE_COLOURS = 8192
"""k-means uses about so many; with film grain a clip has five times as many, which would not fit the palette better"""


def write_gif(frames: Sequence[Frame], fps: float, colours: int, path: Path, on_wait: OnWait = lambda: None) -> None:
    """Write a GIF that loops for ever, of uint8 frames of one size, with so many colours (at most 256).

    `fps` may be at most FASTEST_GIF_FPS. Raises what `on_wait` raises, which is called after each part of the work.
    """
    palette, nearest = _fitted(_guess(frames, colours), _watched(frames, on_wait))
    palette = _with_two_colours(palette)
    entries = [nearest[codes] for codes in _watched(frames, on_wait)]
    flat = [Image.fromarray(each) for each in _kept_moving(entries, palette)]
    for picture in flat:
        picture.putpalette(palette)
    timing = {"duration": _delays(len(flat), fps), "loop": 0, "comment": ai_comment()}
    with path.open("wb") as file:
        # With `optimize` each frame would get a palette of its own, and frames would differ more.
        flat[0].save(file, "GIF", save_all=True, append_images=_each(flat[1:], on_wait), optimize=False, **timing)


def _each(pictures: Sequence[Image.Image], on_wait: OnWait) -> Iterator[Image.Image]:
    for picture in pictures:
        on_wait()
        yield picture


def _watched(frames: Sequence[Frame], on_wait: OnWait) -> Iterator[NDArray[np.uint32]]:
    """Yield each frame's codes: all at once they would take more memory than the frames."""
    for frame in frames:
        on_wait()
        yield _codes(frame)


def _with_two_colours(palette: bytes) -> bytes:
    """Return the palette; where it has one colour alone, another one that looks like it comes last."""
    colours = {palette[start : start + 3] for start in range(0, len(palette), 3)}
    if len(colours) > 1:
        return palette
    others = palette if len(palette) == 3 else palette[:-3]
    return others + bytes(value ^ 1 for value in palette[:3])


def _kept_moving(frames: list[NDArray[np.uint8]], palette: bytes) -> list[NDArray[np.uint8]]:
    """Return the frames' palette entries so that not all frames are the same.

    Pillow joins equal neighbours. Where hardly anything moves that would leave one frame, which is a picture and no
    clip; so one pixel of the last frame gets the entry that looks most like its own.
    """
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3).astype(np.int16)
    moves = any(not np.array_equal(frames[0], frame) for frame in frames[1:])
    if moves or len(frames) < 2:
        return frames
    last = frames[-1].copy()
    unlike = np.abs(colours - colours[last[-1, -1]]).sum(1)
    unlike[unlike == 0] = 3 * 256
    last[-1, -1] = unlike.argmin()
    return [*frames[:-1], last]


def _delays(count: int, fps: float) -> list[int]:
    """Return each frame's milliseconds, in whole hundredths of a second, rounded so that their sum stays exact."""
    ends = [round((i + 1) * 100 / fps) for i in range(count)]
    return [10 * (end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def _codes(frame: Frame) -> NDArray[np.uint32]:
    """Return each pixel's code, its index in the look-up table; height x width."""
    red, green, blue = (frame[..., channel] >> (8 - _BITS) for channel in range(3))
    codes = red.astype(np.uint32) << (2 * _BITS) | green.astype(np.uint32) << _BITS | blue
    return codes.astype(np.uint32)


def _guess(frames: Sequence[Frame], colours: int) -> NDArray[np.float32]:
    """Return a palette (colours x 3, 0 to 255) by median cut over a sample of every frame."""
    step = max(1, round((sum(frame[..., 0].size for frame in frames) / _SAMPLE_PIXELS) ** 0.5))
    sample = np.concatenate([frame[i % step :: step, ::step].reshape(1, -1, 3) for i, frame in enumerate(frames)], 1)
    flat = Image.fromarray(sample).quantize(colours, method=Image.Quantize.MEDIANCUT)
    return np.array(flat.getpalette(), np.float32).reshape(-1, 3)[:colours]


def _fitted(palette: NDArray[np.float32], codes: Iterable[NDArray[np.uint32]]) -> tuple[bytes, NDArray[np.uint8]]:
    """Fit the palette to the clip's colours. Return it as bytes, with the look-up table from code to palette entry.

    It works on the colours that occur and on how often, not on pixels: thousands instead of millions.
    """
    counts = sum(np.bincount(code.ravel(), minlength=1 << (3 * _BITS)) for code in codes)
    present = np.flatnonzero(counts)
    frequencies = np.asarray(counts)[present].astype(np.float32)
    middle = 1 << (7 - _BITS)
    channels = [(present >> shift & ((1 << _BITS) - 1)) << (8 - _BITS) for shift in (2 * _BITS, _BITS, 0)]
    colours = np.stack(channels, 1).astype(np.float32) + middle
    every = -(-len(colours) // _SAMPLE_COLOURS)
    some, frequency = colours[::every], frequencies[::every]
    for _ in range(_ROUNDS):
        entry = _nearest(some, palette)
        total = np.bincount(entry, frequency, len(palette))
        sums = [np.bincount(entry, frequency * some[:, channel], len(palette)) for channel in range(3)]
        moved = (np.stack(sums, 1) / np.maximum(total, 1)[:, None]).astype(np.float32)
        palette = np.where(total[:, None] > 0, moved, palette)
    palette = palette.round()
    nearest = np.zeros(1 << (3 * _BITS), np.uint8)
    nearest[present] = _nearest(colours, palette)
    return palette.astype(np.uint8).tobytes(), nearest


def _nearest(colours: NDArray[np.float32], palette: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the index of the palette's closest entry to each colour, by |p|^2 - 2cp: one product of matrices."""
    one = np.ones((len(colours), 1), np.float32)
    terms = np.concatenate([-2 * palette.T, (palette**2).sum(1)[None]])
    closest: NDArray[np.intp] = (np.concatenate([colours, one], 1) @ terms).argmin(1)
    return closest
