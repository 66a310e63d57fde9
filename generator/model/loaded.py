"""One conditioning image -> the clip's frames, in order, by the pipeline the memory plan names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.memory import MemoryPlan, PipelineKind
from generator.model import stock
from generator.model.lean.compiled import Compiler
from generator.model.lean.render import LeanPipeline
from generator.model.weights import OnProgress, Parts, load_parts
from generator.protocol import Hooks
from generator.variants import Variant

if TYPE_CHECKING:
    from generator.video.ffmpeg import Frame


@dataclass(slots=True)
class LoadedVariant:
    """A variant's parts in host memory, ready to render on `device`."""

    variant: Variant
    device: torch.device
    dtype: torch.dtype
    parts: Parts
    compiler: Compiler | None = None
    lean: LeanPipeline | None = None
    """packed at the first lean render"""


def load_variant(
    variant: Variant,
    device: torch.device,
    *,
    on_progress: OnProgress | None = None,
    dtype: torch.dtype | None = None,
    compile: bool = False,
    state_folder: Path | None = None,
) -> LoadedVariant:
    """Load a variant for a device: half precision on a GPU, single on a CPU, unless `dtype` says otherwise.

    `compile` has chunk functions compiled beside rendering, where the memory plan says so; the code is kept in
    `state_folder`. Raises WeightsUnavailable with `why` (missing, gated, offline or damaged) and `remedy`.
    """
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.float16)
    parts = load_parts(variant, dtype, on_progress)
    return LoadedVariant(variant, device, dtype, parts, Compiler(state_folder) if compile else None)


def render_frames(
    loaded: LoadedVariant, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks
) -> Iterator[Frame]:
    """Give the clip's frames in order, each uint8 height x width x 3.

    `picture` is RGB of exactly the clip's size. Any exception leaves `loaded` usable.
    """
    hooks.check()
    if plan.pipeline is PipelineKind.STOCK:
        return stock.render_frames(loaded, picture, settings, plan, hooks)
    if loaded.lean is None:
        turbo = loaded.variant.turbo
        loaded.lean = LeanPipeline(loaded.parts, loaded.device, turbo=turbo, compiler=loaded.compiler)
    return loaded.lean.render(picture, settings, plan, hooks)
