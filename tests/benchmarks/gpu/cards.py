"""Imitate smaller cards by a cap on torch's memory pool: each card and recipe in a process of its own.

`python -m tests.benchmarks.gpu.cards --recipe ours --card 6` tries one and prints what it found as a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from generator.errors import OutOfMemory
from generator.memory import BESIDE_TORCH_GIB, GIB, ClipSize, plan_memory
from generator.variants import BUILT_IN
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.clips import build_recipe, clip, run_recipe
from tests.benchmarks.gpu.models import Models

CARDS_GIB = (4, 6, 8, 12, 16, 24)
OURS = ("ours", "ours-expandable")
RECIPES = (*OURS, "offload", "savers")
STEPS = 5


def cards(bench: Bench, recipes: tuple[str, ...]) -> None:
    """Find which recipe fits which card, up to the first card on which a recipe has all the room that it can use."""
    if bench.on_gpu:
        torch.cuda.empty_cache()
    if "Cards" not in bench.tables:
        head = ("fits", "plan", "peak allocated GiB", "peak reserved GiB", "s for 5 steps")
        bench.row("Cards", "card GiB", "recipe", *head)
    for recipe in recipes:
        for card in CARDS_GIB:
            found = try_card(bench, recipe, card)
            cells = (found.get(key, "-") for key in ("rung", "allocated_gib", "reserved_gib", "seconds"))
            bench.row("Cards", card, recipe, found["fits"], *cells)
            if found["fits"] and found.get("rung", "full") == "full":
                break


def try_card(bench: Bench, recipe: str, card: int) -> dict[str, Any]:
    """Render by one recipe in a new process whose pool is capped to that card, and return what it found."""
    command = [sys.executable, "-m", "tests.benchmarks.gpu.cards", "--device", bench.device.type]
    command += ["--recipe", recipe, "--card", str(card), *(["--tiny"] if bench.tiny else [])]
    environment = dict(os.environ)
    if recipe == "ours-expandable":
        environment["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--recipe", choices=RECIPES, required=True)
    parser.add_argument("--card", type=int, required=True, help="its size in GiB")
    chosen = parser.parse_args()
    try:
        with torch.no_grad(), tempfile.TemporaryDirectory() as folder:  # what is printed is all that counts
            bench = Bench(torch.device(chosen.device), chosen.tiny, out=Path(folder))
            found = {"fits": True} | _render_under_cap(bench, chosen.recipe, chosen.card)
    except (torch.OutOfMemoryError, OutOfMemory) as error:
        found = {"fits": False, "error": str(error)}
    print(json.dumps(found))


def _render_under_cap(bench: Bench, recipe: str, card: int) -> dict[str, Any]:
    """Render two short clips under the card's cap, timing the second; torch raises where it does not fit."""
    found: dict[str, Any] = {}
    free = int((card - BESIDE_TORCH_GIB) * GIB)
    if bench.on_gpu:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, free / total))
    models = Models(bench)
    if recipe in OURS:
        plan = plan_memory(free, BUILT_IN["svd-xt"], ClipSize(*bench.size, bench.frames))
        found["rung"] = plan.rung
        render = partial(clip, bench, models, plan)
    else:
        render = partial(run_recipe, bench, build_recipe(models, recipe), recipe)
    render(steps=1)
    begun = time.perf_counter()
    render(steps=STEPS)
    found["seconds"] = time.perf_counter() - begun
    if bench.on_gpu:
        found["allocated_gib"] = torch.cuda.max_memory_allocated() / GIB
        found["reserved_gib"] = torch.cuda.max_memory_reserved() / GIB
    return found


if __name__ == "__main__":
    main()
