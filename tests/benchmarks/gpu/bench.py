"""The device, the sizes and the figures found so far; and how work on a GPU is timed."""

from __future__ import annotations

import dataclasses
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.profiler import ProfilerActivity
from torch.profiler import profile as record

from generator.clip import ClipSettings
from generator.memory import GIB


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
    """Median seconds, and the peaks of the same runs."""

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
    gc.collect()  # modules whose methods were replaced refer to themselves, so that only this frees their weights
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
    """Return how many GiB `work` copies between host and device, in both directions."""
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
