"""What every pipeline shares: its interface. Imports no pipeline.

Tested in tests/generator/model/test_stock.py and tests/generator/model/lean/test_render.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.memory import MemoryPlan
from generator.protocol import Hooks
from generator.variants import Variant
from generator.video.ffmpeg import Frame


class Pipeline(Protocol):
    """A loaded variant that renders clips on one device."""

    def prepare(self, plan: MemoryPlan, on_module: Callable[[], None]) -> None:
        """Read the weights to where clips by `plan` need them, and call `on_module` after each of three modules.

        A clip by another plan can be rendered all the same: what it needs is read then. Raises WeightsUnavailable,
        and torch's own errors.
        """
        ...

    def render(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """Return the clip's frames in order, each uint8, height x width x 3, RGB.

        `picture` is RGB and has exactly the clip's size. With `settings.drafts` it is one draft, of `draft_size` and of
        noise that fits the clip's. Raises BadFrames when the model computes numbers that are
        not finite, Cancelled when `hooks.check` does, and torch's own errors. After any exception the next clip can
        be rendered.
        """
        ...


@dataclass(frozen=True, slots=True)
class LoadedVariant:
    """A variant with the pipeline that renders it, and the precision of its weights."""

    variant: Variant
    dtype: torch.dtype
    pipeline: Pipeline
