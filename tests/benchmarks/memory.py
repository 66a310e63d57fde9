"""Show the plan for every card size, and count the memory of full-size plans without a GPU."""

from __future__ import annotations

from generator.errors import OutOfMemory
from generator.memory import BESIDE_TORCH_GIB, GIB, ClipSize, plan_memory, presets
from generator.variants import BUILT_IN
from tests.benchmarks.counting import count_decode, count_step, count_stock_decode
from tests.benchmarks.report import Report

CARDS_GIB = (4, 6, 8, 12, 16, 24, 48, 80)


def run() -> Report:
    """Count the plans at svd-xt's size against their targets, and print the plan of every card."""
    plans = {plan.rung: plan for plan in presets(ClipSize(1024, 576, 25))}
    resident, streamed = (count_step(plans[name], 25) for name in ("resident", "streamed"))
    decode = count_decode(plans["resident"], 25)
    figures: dict[str, float | int | str] = {
        "denoise_resident_gib": resident.gib,
        "denoise_streamed_gib": streamed.gib,
        "decode_exact_gib": decode.gib,
        "decode_stock_gib": count_stock_decode(25).gib,
        "clip_tflop": 25 * resident.tflop + decode.tflop,
    }
    targets = {"denoise_resident_gib": "<= 4.5", "denoise_streamed_gib": "<= 1.6", "decode_exact_gib": "<= 4.3"}
    targets["clip_tflop"] = "<= 4216"  # 1.01 times stock: 25 steps of 159.9 and a decode of 173.6, and 3 beside
    return Report("memory", figures, targets, ("torch", "diffusers"), [_table("svd-xt"), _table("svd")])


def _table(name: str) -> str:
    variant = BUILT_IN[name]
    lines = [f"{name}: card, plan, predicted peak of torch's allocations"]
    for card in CARDS_GIB:
        try:
            plan = plan_memory(int((card - BESIDE_TORCH_GIB) * GIB), variant, ClipSize(1024, 576, variant.frames))
            lines.append(f"{card:4d} GB  {plan.rung:10s} {plan.peak_bytes / GIB:5.2f} GiB")
        except OutOfMemory as error:
            lines.append(f"{card:4d} GB  {error}")
    return "\n".join(lines)
