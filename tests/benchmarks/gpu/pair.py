"""One clip on two cards: each computes a half of guidance's steps, as a lent card does behind the queue.

The target is a clip in less than 0.6 of one card's time.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import torch

from generator.memory import GIB, ClipSize, MemoryPlan, half_bytes, presets
from generator.model.lean.pack import Packed
from generator.model.lean.residency import ResidentWeights
from generator.protocol import Hooks, Phase, Progress
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.clips import all_steps
from tests.benchmarks.gpu.models import Models
from tests.support.tiny_clip import SILENT

TARGET = 0.6


def pair(bench: Bench, models: Models) -> None:
    """Measure a clip on one card and on two, the second card's part of it, and the difference between the clips."""
    second = torch.device("cuda", 1) if bench.on_gpu else bench.device
    if bench.on_gpu and torch.cuda.device_count() < 2:
        bench.note(pair="needs two cards")
        return
    size = ClipSize(*bench.size, bench.frames)
    plan = presets(size)[0]
    hooks = dataclasses.replace(SILENT, partner=lambda: str(second))
    _place(bench, models.lean.unet.body, second)
    for warm in (SILENT, hooks):
        _clip(bench, models, plan, warm, steps=1)
    free = torch.cuda.mem_get_info(second)[0] if bench.on_gpu else 0
    alone, alone_step, latents = _clip(bench, models, plan, SILENT, steps=all_steps(bench))
    if bench.on_gpu:
        torch.cuda.reset_peak_memory_stats(second)
    both, both_step, paired = _clip(bench, models, plan, hooks, steps=all_steps(bench))
    if bench.on_gpu:
        bench.note(
            pair_second_peak_gib=torch.cuda.max_memory_allocated(second) / GIB,
            pair_second_reserved_gib=torch.cuda.max_memory_reserved(second) / GIB,
            pair_second_predicted_gib=half_bytes(plan, size) / GIB,
            pair_second_left_gib=(free - torch.cuda.mem_get_info(second)[0]) / GIB,
        )
    bench.note(pair_one_card_s=alone, pair_two_cards_s=both, pair_one_card_step_s=alone_step)
    bench.note(pair_two_cards_step_s=both_step, pair_step_ratio=both_step / alone_step)
    bench.note(pair_ratio=both / alone, pair_met=both / alone < TARGET, pair_target=f"less than {TARGET}")
    split = dataclasses.replace(plan, split_cfg=True)
    _, split_step, halves = _clip(bench, models, split, SILENT, steps=all_steps(bench))
    bench.note(
        pair_split_step_s=split_step,
        pair_difference=_difference(paired, latents),
        pair_difference_to_split=_difference(paired, halves),
        pair_difference_of_split=_difference(halves, latents),
    )
    _lend_for_a_part(bench, models, plan, second)


def _place(bench: Bench, packed: Packed, second: torch.device) -> None:
    """Measure what it takes to have the UNet on the second card: its context, once, and the copy, for each clip."""
    begun = time.perf_counter()
    torch.ones(1, device=second)
    _sync(bench)
    bench.note(pair_context_s=time.perf_counter() - begun)
    for number in range(2):  # the first copy also allocates
        begun = time.perf_counter()
        weights = ResidentWeights(packed, second)
        _sync(bench)
        bench.note(**{f"pair_copy_{number}_s": time.perf_counter() - begun})
        del weights
    if bench.on_gpu:
        torch.cuda.empty_cache()


def _clip(
    bench: Bench, models: Models, plan: MemoryPlan, hooks: Hooks, **changes: Any
) -> tuple[float, float, torch.Tensor]:
    """Render a clip; return its seconds, those of a step on average, and its latents."""
    seen: dict[Phase, list[float]] = {phase: [] for phase in Phase}

    def note(progress: Progress) -> None:
        if progress.phase is Phase.DENOISE and progress.step in (0, progress.of):
            _sync(bench)
        seen[progress.phase].append(time.perf_counter())

    settings = bench.settings(**changes)
    told = dataclasses.replace(hooks, progress=note)
    _sync(bench)
    begun = time.perf_counter()
    with torch.no_grad():
        latents = models.lean.denoise(bench.picture(), settings, plan, told)
        for _ in models.lean.decode(latents, settings, plan, told):
            pass
    _sync(bench)
    steps = seen[Phase.DENOISE]
    return time.perf_counter() - begun, (steps[-1] - steps[0]) / (len(steps) - 1), latents.cpu()


def _lend_for_a_part(bench: Bench, models: Models, plan: MemoryPlan, second: torch.device) -> None:
    """Measure a clip whose second card is taken back after a third of its steps."""
    steps = all_steps(bench)
    asked = [0]

    def lent() -> str | None:
        asked[0] += 1
        return str(second) if asked[0] <= steps // 3 + 1 else None

    seconds, _, _ = _clip(bench, models, plan, dataclasses.replace(SILENT, partner=lent), steps=steps)
    bench.note(pair_for_a_third_s=seconds)


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm() / other.norm())


def _sync(bench: Bench) -> None:
    for index in range(torch.cuda.device_count() if bench.on_gpu else 0):
        torch.cuda.synchronize(index)
