"""Whole clips: the article's recipes beside our plans, and end to end to MP4."""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from diffusers import StableVideoDiffusionPipeline
from transformers import CLIPImageProcessor

from generator.clip import DEFAULT_STEPS, Format, Quality
from generator.memory import MIB, ClipSize, MemoryPlan, presets
from generator.protocol import Hooks, Phase, Progress
from generator.video.clip_file import ClipFormat
from generator.video.encode import ClipWriter
from tests.benchmarks.gpu.bench import Bench, measure, moved_gib, sync
from tests.benchmarks.gpu.models import Models
from tests.support.tiny_clip import SILENT

HEAD = ("Clip of 25 steps", "what", "s", "peak GiB", "reserved GiB", "moved GiB")


def build_recipe(models: Models, recipe: str) -> Any:
    """Build diffusers' pipeline: `resident`, or as the article does with `offload`, or all three `savers` stacked."""
    stock = models.modules
    pipe = StableVideoDiffusionPipeline(
        stock.vae, stock.image_encoder, stock.unet, stock.scheduler, CLIPImageProcessor()
    )
    pipe.set_progress_bar_config(disable=True)
    if recipe == "savers":
        pipe.unet.enable_forward_chunking()
    if recipe == "resident":
        pipe.to(models.bench.device)
    elif models.bench.on_gpu:
        pipe.enable_model_cpu_offload(device=models.bench.device)
    return pipe


def run_recipe(bench: Bench, pipe: Any, recipe: str, steps: int) -> None:
    """Render one clip as the article does."""
    width, height = bench.size
    with warnings.catch_warnings():
        # diffusers' scheduler passes numpy a tensor in a way that numpy 2 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        pipe(
            bench.picture(),
            height=height,
            width=width,
            num_frames=bench.frames,
            num_inference_steps=steps,
            decode_chunk_size=2 if recipe == "savers" else 8,
            generator=torch.Generator().manual_seed(1),
        )


def clip(bench: Bench, models: Models, plan: MemoryPlan, hooks: Hooks = SILENT, **changes: Any) -> None:
    settings = bench.settings(**changes)
    for _ in models.lean.render(bench.picture(), settings, plan, hooks):
        pass


def clip_of_steps(bench: Bench, models: Models, plan: MemoryPlan, steps: int) -> None:
    clip(bench, models, plan, steps=steps)


def head(bench: Bench) -> None:
    """Begin the clips' table, once."""
    if HEAD[0] not in bench.tables:
        bench.row(*HEAD)


def all_steps(bench: Bench) -> int:
    """Return a clip's number of steps."""
    return 2 if bench.tiny else 25


def moved_by_clip(bench: Bench, render: Callable[[int], None]) -> float:
    """Return the GiB that a whole clip copies over the bus, from those of a clip of one and of two steps."""
    one, two = (moved_gib(bench, partial(render, steps)) for steps in (1, 2))
    return one + (two - one) * (all_steps(bench) - 1)


def plans(bench: Bench, models: Models, rungs: tuple[str, ...], runs: int) -> None:
    """Measure seconds and peak of one clip by our plans, with modules kept from the clip before, as in a queue."""
    head(bench)
    width, height = bench.size
    for plan in presets(ClipSize(width, height, bench.frames)):
        if plan.rung not in rungs:
            continue
        clip(bench, models, plan, steps=1)
        timing = measure(bench, partial(clip, bench, models, plan, steps=all_steps(bench)), runs=runs, warm=0)
        moved = moved_by_clip(bench, partial(clip_of_steps, bench, models, plan))
        bench.row(HEAD[0], f"lean {plan.rung}", timing.seconds, timing.allocated, timing.reserved, moved)
        bench.note(**{f"clip_{plan.rung}_s": timing.seconds, f"clip_{plan.rung}_gib": timing.allocated})


def phases(bench: Bench, models: Models) -> None:
    """Measure the seconds of each phase of one clip with everything on the device."""
    width, height = bench.size
    plan = presets(ClipSize(width, height, bench.frames))[0]
    ended: dict[Phase, float] = {}

    def on_progress(progress: Progress) -> None:
        if progress.step == progress.of:
            sync(bench)
            ended[progress.phase] = time.perf_counter()

    sync(bench)
    start = time.perf_counter()
    clip(bench, models, plan, Hooks(on_progress, lambda: None), steps=all_steps(bench))
    for phase in (Phase.PREPARE, Phase.DENOISE, Phase.DECODE):
        bench.note(**{f"phase_{plan.rung}_{phase}_s": ended[phase] - start})
        start = ended[phase]


def recipe_clip(bench: Bench, models: Models, recipe: str) -> None:
    """Measure seconds and peak of one clip by the article's recipe, or by all its savers together."""
    head(bench)
    models.lean.release()
    pipe = build_recipe(models, recipe)
    run_recipe(bench, pipe, recipe, 1)
    timing = measure(bench, partial(run_recipe, bench, pipe, recipe, all_steps(bench)), runs=1, warm=0)
    moved = moved_by_clip(bench, partial(run_recipe, bench, pipe, recipe))
    bench.row(HEAD[0], f"article's {recipe}", timing.seconds, timing.allocated, timing.reserved, moved)
    bench.note(**{f"clip_article_{recipe}_s": timing.seconds, f"clip_article_{recipe}_gib": timing.allocated})
    pipe.remove_all_hooks()
    pipe.to("cpu")
    for module in models.modules.unet.modules():
        if hasattr(module, "set_chunk_feed_forward"):
            module.set_chunk_feed_forward(None)


def resident_stock(bench: Bench, models: Models) -> None:
    """Measure a clip of the stock pipeline with every module on the device."""
    head(bench)
    models.lean.release()
    pipe = build_recipe(models, "resident")
    run_recipe(bench, pipe, "resident", 1)
    timing = measure(bench, partial(run_recipe, bench, pipe, "resident", all_steps(bench)), runs=1, warm=0)
    bench.row(HEAD[0], "stock resident, decode chunk 8", timing.seconds, timing.allocated, timing.reserved, "-")
    bench.note(clip_stock_resident_s=timing.seconds, clip_stock_resident_gib=timing.allocated)
    pipe.to("cpu")


def end_to_end(bench: Bench, models: Models) -> None:
    """Measure the seconds from the picture to a finished MP4, for both lengths and every quality."""
    bench.row("Picture to MP4", "frames", "quality", "calls", "s")
    width, height = bench.size
    plan = presets(ClipSize(width, height, bench.frames))[0]
    for frames in (bench.frames,) if bench.tiny else (25, 14):
        for quality in Quality:
            steps = 2 if bench.tiny else DEFAULT_STEPS[quality]
            settings = bench.settings(frames=frames, quality=quality, steps=steps)
            sync(bench)
            begun = time.perf_counter()
            with tempfile.TemporaryDirectory() as folder:
                mp4 = ClipFormat(format=Format.MP4, width=width, height=height, playback_fps=7, max_bytes=10 * MIB)
                with ClipWriter(Path(folder) / "clip.mp4", mp4) as writer:
                    for frame in models.lean.render(bench.picture(), settings, plan, SILENT):
                        writer.add(frame)
                    writer.finish()
            bench.row("Picture to MP4", frames, str(quality), steps, time.perf_counter() - begun)
