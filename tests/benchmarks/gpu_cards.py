"""Smaller cards imitated by a cap on torch's memory pool: `python -m tests.benchmarks.gpu_cards --out FOLDER`.

Each card and recipe runs in a fresh process, forked from one that has made the weights but never touched CUDA.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from generator.errors import OutOfMemory
from generator.lean import pack
from generator.lifeline import die_with_parent
from generator.memory import GIB, plan_memory
from generator.pipeline import load_variant  # noqa: F401 - imported before the fork, for every child
from generator.variants import BUILT_IN
from tests.benchmarks.gpu import Bench, Models
from tests.benchmarks.gpu_clips import build_recipe, clip, run_recipe

CARDS_GIB = (4, 6, 8, 12, 16, 24)
RECIPES = ("ours", "ours-expandable", "offload", "savers")
STEPS = 5

# The driver's context and a display: what a cap on torch's pool cannot count.
BESIDE_TORCH_GIB = 0.9


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    device = torch.device(chosen.device)
    bench = Bench(torch.device("cpu"), chosen.tiny, chosen.out)
    models = Models(bench, torch.float16 if device.type == "cuda" else torch.float32)
    chosen.out.mkdir(parents=True, exist_ok=True)
    bench.device = device
    for recipe in RECIPES:
        for card in CARDS_GIB:
            parent, child = os.getpid(), os.fork()
            if child == 0:
                die_with_parent(parent)
                _run_child(bench, models, recipe, card)
            os.waitpid(child, 0)
            found = json.loads((bench.out / f"{recipe}-{card}.json").read_text())
            print(found, flush=True)
            if found["fits"] and found.get("rung", "full") == "full":
                break  # larger cards would do the same


def _run_child(bench: Bench, models: Models, recipe: str, card: int) -> None:
    found: dict[str, Any] = {"recipe": recipe, "card_gib": card, "fits": False}
    try:
        with torch.no_grad():
            found |= _try(bench, models, recipe, card)
    except (RuntimeError, OutOfMemory) as error:
        found |= {"error": str(error)[:120]}
    finally:
        (bench.out / f"{recipe}-{card}.json").write_text(json.dumps(found))
        os._exit(0)


def _try(bench: Bench, models: Models, recipe: str, card: int) -> dict[str, Any]:
    """Render two short clips under the card's cap, timing the second; torch raises where it does not fit."""
    if recipe == "ours-expandable":
        os.environ["PYTORCH_CUDA_ALLOC_CONF"] = "expandable_segments:True"  # read when CUDA is first used
    free = int((card - BESIDE_TORCH_GIB) * GIB)
    if bench.on_gpu:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, free / total))
    found: dict[str, Any] = {"fits": True}
    if recipe.startswith("ours"):
        plan = plan_memory(free, BUILT_IN["svd-xt"], *bench.size, bench.frames)
        found["rung"] = plan.rung
        _move_masters(models, bench)
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


def _move_masters(models: Models, bench: Bench) -> None:
    """Pin what was packed before the fork, as packing for this device would have done."""
    lean = models.lean
    lean._device = models.loaded.device = bench.device
    if bench.on_gpu:
        for packed in (lean.unet.body, lean.unet.ends, lean.unet.folded, lean.decoder.body):
            pack._pin(packed.flat)


if __name__ == "__main__":
    main()
