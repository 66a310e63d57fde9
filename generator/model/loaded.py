"""Load a variant: read its weights, then build the pipeline that the operator chose. The one place that chooses it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from generator.memory import ClipSize, MemoryPlan, PipelineKind, presets
from generator.model.lean.fused.choice import start_building
from generator.model.lean.render import LeanPipeline
from generator.model.pipeline import LoadedVariant, Pipeline
from generator.model.weights import CLASSES, OnProgress, explained, open_checkpoint
from generator.protocol import Phase, Progress
from generator.variants import Variant

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Which pipeline to build, and how."""

    kind: PipelineKind = PipelineKind.LEAN
    state_folder: Path | None = None
    """where built kernels are kept; None: where Triton keeps them"""
    plan: MemoryPlan | None = None
    """what clips will be rendered with, as far as it is known; None: what the device has most room for"""


def load_variant(
    variant: Variant,
    device: torch.device,
    config: PipelineConfig | None = None,
    *,
    dtype: torch.dtype | None = None,
    on_progress: OnProgress | None = None,
) -> LoadedVariant:
    """Load a variant for a device: in half precision on a GPU and in single on a CPU, unless `dtype` is given.

    Raises WeightsUnavailable with `why` (missing, gated, offline or damaged) and `remedy`.
    """
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.float16)
    config = config or PipelineConfig()
    tell = on_progress or (lambda progress: None)
    if config.kind is PipelineKind.STOCK:
        return LoadedVariant(variant, dtype, _load_stock(variant, device, dtype, tell))
    building = start_building(device, dtype, config.state_folder)
    pipeline = LeanPipeline(open_checkpoint(variant, tell), dtype, device, turbo=variant.turbo)
    steps = iter([Progress(Phase.LOAD, done, len(CLASSES)) for done in range(len(CLASSES) + 1)])
    tell(next(steps))
    with explained(variant):
        _prepare(pipeline, config.plan, variant, lambda: tell(next(steps)))
    if building is not None:
        building.join()
    return LoadedVariant(variant, dtype, pipeline)


def _prepare(pipeline: LeanPipeline, plan: MemoryPlan | None, variant: Variant, on_module: Callable[[], None]) -> None:
    """Read the weights for `plan`, else for the largest plan; to host memory where the device has no room."""
    plans = presets(ClipSize(*variant.landscape, variant.frames))
    try:
        pipeline.prepare(plan or plans[0], on_module)
    except torch.OutOfMemoryError:  # another program has taken it since the plan was made; a clip plans again
        log.warning("no room for the weights on the device now: they are kept in host memory")
        pipeline.release()
    else:
        return
    pipeline.prepare(plans[-1])


def _load_stock(variant: Variant, device: torch.device, dtype: torch.dtype, tell: OnProgress) -> Pipeline:
    # Imported here because it imports diffusers and transformers, which takes seconds.
    from generator.model.stock import StockPipeline, load_modules

    return StockPipeline(load_modules(variant, dtype, tell), device)
