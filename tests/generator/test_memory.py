"""Memory plans: chosen by free memory, stepped down, and true to what a full-size render really holds."""

from __future__ import annotations

import pytest

from generator.errors import OutOfMemory, SettingsError
from generator.memory import (
    BESIDE_TORCH_GIB,
    GIB,
    ClipSize,
    Decode,
    MemoryPlan,
    PipelineKind,
    Residency,
    decode_bytes,
    decoded_together,
    denoise_bytes,
    plan_memory,
    presets,
    smaller_plan,
)
from generator.variants import BUILT_IN
from tests.benchmarks import counting

XT, SVD = BUILT_IN["svd-xt"], BUILT_IN["svd"]
CLIP = ClipSize(1024, 576, 25)
SHORT = ClipSize(1024, 576, 14)


def rung(name: str, clip: ClipSize = CLIP) -> MemoryPlan:
    return next(plan for plan in presets(clip) if plan.rung == name)


def plan_for(card_gib: float, memory: str = "auto") -> MemoryPlan:
    return plan_memory(int((card_gib - BESIDE_TORCH_GIB) * GIB), XT, CLIP, memory)


@pytest.mark.parametrize("card_gib", [4, 6, 8, 12, 16, 24, 48, 80])
def test_every_card_gets_a_plan_that_fits_it(card_gib: int) -> None:
    plan = plan_for(card_gib)
    print(f"{card_gib} GB: {plan.rung}, {plan.peak_bytes / GIB:.2f} GiB")
    assert plan.peak_bytes < (card_gib - BESIDE_TORCH_GIB) * GIB


def test_larger_cards_get_larger_plans_and_large_ones_decode_exactly() -> None:
    peaks = [plan_for(card).peak_bytes for card in (4, 6, 8, 12, 16, 24, 48)]
    assert peaks == sorted(peaks)
    assert plan_for(4).unet is Residency.STREAMED
    assert all(plan_for(card).decode is Decode.EXACT for card in (6, 8, 12, 16, 24))
    assert plan_for(24).rung == "full"


def test_smaller_plans_follow_each_other_to_the_smallest_and_end() -> None:
    plan: MemoryPlan | None = presets(CLIP)[0]
    peaks = []
    while plan is not None:
        peaks.append(plan.peak_bytes)
        plan = smaller_plan(plan, CLIP)
    assert peaks == sorted(set(peaks), reverse=True), "what did not fit once would not fit again"
    assert peaks[-1] == presets(CLIP)[-1].peak_bytes


def test_the_memory_setting_chooses_a_plan_and_a_cap_bounds_the_peak() -> None:
    assert plan_for(80, "minimal").rung == "minimal"
    assert plan_for(80, "lean").rung == "split"
    assert plan_for(80, "model-offload").rung == "resident"
    assert plan_for(4, "full").rung == "full"
    assert plan_for(80, "5 GiB").peak_bytes <= 5 * GIB
    assert plan_for(3.5, "6GiB").peak_bytes <= 2.6 * GIB
    with pytest.raises(SettingsError):
        plan_for(80, "plenty")


def test_too_little_memory_says_how_much_is_needed() -> None:
    with pytest.raises(OutOfMemory) as caught:
        plan_memory(GIB, XT, CLIP)
    assert caught.value.data["free_gib"] == 1.0
    assert caught.value.data["needed_gib"] > 1.0


def test_a_cpu_and_the_demo_model_are_not_limited() -> None:
    assert plan_memory(None, XT, CLIP).rung == "full"
    assert plan_memory(GIB, BUILT_IN["demo"], ClipSize(*BUILT_IN["demo"].landscape, 14)).rung == "full"


def test_the_stock_pipeline_has_plans_of_its_own() -> None:
    plan: MemoryPlan | None = plan_memory(80 * GIB, XT, CLIP, pipeline=PipelineKind.STOCK)
    rungs = []
    while plan is not None:
        assert plan.pipeline is PipelineKind.STOCK
        rungs.append(plan.rung)
        plan = smaller_plan(plan, CLIP)
    assert rungs == ["stock", "stock-chunked", "stock-offload"]


@pytest.mark.parametrize(("name", "measured_gib"), [("stock-chunked", 13.35), ("stock-offload", 10.85)])
def test_the_stock_pipeline_is_predicted_to_take_what_it_took_on_a_gpu(name: str, measured_gib: float) -> None:
    plan = next(plan for plan in presets(CLIP, PipelineKind.STOCK) if plan.rung == name)
    assert plan.peak_bytes / GIB == pytest.approx(measured_gib, rel=0.02)


@pytest.mark.parametrize(("card_gib", "rung"), [(80, "stock"), (24, "stock-chunked"), (13, "stock-offload")])
def test_the_stock_pipeline_gets_a_plan_that_fits_the_card(card_gib: int, rung: str) -> None:
    free = int((card_gib - BESIDE_TORCH_GIB) * GIB)
    assert plan_memory(free, XT, CLIP, pipeline=PipelineKind.STOCK).rung == rung


def test_a_12_gb_card_is_too_small_for_the_stock_pipeline_as_it_was_on_a_gpu() -> None:
    with pytest.raises(OutOfMemory):
        plan_memory(int((12 - BESIDE_TORCH_GIB) * GIB), XT, CLIP, pipeline=PipelineKind.STOCK)


def test_the_setting_full_is_the_stock_pipelines_largest_plan_too() -> None:
    assert plan_memory(80 * GIB, XT, CLIP, "full", pipeline=PipelineKind.STOCK).rung == "stock"
    assert plan_memory(80 * GIB, XT, CLIP, "minimal", pipeline=PipelineKind.STOCK).rung == "stock-offload"


@pytest.mark.parametrize(
    ("name", "clip", "most_gib"), [("resident", CLIP, 4.5), ("streamed", CLIP, 1.6), ("resident", SHORT, 4.0)]
)
def test_a_full_size_step_holds_what_was_predicted(name: str, clip: ClipSize, most_gib: float) -> None:
    plan = rung(name, clip)
    counted = counting.count_step(plan, clip.frames)
    predicted = denoise_bytes(plan, clip)
    print(f"{name}, {clip.frames} frames: {counted.gib:.2f} GiB counted, {predicted / GIB:.2f} predicted")
    assert counted.gib <= most_gib
    assert counted.peak_bytes <= predicted * 1.02
    assert predicted <= counted.peak_bytes * 1.15


@pytest.mark.parametrize(("clip", "most_gib"), [(CLIP, 4.3), (SHORT, 2.8)])
def test_a_full_size_exact_decode_holds_what_was_predicted(clip: ClipSize, most_gib: float) -> None:
    plan = rung("resident", clip)
    counted = counting.count_decode(plan, clip.frames)
    stock = counting.count_stock_decode(clip.frames)
    predicted = decode_bytes(plan, clip)
    print(f"decode of {clip.frames}: {counted.gib:.2f} GiB, predicted {predicted / GIB:.2f}, stock {stock.gib:.2f}")
    assert counted.gib <= most_gib
    assert counted.peak_bytes <= predicted <= counted.peak_bytes * 1.1
    assert stock.gib > 5 * most_gib


def test_a_clip_takes_no_more_operations_than_stock() -> None:
    plan = rung("full")
    step, decode = counting.count_step(plan, 25), counting.count_decode(plan, 25)
    stock_step, stock_decode = counting.count_stock_step(25), counting.count_stock_decode(25)
    ours, theirs = (25 * one.tflop + two.tflop for one, two in ((step, decode), (stock_step, stock_decode)))
    print(f"{ours:.0f} TFLOP, stock {theirs:.0f}; step peak {step.gib:.2f} GiB, stock {stock_step.gib:.2f}")
    assert ours <= 1.01 * theirs


@pytest.mark.parametrize(
    ("decode_frames", "frames", "wanted", "together"),
    [(0, 25, None, 25), (0, 25, 8, 8), (0, 25, 50, 25), (8, 25, None, 8), (8, 25, 50, 8), (8, 25, 3, 3), (8, 5, 50, 5)],
)
def test_asking_for_many_frames_at_once_never_exceeds_the_plan(
    decode_frames: int, frames: int, wanted: int | None, together: int
) -> None:
    assert decoded_together(MemoryPlan(rung="x", decode_frames=decode_frames), frames, wanted) == together
