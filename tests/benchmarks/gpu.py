"""Speed and memory on a GPU with random full-size weights: `python -m tests.benchmarks.gpu --out FOLDER`.

Time and memory do not depend on the weights' values; quality does and is not claimed. Every section prints its figures
and rewrites gpu.json and gpu.md as it goes, so that a time limit loses only what had not begun.
`--tiny --device cpu` runs the same sections on a small model.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import gc
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.memory import GIB, Decode, MemoryPlan, Residency
from generator.model.lean.compiled import Compiler
from generator.model.lean.render import LeanPipeline
from tests.benchmarks.full_size import random_modules
from tests.support.tiny_clip import SILENT

CLIP_TFLOP = 4174.0
"""Stock svd-xt: 25 steps of 159.9, decode 173.6, and 3 for conditioning"""
STEP_TFLOP = 159.9


@dataclass
class Bench:
    """The device, the sizes, and the figures found so far."""

    device: torch.device
    tiny: bool
    out: Path
    figures: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def size(self) -> tuple[int, int]:
        return (128, 64) if self.tiny else (1024, 576)

    @property
    def frames(self) -> int:
        return 5 if self.tiny else 25

    @property
    def dtype(self) -> torch.dtype:
        return torch.float16 if self.on_gpu else torch.float32

    def note(self, **figures: Any) -> None:
        self.figures |= figures
        shown = "  ".join(
            f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}" for key, value in figures.items()
        )
        print(f"[{time.monotonic() - self.started:5.0f} s] {shown}", flush=True)
        self.save()

    def row(self, table: str, *cells: Any) -> None:
        self.tables.setdefault(table, []).append([f"{c:.4g}" if isinstance(c, float) else str(c) for c in cells])
        print(f"[{time.monotonic() - self.started:5.0f} s] {table}: " + " | ".join(self.tables[table][-1]), flush=True)
        self.save()

    def save(self) -> None:
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "gpu.json").write_text(
            json.dumps({"name": "gpu", "figures": self.figures, "tables": self.tables}, indent=1)
        )
        lines = [
            f"- {key}: {value:.4g}" if isinstance(value, float) else f"- {key}: {value}"
            for key, value in self.figures.items()
        ]
        for name, rows in self.tables.items():
            head, *body = rows
            lines += ["", f"### {name}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
            lines += ["| " + " | ".join(row) + " |" for row in body]
        (self.out / "gpu.md").write_text("\n".join(lines) + "\n")

    def settings(self, **changes: Any) -> ClipSettings:
        return dataclasses.replace(ClipSettings(frames=self.frames, seed=1), **changes)

    def picture(self) -> Image.Image:
        width, height = self.size
        return Image.fromarray(np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8))


@dataclass(frozen=True)
class Timing:
    """Median seconds and the peaks beside it."""

    seconds: float
    allocated: float
    """GiB"""
    reserved: float


def sync(bench: Bench) -> None:
    if bench.on_gpu:
        torch.cuda.synchronize()


def measure(bench: Bench, work: Callable[[], Any], runs: int = 5, warm: int = 2) -> Timing:
    """Time `work` to its end on the device; the peaks are of the timed runs."""
    runs, warm = (1, 0) if bench.tiny else (runs, warm)
    gc.collect()  # modules whose methods were replaced refer to themselves, and keep their weights till then
    for _ in range(warm):
        work()
    sync(bench)
    if bench.on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        work()
        sync(bench)
        seconds.append(time.perf_counter() - begun)
    peaks = (torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()) if bench.on_gpu else (0, 0)
    return Timing(statistics.median(seconds), peaks[0] / GIB, peaks[1] / GIB)


def moved_gib(bench: Bench, work: Callable[[], Any]) -> float:
    """Tell how much `work` copies between host and device, either way."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    if not bench.on_gpu:
        return 0.0
    with record(activities=[ProfilerActivity.CUDA]) as seen:
        work()
        sync(bench)
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        seen.export_chrome_trace(file.name)
        events = json.loads(Path(file.name).read_text())["traceEvents"]
    copies = [event for event in events if event.get("cat") == "gpu_memcpy" and "DtoD" not in event["name"]]
    return float(sum(event["args"]["bytes"] for event in copies)) / GIB


def rate(bench: Bench) -> None:
    """The matrix rate, the memory's and the bus's: the ceilings everything else is held against."""
    count = 256 if bench.tiny else 8192
    left, right = (torch.randn(count, count, device=bench.device, dtype=bench.dtype) for _ in range(2))
    took = measure(bench, lambda: [left @ right for _ in range(10)], warm=1).seconds / 10
    bench.note(matrix_tflops=2 * count**3 / took / 1e12)
    host = torch.empty(2**20 if bench.tiny else 2**30, dtype=torch.uint8)
    bench.note(pageable_gb_s=host.numel() / measure(bench, lambda: host.to(bench.device), warm=1).seconds / 1e9)
    if bench.on_gpu:
        pinned, there = host.pin_memory(), torch.empty_like(host, device=bench.device)
        seconds = measure(bench, lambda: there.copy_(pinned, non_blocking=True), warm=1).seconds
        bench.note(pinned_gb_s=host.numel() / seconds / 1e9)
        seconds = measure(bench, lambda: there.clone(), warm=1).seconds
        bench.note(copy_tb_s=2 * host.numel() / seconds / 1e12)


class Models:
    """The stock modules and the lean pipeline, made from one set of random weights."""

    def __init__(self, bench: Bench, compiler: Compiler | None = None) -> None:
        self.bench = bench
        self.modules = random_modules(bench.dtype, tiny=bench.tiny)
        # Packing lays the weights out anew; stock is measured with its own layout.
        self.stock = copy.deepcopy(self.modules)
        self.compiler = compiler or Compiler()
        self.lean = LeanPipeline(self.modules, bench.device, compiler=self.compiler)

    def stock_unet(self) -> Any:
        return copy.deepcopy(self.stock.unet).to(self.bench.device)

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, tuple[float, ...], float]:
        bench = self.bench
        rng = torch.Generator().manual_seed(3)
        width, height = (side // self.lean.scale for side in bench.size)
        channels = self.modules.unet.config.in_channels
        sample = torch.randn(2, bench.frames, height, width, channels, generator=rng).to(bench.device, bench.dtype)
        context = torch.randn(2, 1, self.modules.unet.config.cross_attention_dim, generator=rng)
        context[0] = 0
        return sample, context.to(bench.device, bench.dtype), (6.0, 127.0, 0.02), 1.0

    def stock_step(self, unet: Any, item: int | None = None) -> torch.Tensor:
        sample, context, ids, when = self.inputs()
        if item is not None:
            sample, context = sample[item : item + 1], context[item : item + 1]
        added = torch.tensor([ids] * len(sample), device=self.bench.device, dtype=self.bench.dtype)
        given = sample.permute(0, 1, 4, 2, 3).contiguous()
        out = unet(given, torch.tensor(when, device=self.bench.device), context, added, return_dict=False)[0]
        return out.permute(0, 1, 3, 4, 2)

    def lean_step(self, plan: MemoryPlan) -> Callable[[], torch.Tensor]:
        sample, context, ids, when = self.inputs()
        unet = self.lean.place_unet(plan)
        constants = unet.prepare(context, ids, [when], self.bench.frames)

        def step() -> torch.Tensor:
            if not plan.split_cfg:
                return unet(sample, constants, 0, SILENT.check)
            halves = [unet(sample[i : i + 1], constants, 0, SILENT.check, item=i) for i in range(2)]
            return torch.cat(halves)

        return step

    def stock_vae(self) -> Any:
        return copy.deepcopy(self.stock.vae).to(self.bench.device)

    def stock_decode(self, vae: Any, together: int) -> None:
        pixels = (self.latents() / vae.config.scaling_factor).to(self.bench.dtype).permute(0, 3, 1, 2).contiguous()
        parts = [vae.decode(part, num_frames=len(part)).sample for part in pixels.split(together)]
        torch.cat(parts).float().cpu()

    def latents(self) -> torch.Tensor:
        width, height = (side // self.lean.scale for side in self.bench.size)
        rng = torch.Generator().manual_seed(4)
        channels = self.modules.vae.config.latent_channels
        return torch.randn(self.bench.frames, height, width, channels, generator=rng).to(self.bench.device)

    def lean_decode(self, plan: MemoryPlan) -> np.ndarray[Any, Any]:
        return np.stack(list(self.lean.decode(self.latents(), self.bench.settings(), plan, SILENT)))


def plan(frames: int, *, split: bool = False, compiled: bool = False, streamed: bool = False) -> MemoryPlan:
    return MemoryPlan(
        rung="bench",
        frames_per_chunk=frames,
        split_cfg=split,
        compile=compiled,
        unet=Residency.STREAMED if streamed else Residency.RESIDENT,
    )


def _difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours.float() - theirs.float()).norm() / theirs.float().norm())


def equality(bench: Bench, models: Models) -> None:
    """Relative difference to stock at full size in the working precision, and stock's own to single precision."""
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
    vae = copy.deepcopy(models.stock.vae).to(bench.device)
    scaled = (models.latents() / vae.config.scaling_factor).to(bench.dtype).permute(0, 3, 1, 2)
    whole = vae.decode(scaled, num_frames=bench.frames).sample.permute(0, 2, 3, 1)
    ours = torch.from_numpy(models.lean_decode(plan(5))).to(bench.device)
    theirs = ((whole.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    bench.note(
        decode_mean_level_error=float((ours.float() - theirs).abs().mean()), decode_levels_std=float(theirs.std())
    )


def steps(bench: Bench, models: Models, *, brief: bool) -> None:
    """One guided UNet step: stock, and lean by frames per chunk."""
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


def compiled(bench: Bench, models: Models, *, frames: tuple[int, ...] = (50,)) -> None:
    """The same with compiled chunk functions."""
    for count in frames:
        chosen = plan(count, compiled=True)
        step = models.lean_step(chosen)
        expected = step()
        begun = time.monotonic()
        if bench.on_gpu:
            torch.cuda.reset_peak_memory_stats()
        models.compiler.compile_now()
        bench.note(**{f"compile_unet_{count}_s": time.monotonic() - begun})
        if bench.on_gpu:
            bench.note(**{f"compile_unet_{count}_gib": torch.cuda.max_memory_allocated() / GIB})
        bench.note(**{f"compiled_{count}_relative_error": _difference(step(), expected)})
        timing = measure(bench, step)
        bench.row(
            "UNet step",
            f"lean {count} compiled",
            timing.seconds,
            timing.allocated,
            timing.reserved,
            STEP_TFLOP / timing.seconds,
        )
        bench.note(**{f"compiled_{count}_step_s": timing.seconds})


def decodes(bench: Bench, models: Models) -> None:
    """Latents to frames in host memory."""
    models.lean.release()
    bench.row("Decode", "what", "s", "peak GiB", "reserved GiB")
    for together in (8, bench.frames):
        timing = measure(bench, partial(models.stock_decode, models.stock_vae(), together), 3, 1)
        bench.row("Decode", f"stock chunk {together}", timing.seconds, timing.allocated, timing.reserved)
    windowed = dataclasses.replace(plan(5), decode=Decode.WINDOWED)
    for name, chosen in (("lean exact", plan(5)), ("lean windows", windowed)):
        timing = measure(bench, lambda chosen=chosen: models.lean_decode(chosen), 3, 1)
        bench.row("Decode", name, timing.seconds, timing.allocated, timing.reserved)
        bench.note(
            **{
                f"{name.replace(' ', '_')}_decode_s": timing.seconds,
                f"{name.replace(' ', '_')}_decode_gib": timing.allocated,
            }
        )


def decode_compiled(bench: Bench, models: Models) -> None:
    """The exact decode with compiled chunk functions."""
    chosen = plan(5, compiled=True)
    models.lean_decode(chosen)
    begun = time.monotonic()
    models.compiler.compile_now()
    bench.note(compile_decode_s=time.monotonic() - begun)
    timing = measure(bench, lambda: models.lean_decode(chosen), 3, 1)
    bench.row("Decode", "lean exact compiled", timing.seconds, timing.allocated, timing.reserved)


def profile(bench: Bench, models: Models, name: str, chosen: MemoryPlan) -> None:
    """Where one step's time goes, by kernel; and its wall time, which is more where the device waits for launches."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    activity = ProfilerActivity.CUDA if bench.on_gpu else ProfilerActivity.CPU
    step = models.lean_step(chosen)
    bench.note(**{f"wall_{name}_s": measure(bench, step, 3, 2).seconds})
    with record(activities=[activity]) as seen:
        step()
        sync(bench)

    def milliseconds(event: Any) -> float:
        return (event.self_device_time_total if bench.on_gpu else event.self_cpu_time_total) / 1000

    events = sorted(seen.key_averages(), key=milliseconds, reverse=True)
    bench.row(f"Kernels {name}", "kernel", "ms", "calls")
    bench.row(f"Kernels {name}", "all", sum(map(milliseconds, events)), sum(event.count for event in events))
    for event in events[:22]:
        bench.row(f"Kernels {name}", event.key[:300].replace("|", "/"), milliseconds(event), event.count)


def summary(bench: Bench) -> None:
    """The figures that carry targets, from whatever sections ran."""
    known = bench.figures
    ours = known.get("clip_full_compiled_s", known.get("clip_full_s"))
    if ours and "clip_article_offload_s" in known:
        bench.note(times_faster_than_offload=known["clip_article_offload_s"] / ours)
    if ours and "clip_stock_resident_s" in known:
        bench.note(times_faster_than_stock=known["clip_stock_resident_s"] / ours)
    if ours and "matrix_tflops" in known:
        bench.note(times_the_compute_floor=ours * known["matrix_tflops"] / CLIP_TFLOP)
    if ours and "clip_resident_s" in known:
        bench.note(slower_on_small_plan=known["clip_resident_s"] / known["clip_full_s"] - 1)


def main(arguments: list[str]) -> None:
    from tests.benchmarks import gpu_cards
    from tests.benchmarks import gpu_clips as clips

    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu-figures"))
    parser.add_argument("--seconds", type=float, default=480, help="begin no section after this long")
    parser.add_argument("--sections", default="")
    chosen = parser.parse_args(arguments)
    bench = Bench(torch.device(chosen.device), chosen.tiny, chosen.out)
    bench.note(torch=torch.__version__, python=platform.python_version(), command=" ".join(arguments))
    if bench.on_gpu:
        bench.note(gpu=torch.cuda.get_device_name(), cudnn=torch.backends.cudnn.version(), cuda=torch.version.cuda)
    with torch.no_grad():
        models = Models(bench)
        bench.note(seconds_to_build=time.monotonic() - bench.started)
        sections: dict[str, Callable[[], None]] = {
            "rate": lambda: rate(bench),
            "equality": lambda: equality(bench, models),
            "brief": lambda: steps(bench, models, brief=True),
            "eager-profile": lambda: profile(bench, models, "eager", plan(50)),
            "small-profile": lambda: profile(bench, models, "small", plan(25)),
            "decode": lambda: decodes(bench, models),
            "compile": lambda: compiled(bench, models),
            "compiled-profile": lambda: profile(bench, models, "compiled", plan(50, compiled=True)),
            "small-compile": lambda: compiled(bench, models, frames=(25,)),
            "kernels": lambda: clips.kernels(bench, models),
            "plans": lambda: clips.plans(bench, models, ("full", "resident"), runs=2),
            "phases": lambda: clips.phases(bench, models),
            "rungs": lambda: clips.plans(bench, models, ("split", "streamed", "minimal"), runs=1),
            "offload": lambda: clips.recipe_clip(bench, models, "offload"),
            "savers": lambda: clips.recipe_clip(bench, models, "savers"),
            "stock-clip": lambda: clips.resident_stock(bench, models),
            "decode-compile": lambda: decode_compiled(bench, models),
            "compiled-clip": lambda: clips.compiled_clip(bench, models),
            "end-to-end": lambda: clips.end_to_end(bench, models),
            "steps": lambda: steps(bench, models, brief=False),
            "cards": lambda: gpu_cards.cards(bench, ("ours", "ours-expandable")),
            "recipe-cards": lambda: gpu_cards.cards(bench, ("offload", "savers")),
            "compiled-cards": lambda: gpu_cards.cards(bench, ("ours-compiled",)),
            "queue": lambda: clips.queue(bench, models),
        }
        wanted = chosen.sections.split(",") if chosen.sections else list(sections)
        for name in wanted:
            if time.monotonic() - bench.started > chosen.seconds:
                bench.note(**{f"left_out_{name}": "no time left"})
                continue
            begun = time.monotonic()
            try:
                sections[name]()
            except Exception as error:  # noqa: BLE001 - the other sections' figures are worth having all the same
                bench.note(**{f"failed_{name}": f"{type(error).__name__}: {str(error)[:300]}"})
            bench.note(**{f"section_{name}_s": time.monotonic() - begun})
            if bench.on_gpu:
                torch.cuda.empty_cache()
        summary(bench)


if __name__ == "__main__":
    # Imported again under its real name, so that gpu_clips and this module share one Bench class.
    from tests.benchmarks.gpu import main as run_sections

    run_sections(sys.argv[1:])
