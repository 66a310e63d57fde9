"""Load a variant: read its weights, then build the pipeline that the operator chose. The one place that chooses it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from generator.memory import PipelineKind
from generator.model.lean.fused.choice import start_building
from generator.model.lean.render import LeanPipeline
from generator.model.pipeline import LoadedVariant, Modules, Pipeline
from generator.model.stock import StockPipeline
from generator.model.weights import OnProgress, load_modules
from generator.variants import Variant


@dataclass(frozen=True, slots=True)
class PipelineConfig:
    """Which pipeline to build, and how."""

    kind: PipelineKind = PipelineKind.LEAN
    state_folder: Path | None = None
    """where built kernels are kept; None: where Triton keeps them"""


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
    building = start_building(device, dtype, config.state_folder) if config.kind is PipelineKind.LEAN else None
    pipeline = _build_pipeline(variant, device, load_modules(variant, dtype, on_progress), config)
    if building is not None:
        building.join()
    return LoadedVariant(variant, dtype, pipeline)


def _build_pipeline(variant: Variant, device: torch.device, modules: Modules, config: PipelineConfig) -> Pipeline:
    if config.kind is PipelineKind.STOCK:
        return StockPipeline(modules, device)
    return LeanPipeline(modules, device, turbo=variant.turbo)
