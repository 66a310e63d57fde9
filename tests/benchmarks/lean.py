"""A whole clip by the lean pipeline against the stock one, on a small random model on this machine's CPU."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.memory import ClipSize, MemoryPlan, PipelineKind, presets
from generator.model.loaded import LoadedVariant, load_variant, render_frames
from generator.protocol import Hooks
from tests.benchmarks.report import Report
from tests.support.tiny_checkpoint import make_checkpoint

RUNS = 5
HOOKS = Hooks(progress=lambda _progress: None, check=lambda: None)


def run() -> Report:
    """Time both in turn, so that a busy machine is as busy for either, and compare their frames."""
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_variant(make_checkpoint(Path(folder)), torch.device("cpu"))
    plans = {"stock": MemoryPlan(rung="stock", pipeline=PipelineKind.STOCK)}
    plans |= {plan.rung: plan for plan in presets(ClipSize(128, 64, 5)) if plan.rung in ("full", "streamed")}
    seconds: dict[str, list[float]] = {name: [] for name in plans}
    frames: dict[str, Any] = {}
    for _ in range(RUNS):
        for name, plan in plans.items():
            begun = time.perf_counter()
            frames[name] = np.stack(list(_render(loaded, plan)))
            seconds[name].append(time.perf_counter() - begun)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    difference = max(int(np.abs(frames["stock"].astype(int) - frames[name]).max()) for name in plans)
    figures: dict[str, float | int | str] = {f"{name}_clip_s": value for name, value in median.items()}
    figures |= {"lean_to_stock_time": median["full"] / median["stock"], "largest_level_difference": difference}
    targets = {"largest_level_difference": "<= 1"}
    return Report("lean", figures, targets, ("torch", "diffusers", "transformers"))


def _render(loaded: LoadedVariant, plan: MemoryPlan) -> Iterator[Any]:
    picture = Image.fromarray(np.random.default_rng(7).integers(0, 255, (64, 128, 3), dtype=np.uint8))
    return render_frames(loaded, picture, ClipSettings(variant="tiny", frames=5, steps=10, seed=1), plan, HOOKS)
