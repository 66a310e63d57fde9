"""Whole clips on a GPU: the article's recipes beside our plans, end to end to MP4, and two queued jobs."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own custom
from diffusers import StableVideoDiffusionPipeline
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import CLIPImageProcessor

from generator.backend.local_backend import LocalBackend
from generator.clip import DEFAULT_STEPS, Format, Loop, Quality
from generator.memory import ClipSize, MemoryPlan, presets
from generator.protocol import ExecutorConfig, Hooks, Phase, Progress, RenderRequest
from generator.variants import Variant
from generator.video.encode import ClipFormat, ClipWriter
from tests.benchmarks.gpu import Bench, Models, measure, moved_gib, sync
from tests.support.tiny_clip import SILENT


def kernels(bench: Bench, models: Models) -> None:
    """Attention kernels and convolution layouts on the shapes of the full-size UNet."""
    bench.row("Attention", "tokens x heads x width, frames", "kernel", "ms", "TFLOP/s")
    shapes = ((9216, 5, 64, 50), (2304, 10, 64, 50), (576, 20, 64, 50), (25, 5, 64, 18432), (9216, 1, 512, 1))
    for tokens, heads, width, frames in ((64, 2, 16, 2),) if bench.tiny else shapes:
        shape = (frames, heads, tokens, width)
        query, key, value = (torch.randn(shape, device=bench.device, dtype=bench.dtype) for _ in range(3))
        flops = 4 * frames * heads * tokens**2 * width
        wanted = ("CUDNN_ATTENTION", "FLASH_ATTENTION", "EFFICIENT_ATTENTION") if bench.on_gpu else ("FLASH_ATTENTION",)
        for name in wanted:
            try:
                with sdpa_kernel(getattr(SDPBackend, name)):
                    took = measure(bench, partial(F.scaled_dot_product_attention, query, key, value), 5, 2).seconds
            except RuntimeError:
                continue
            bench.row("Attention", f"{tokens} x {heads} x {width}, {frames}", name, took * 1e3, flops / took / 1e12)
    bench.row("Convolution", "in > out, height x width, frames", "layout", "ms", "TFLOP/s")
    sizes = (
        (320, 320, 72, 128, 50),
        (960, 320, 72, 128, 50),
        (640, 640, 36, 64, 50),
        (1280, 1280, 18, 32, 50),
        (2560, 1280, 9, 16, 50),
        (256, 128, 576, 1024, 1),
    )
    for source, target, height, width, frames in ((8, 8, 8, 8, 2),) if bench.tiny else sizes:
        maps = torch.randn(frames, source, height, width, device=bench.device, dtype=bench.dtype)
        kernel = torch.randn(target, source, 3, 3, device=bench.device, dtype=bench.dtype)
        flops = 2 * 9 * source * target * height * width * frames
        for name, layout in (("NCHW", torch.contiguous_format), ("NHWC", torch.channels_last)):
            given, weight = maps.to(memory_format=layout), kernel.to(memory_format=layout)
            took = measure(bench, partial(F.conv2d, given, weight, padding=1), 5, 2).seconds
            bench.row(
                "Convolution",
                f"{source} > {target}, {height} x {width}, {frames}",
                name,
                took * 1e3,
                flops / took / 1e12,
            )


def build_recipe(models: Models, recipe: str) -> Any:
    """Build diffusers' pipeline: `resident`, or as the article does with `offload`, or all three `savers` stacked."""
    stock = models.stock
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
        # diffusers' scheduler hands numpy a tensor in a way numpy 2 is about to refuse.
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


def _clip_of_steps(bench: Bench, models: Models, plan: MemoryPlan, steps: int) -> None:
    clip(bench, models, plan, steps=steps)


HEAD = ("Clip of 25 steps", "what", "s", "peak GiB", "reserved GiB", "moved GiB")


def head(bench: Bench) -> None:
    """Begin the clips' table, once."""
    if HEAD[0] not in bench.tables:
        bench.row(*HEAD)


def all_steps(bench: Bench) -> int:
    """Give a clip's steps."""
    return 2 if bench.tiny else 25


def moved_by_clip(bench: Bench, render: Callable[[int], None]) -> float:
    """Give the GiB that a whole clip copies over the bus, from clips of one and of two steps."""
    one, two = (moved_gib(bench, partial(render, steps)) for steps in (1, 2))
    return one + (two - one) * (all_steps(bench) - 1)


def plans(bench: Bench, models: Models, rungs: tuple[str, ...], runs: int) -> None:
    """Seconds and peak of one clip by our plans, parts kept from the clip before as in a queue."""
    head(bench)
    width, height = bench.size
    for plan in presets(ClipSize(width, height, bench.frames)):
        if plan.rung not in rungs:
            continue
        clip(bench, models, plan, steps=1)
        timing = measure(bench, partial(clip, bench, models, plan, steps=all_steps(bench)), runs=runs, warm=0)
        moved = moved_by_clip(bench, partial(_clip_of_steps, bench, models, plan))
        bench.row(HEAD[0], f"lean {plan.rung}", timing.seconds, timing.allocated, timing.reserved, moved)
        bench.note(**{f"clip_{plan.rung}_s": timing.seconds, f"clip_{plan.rung}_gib": timing.allocated})


def phases(bench: Bench, models: Models) -> None:
    """Note the seconds of each phase of one clip with everything on the device."""
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
    """Seconds and peak of one clip by the article's recipe, or by all its savers together."""
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
    for module in models.stock.unet.modules():
        if hasattr(module, "set_chunk_feed_forward"):
            module.set_chunk_feed_forward(None)


def resident_stock(bench: Bench, models: Models) -> None:
    """Seconds per clip of the stock pipeline with every part on the device."""
    head(bench)
    models.lean.release()
    pipe = build_recipe(models, "resident")
    run_recipe(bench, pipe, "resident", 1)
    timing = measure(bench, partial(run_recipe, bench, pipe, "resident", all_steps(bench)), runs=1, warm=0)
    bench.row(HEAD[0], "stock resident, decode chunk 8", timing.seconds, timing.allocated, timing.reserved, "-")
    bench.note(clip_stock_resident_s=timing.seconds, clip_stock_resident_gib=timing.allocated)
    pipe.to("cpu")


def end_to_end(bench: Bench, models: Models) -> None:
    """From the picture to a finished MP4: both lengths, every preset."""
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
                made = ClipFormat(
                    format=Format.MP4,
                    width=width,
                    height=height,
                    playback_fps=7,
                    max_bytes=10 * 2**20,
                    loop=Loop.NONE,
                    smooth=False,
                    recipe={},
                )
                with ClipWriter(Path(folder) / "clip.mp4", made) as writer:
                    for frame in models.lean.render(bench.picture(), settings, plan, SILENT):
                        writer.add(frame)
                    writer.finish()
            bench.row("Picture to MP4", frames, str(quality), steps, time.perf_counter() - begun)


def compiled_clip(bench: Bench, models: Models) -> None:
    """Seconds per clip of 25 steps with compiled chunk functions and everything on the device."""
    head(bench)
    width, height = bench.size
    plan = dataclasses.replace(presets(ClipSize(width, height, bench.frames))[0], compile=True)
    clip(bench, models, plan, steps=1)
    begun = time.monotonic()
    models.compiler.wait()
    models.compiler.compile_now()
    bench.note(compile_clip_s=time.monotonic() - begun)
    timing = measure(bench, partial(clip, bench, models, plan, steps=all_steps(bench)), runs=3, warm=0)
    bench.row(HEAD[0], "lean full, compiled", timing.seconds, timing.allocated, timing.reserved, "-")
    bench.note(clip_full_compiled_s=timing.seconds, clip_full_compiled_gib=timing.allocated)


def save_checkpoint(bench: Bench, models: Models, folder: Path) -> Variant:
    """Save the random weights as a checkpoint folder that the executor can load."""
    for name in ("unet", "vae", "image_encoder", "scheduler"):
        getattr(models.stock, name).save_pretrained(folder / name)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableVideoDiffusionPipeline"}))
    width, height = bench.size
    return Variant(name="random", source=str(folder), frames=bench.frames, landscape=(width, height))


def queue(bench: Bench, models: Models) -> None:
    """How long the GPU waits between two queued jobs, through the real executor: last frame to next first result."""
    models.lean.release()
    if bench.on_gpu:
        torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variant = save_checkpoint(bench, models, folder / "model")
        bench.picture().save(folder / "picture.png")
        seen = asyncio.run(_two_jobs(bench, variant, folder))
    last = max(when for job, progress, when in seen if job == 1 and progress.phase is Phase.DECODE)
    first = min(when for job, progress, when in seen if job == 2 and progress.phase is Phase.PREPARE and progress.step)
    end = max(when for job, progress, when in seen if job == 2 and progress.phase is Phase.DECODE)
    bench.note(
        queue_gap_ms=(first - last) * 1e3, queue_job_s=end - first, queue_idle_share=(first - last) / (end - first)
    )


async def _two_jobs(bench: Bench, variant: Variant, folder: Path) -> list[tuple[int, Progress, float]]:
    config = ExecutorConfig(variants={variant.name: variant}, device=bench.device.type, preload=variant.name)
    backend = LocalBackend(config)
    seen: list[tuple[int, Progress, float]] = []

    def note(job: int, progress: Progress) -> None:
        seen.append((job, progress, time.perf_counter()))

    await backend.start()
    try:
        async with asyncio.timeout(150):
            await backend.ready.wait()
            bench.note(executor_ready=True)
            requests = [
                RenderRequest(
                    job=job,
                    attempt=1,
                    picture_path=folder / "picture.png",
                    clip_path=folder / f"{job}.mp4",
                    settings=bench.settings(variant=variant.name, seed=job, steps=2 if bench.tiny else 25),
                    max_bytes=10 * 2**20,
                )
                for job in (1, 2)
            ]
            await asyncio.gather(*(backend.render(request, partial(note, request.job)) for request in requests))
    finally:
        await backend.close()
    return seen
