"""One guided UNet step and one decode: lean against stock, by frames per chunk, with fused kernels and without."""

from __future__ import annotations

import copy
import dataclasses
from functools import partial
from typing import Any

import pytest
import torch
from torch.profiler import ProfilerActivity
from torch.profiler import profile as record

from generator.memory import Decode, MemoryPlan
from generator.model.lean import chunks, layers
from generator.model.lean.fused import plain
from tests.benchmarks.gpu.bench import Bench, Timing, measure, sync
from tests.benchmarks.gpu.models import Models, plan

STEP_TFLOP = 159.9
"""of stock svd-xt, with guidance"""


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours.float() - theirs.float()).norm() / theirs.float().norm())


def equality(bench: Bench, models: Models) -> None:
    """Compare a step and a decode of lean with those of stock, in the working precision."""
    unet = models.stock_unet()
    expected = models.stock_step(unet)
    bench.note(unet_stock_finite=bool(torch.isfinite(expected).all()))
    for name, chosen in (
        ("batched", plan(50)),
        ("chunked", plan(4)),
        ("split", plan(5, split=True)),
        ("streamed", plan(2, split=True, streamed=True)),
    ):
        bench.note(**{f"unet_{name}_relative_error": _difference(models.lean_step(chosen)(), expected)})
    del unet
    vae = copy.deepcopy(models.modules.vae).to(bench.device)
    scaled = (models.latents() / vae.config.scaling_factor).to(bench.dtype).permute(0, 3, 1, 2)
    whole = vae.decode(scaled, num_frames=bench.frames).sample.permute(0, 2, 3, 1)
    ours = torch.from_numpy(models.lean_decode(plan(5))).to(bench.device)
    theirs = ((whole.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    bench.note(
        decode_mean_level_error=float((ours.float() - theirs).abs().mean()), decode_levels_std=float(theirs.std())
    )


def steps(bench: Bench, models: Models, *, brief: bool) -> None:
    """Measure one guided UNet step: stock, and lean by frames per chunk."""
    bench.row("UNet step", "what", "s", "peak GiB", "reserved GiB", "TFLOP/s")

    def add(name: str, timing: Timing) -> Timing:
        bench.row("UNet step", name, timing.seconds, timing.allocated, timing.reserved, STEP_TFLOP / timing.seconds)
        return timing

    stock_step = add("stock", measure(bench, partial(models.stock_step, models.stock_unet())))
    bench.note(stock_step_s=stock_step.seconds)
    best = add("lean whole", measure(bench, models.lean_step(plan(50))))
    bench.note(lean_step_s=best.seconds, lean_step_gain=stock_step.seconds / best.seconds)
    for frames in (10, 17, 25) if brief else (1, 2, 4, 5, 13):
        for split in (False,) if brief else (False, True):
            name = f"lean {frames} frames{' split' if split else ''}"
            add(name, measure(bench, models.lean_step(plan(frames, split=split)), runs=3, warm=1))
    if not brief:
        for split in (False, True):
            name = f"lean 13 frames{' split' if split else ''} streamed"
            add(name, measure(bench, models.lean_step(plan(13, split=split, streamed=True)), runs=3, warm=1))


def without_kernels(bench: Bench, models: Models) -> None:
    """Measure a step and a decode in plain torch, as where Triton or a C compiler is missing."""
    expected = models.lean_step(plan(50))()
    with pytest.MonkeyPatch.context() as patch:
        for module in (layers, chunks):
            patch.setattr(module, "operations", lambda tensor: plain)
        step = models.lean_step(plan(50))
        bench.note(fused_relative_error=_difference(expected, step()))
        bench.note(plain_step_s=measure(bench, step).seconds)
        bench.note(plain_decode_s=measure(bench, partial(models.lean_decode, plan(5)), 3, 1).seconds)


def decodes(bench: Bench, models: Models) -> None:
    """Measure decodes, from latents to frames in host memory."""
    models.lean.release()
    bench.row("Decode", "what", "s", "peak GiB", "reserved GiB")
    for together in (8, bench.frames):
        timing = measure(bench, partial(models.stock_decode, models.stock_vae(), together), 3, 1)
        bench.row("Decode", f"stock chunk {together}", timing.seconds, timing.allocated, timing.reserved)
    windowed = dataclasses.replace(plan(5), decode=Decode.WINDOWED)
    for name, chosen in (("lean exact", plan(5)), ("lean windows", windowed)):
        timing = measure(bench, partial(models.lean_decode, chosen), 3, 1)
        bench.row("Decode", name, timing.seconds, timing.allocated, timing.reserved)
        bench.note(
            **{
                f"{name.replace(' ', '_')}_decode_s": timing.seconds,
                f"{name.replace(' ', '_')}_decode_gib": timing.allocated,
            }
        )


def profile(bench: Bench, models: Models, name: str, chosen: MemoryPlan) -> None:
    """Measure one step's time by kernel, and its wall time, which is longer where the device waits for launches."""
    activity = ProfilerActivity.CUDA if bench.on_gpu else ProfilerActivity.CPU
    step = models.lean_step(chosen)
    bench.note(**{f"wall_{name}_s": measure(bench, step, 3, 2).seconds})
    with record(activities=[activity]) as seen:
        step()
        sync(bench)

    def milliseconds(event: Any) -> float:
        return float(event.self_device_time_total if bench.on_gpu else event.self_cpu_time_total) / 1000

    events = sorted(seen.key_averages(), key=milliseconds, reverse=True)
    bench.row(f"Kernels {name}", "kernel", "ms", "calls")
    bench.row(f"Kernels {name}", "all", sum(map(milliseconds, events)), sum(event.count for event in events))
    for event in events[:22]:
        bench.row(f"Kernels {name}", event.key[:300].replace("|", "/"), milliseconds(event), event.count)
