"""Render a short clip on the GPU, else the demo model's on the CPU, and print how long it took. The doctor runs it.

Tested in tests/generator/model/test_bench.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import torch
from PIL import Image

from generator.clip import ClipSettings, Quality
from generator.errors import WeightsUnavailable
from generator.memory import GIB, ClipSize, MemoryPlan, plan_memory
from generator.model.lean.render import LeanPipeline
from generator.model.loaded import load_variant
from generator.model.pipeline import Pipeline
from generator.model.random_weights import random_checkpoint
from generator.protocol import Hooks, Phase, Progress
from generator.variants import BUILT_IN, Variant

STEPS = 5
"""of the clip that is rendered; the seconds of a whole one are calculated from its steps"""


@dataclass(slots=True)
class _Clock:
    """Remembers when each denoising step ended."""

    ends: list[float] = field(default_factory=list)

    def on_progress(self, item: Progress) -> None:
        if item.phase is Phase.DENOISE:
            self.ends.append(time.monotonic())


def measure(pipeline: Pipeline, variant: Variant, plan: MemoryPlan, steps: int = STEPS) -> dict[str, float]:
    """Render twice, and return of the second clip the seconds of a step and of a clip of the variant's usual steps."""
    quality = variant.quality or Quality.QUALITY
    guidance = variant.max_guidance or ClipSettings().max_guidance
    settings = ClipSettings(variant=variant.name, frames=variant.frames, steps=steps, max_guidance=guidance, seed=1)
    picture = Image.effect_noise(variant.landscape, 64).convert("RGB")
    for _ in range(2):  # the first one also builds kernels and fills caches
        clock, begun = _Clock(), time.monotonic()
        for _frame in pipeline.render(picture, settings, plan, Hooks(clock.on_progress, lambda: None)):
            pass
        took = time.monotonic() - begun
    step = median(later - earlier for earlier, later in zip(clock.ends, clock.ends[1:], strict=False))
    return {"step_s": step, "clip_s": took + (variant.usual_steps(quality) - steps) * step}


def _load(variant: Variant, device: torch.device) -> tuple[Pipeline, str]:
    """Return a pipeline with the variant's weights, or with random ones of the full size where they are not here."""
    try:
        return load_variant(variant, device).pipeline, "installed weights"
    except WeightsUnavailable:
        dtype = torch.float16
        return LeanPipeline(random_checkpoint(dtype), dtype, device), "random weights"


def bench(memory: str = "auto") -> dict[str, Any]:
    """Measure SVD-XT on the first GPU, or the demo model where there is none. Raises OutOfMemory."""
    on_gpu = torch.cuda.is_available()
    device = torch.device("cuda" if on_gpu else "cpu")
    variant = BUILT_IN["svd-xt" if on_gpu else "demo"]
    facts: dict[str, Any] = {"card": "no GPU, CPU only", "driver": "none", "torch": torch.__version__}
    free = None
    if on_gpu:
        free, _total = torch.cuda.mem_get_info(device)
        facts |= {"card": torch.cuda.get_device_name(device), "driver": _driver()}
    plan = plan_memory(free, variant, ClipSize(*variant.landscape, variant.frames), memory)
    pipeline, weights = _load(variant, device)
    if on_gpu:
        torch.cuda.reset_peak_memory_stats(device)
    facts |= {"variant": variant.name, "weights": weights, "plan": plan.rung, **measure(pipeline, variant, plan)}
    return facts | {"peak_gib": torch.cuda.max_memory_allocated(device) / GIB if on_gpu else None}


def _driver() -> str:
    """Ask nvidia-smi for the driver's version; "unknown" where it does not say."""
    command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "unknown"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(bench(*sys.argv[1:2])) + "\n")
