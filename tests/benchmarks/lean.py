"""Compare a whole clip by the lean pipeline with the stock one, on a small random model on this machine's CPU."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from generator.clip import ClipSettings
from generator.memory import ClipSize, MemoryPlan, PipelineKind, presets
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.pipeline import Pipeline
from tests.benchmarks.report import Report
from tests.support.tiny_checkpoint import make_checkpoint
from tests.support.tiny_clip import SILENT, noise_picture

RUNS = 5
CPU = torch.device("cpu")


def run() -> Report:
    """Time both in turn, so that a busy machine slows both alike, and compare their frames."""
    with tempfile.TemporaryDirectory() as folder:
        variant = make_checkpoint(Path(folder))
        pipelines = {kind: load_variant(variant, CPU, PipelineConfig(kind)).pipeline for kind in PipelineKind}
    plans = {"stock": MemoryPlan(rung="stock", pipeline=PipelineKind.STOCK)}
    plans |= {plan.rung: plan for plan in presets(ClipSize(128, 64, 5)) if plan.rung in ("full", "streamed")}
    seconds: dict[str, list[float]] = {name: [] for name in plans}
    frames: dict[str, Any] = {}
    for _ in range(RUNS):
        for name, plan in plans.items():
            begun = time.perf_counter()
            frames[name] = np.stack(list(_render(pipelines[plan.pipeline], plan)))
            seconds[name].append(time.perf_counter() - begun)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    difference = max(int(np.abs(frames["stock"].astype(int) - frames[name]).max()) for name in plans)
    figures: dict[str, float | int | str] = {f"{name}_clip_s": value for name, value in median.items()}
    figures |= {"lean_to_stock_time": median["full"] / median["stock"], "largest_level_difference": difference}
    targets = {"largest_level_difference": "<= 1"}
    return Report("lean", figures, targets, ("torch", "diffusers", "transformers"))


def _render(pipeline: Pipeline, plan: MemoryPlan) -> Iterator[Any]:
    settings = ClipSettings(variant="tiny", frames=5, steps=10, seed=1)
    return pipeline.render(noise_picture(128, 64), settings, plan, SILENT)
