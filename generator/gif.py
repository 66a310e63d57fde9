"""Frames to an animated GIF with one good palette. Pillow and numpy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from generator.ffmpeg import Frame


def write_gif(frames: Sequence[Frame], fps: float, colours: int, path: Path) -> None:
    """Write an endlessly looping GIF with one shared palette."""
    pictures = [Image.fromarray(frame) for frame in frames]
    palette = pictures[0].quantize(colours)
    flat = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    with path.open("wb") as file:
        flat[0].save(file, "GIF", save_all=True, append_images=flat[1:], duration=delays(len(flat), fps), loop=0)


def delays(count: int, fps: float) -> list[int]:
    """Give each frame's milliseconds in whole hundredths of a second, rounded so that the sum stays true."""
    ends = [round((i + 1) * 100 / fps) for i in range(count)]
    return [10 * (end - start) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
