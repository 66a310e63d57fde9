"""Speed and memory on a GPU with random full-size weights: `python -m tests.benchmarks.gpu --out FOLDER`.

Time and memory do not depend on the weights' values; quality does, and nothing is claimed about it. Every section
prints its figures and writes gpu.json and gpu.md again: a time limit costs only the sections that had not begun.
`--tiny --device cpu` runs the same sections on a small model.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tests.benchmarks.gpu import clips, kernels, scale, start, steps, two_jobs
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.cards import cards
from tests.benchmarks.gpu.fast_math import fast_math
from tests.benchmarks.gpu.models import Models, plan

CLIP_TFLOP = 4174.0
"""of stock svd-xt: 25 steps of 159.9, decode 173.6, and 3 for conditioning"""


def summary(bench: Bench) -> None:
    """Note the figures that have targets, as far as the sections that ran allow."""
    known = bench.figures
    ours = known.get("clip_full_s")
    if ours and "clip_article_offload_s" in known:
        bench.note(times_faster_than_offload=known["clip_article_offload_s"] / ours)
    if ours and "clip_stock_resident_s" in known:
        bench.note(times_faster_than_stock=known["clip_stock_resident_s"] / ours)
    if ours and "matrix_tflops" in known:
        bench.note(times_the_compute_floor=ours * known["matrix_tflops"] / CLIP_TFLOP)
    if ours and "clip_resident_s" in known:
        bench.note(slower_on_small_plan=known["clip_resident_s"] / known["clip_full_s"] - 1)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu-figures"))
    parser.add_argument("--seconds", type=float, default=480, help="begin no section after this long")
    parser.add_argument("--sections", default="")
    parser.add_argument("--before", type=Path, help="for `start`: a folder with another commit's generator/")
    chosen = parser.parse_args(arguments)
    bench = Bench(torch.device(chosen.device), chosen.tiny, chosen.out)
    bench.note(torch=torch.__version__, python=platform.python_version(), command=" ".join(arguments))
    if bench.on_gpu:
        bench.note(gpu=torch.cuda.get_device_name(), cudnn=torch.backends.cudnn.version(), cuda=torch.version.cuda)
    with torch.no_grad():
        models = Models(bench)
        wanted = chosen.sections.split(",") if chosen.sections else None
        run_sections(bench, sections(bench, models, chosen.before), wanted, chosen.seconds)
        summary(bench)


def sections(bench: Bench, models: Models, before: Path | None) -> dict[str, Callable[[], None]]:
    """Return all sections by their names, in the order in which they run."""
    return {
        "rate": lambda: kernels.rate(bench),
        "equality": lambda: steps.equality(bench, models),
        "brief": lambda: steps.steps(bench, models, brief=True),
        "eager-profile": lambda: steps.profile(bench, models, "eager", plan(50)),
        "small-profile": lambda: steps.profile(bench, models, "small", plan(25)),
        "fast-math": lambda: fast_math(bench, models),
        "without-kernels": lambda: steps.without_kernels(bench, models),
        "decode": lambda: steps.decodes(bench, models),
        "kernels": lambda: kernels.kernels(bench, models),
        "plans": lambda: clips.plans(bench, models, ("full", "resident"), runs=2),
        "phases": lambda: clips.phases(bench, models),
        "rungs": lambda: clips.plans(bench, models, ("split", "streamed", "minimal"), runs=1),
        "offload": lambda: clips.recipe_clip(bench, models, "offload"),
        "savers": lambda: clips.recipe_clip(bench, models, "savers"),
        "stock-clip": lambda: clips.resident_stock(bench, models),
        "end-to-end": lambda: clips.end_to_end(bench, models),
        "steps": lambda: steps.steps(bench, models, brief=False),
        "cards": lambda: cards(bench, ("ours", "ours-expandable")),
        "recipe-cards": lambda: cards(bench, ("offload", "savers")),
        "start": lambda: start.start(bench, models.modules, before),
        "queue": lambda: two_jobs.queue(bench, models),
        "scale": lambda: scale.scale(bench, models),
    }


def run_sections(bench: Bench, known: dict[str, Callable[[], None]], wanted: list[str] | None, seconds: float) -> None:
    """Run the wanted sections, or all; none begins after so many seconds."""
    for name in wanted or list(known):
        if time.monotonic() - bench.started > seconds:
            bench.note(**{f"left_out_{name}": "no time left"})
            continue
        begun = time.monotonic()
        try:
            known[name]()
        except Exception as error:  # noqa: BLE001 - the other sections' figures are worth having all the same
            bench.note(**{f"failed_{name}": f"{type(error).__name__}: {str(error)[:300]}"})
        bench.note(**{f"section_{name}_s": time.monotonic() - begun})
        if bench.on_gpu:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main(sys.argv[1:])
