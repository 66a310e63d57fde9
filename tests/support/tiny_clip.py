"""A clip small enough for a CPU: its picture, its settings, and hooks that record what a render reports."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import Cancelled
from generator.memory import ClipSize, MemoryPlan, PipelineKind, presets
from generator.protocol import Hooks, Progress

SIZE = ClipSize(64, 64, 3)
STOCK = MemoryPlan(rung="stock", pipeline=PipelineKind.STOCK)
LEAN_PLANS = presets(SIZE)
SILENT = Hooks(progress=lambda _progress: None, check=lambda: None)
"""hooks that report nothing and never cancel"""


def noise_picture(width: int = SIZE.width, height: int = SIZE.height) -> Image.Image:
    """Return a picture of random pixels, the same at each call."""
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def tiny_settings(**changes: Any) -> ClipSettings:
    """Return the settings of a clip of three frames and two steps, with `changes`."""
    return dataclasses.replace(ClipSettings(variant="tiny", frames=SIZE.frames, steps=2, seed=11), **changes)


class Recorder:
    """Hooks that collect the progress, count the checks, and cancel after so many of them."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.seen: list[Progress] = []
        self.checks = 0
        self.cancel_after = cancel_after

    def check(self) -> None:
        self.checks += 1
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise Cancelled("cancelled")

    @property
    def hooks(self) -> Hooks:
        return Hooks(progress=self.seen.append, check=self.check)
