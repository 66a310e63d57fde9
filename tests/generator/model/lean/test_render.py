"""Whole clips by the lean pipeline: the stock pipeline's frames under every plan, and renders that are left."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
import torch

from generator.errors import BadFrames, Cancelled
from generator.memory import MemoryPlan, PipelineKind
from generator.model.lean.render import LeanPipeline
from generator.model.lean.unet import LeanUNet
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.pipeline import Pipeline
from generator.model.stock import load_modules
from generator.variants import Variant
from tests.support.checkpoints import checkpoint_of
from tests.support.tiny_clip import LEAN_PLANS, STOCK, Recorder, noise_picture, tiny_settings

CPU = torch.device("cpu")
FULL = LEAN_PLANS[0]


@pytest.fixture(scope="module")
def lean(tiny_variant: Variant) -> Pipeline:
    return load_variant(tiny_variant, CPU).pipeline


@pytest.fixture(scope="module")
def expected(tiny_variant: Variant) -> np.ndarray:
    stock = load_variant(tiny_variant, CPU, PipelineConfig(PipelineKind.STOCK)).pipeline
    return clip(stock, STOCK)


def clip(pipeline: Pipeline, plan: MemoryPlan = FULL, recorder: Recorder | None = None, seed: int = 11) -> np.ndarray:
    hooks = (recorder or Recorder()).hooks
    return np.stack(list(pipeline.render(noise_picture(), tiny_settings(seed=seed), plan, hooks)))


@pytest.mark.parametrize("plan", LEAN_PLANS, ids=lambda plan: plan.rung)
def test_every_plan_gives_the_stock_pipelines_frames(lean: Pipeline, expected: np.ndarray, plan: MemoryPlan) -> None:
    assert np.abs(clip(lean, plan).astype(int) - expected).max() <= 1


def test_a_render_can_be_left_at_any_check_and_the_next_is_the_same(lean: Pipeline) -> None:
    whole = Recorder()
    expected = clip(lean, recorder=whole)
    for checks in (0, whole.checks // 2, whole.checks - 1):
        with pytest.raises(Cancelled):
            clip(lean, recorder=Recorder(cancel_after=checks))
    assert np.array_equal(clip(lean), expected)


def test_a_step_is_left_between_layers(lean: Pipeline) -> None:
    recorder = Recorder()
    list(lean.render(noise_picture(), tiny_settings(steps=1), FULL, recorder.hooks))
    assert recorder.checks > 20


def test_broken_weights_are_reported_as_bad_frames(tiny_variant: Variant) -> None:
    modules = load_modules(tiny_variant, torch.float32)
    with torch.no_grad():
        modules.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(BadFrames) as caught:
        clip(LeanPipeline(checkpoint_of(modules), torch.float32, CPU))
    assert caught.value.data["kind"] == "nan"


def test_a_seed_decides_the_clip(lean: Pipeline) -> None:
    one, same, other = (clip(lean, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_turbo_renders_without_guidance(tiny_variant: Variant) -> None:
    turbo = load_variant(dataclasses.replace(tiny_variant, turbo=True), CPU).pipeline
    assert len(clip(turbo)) == 3


class Lent:
    """A second card that is lent for so many questions; each step asks once."""

    def __init__(self, questions: int, device: str = "cpu") -> None:
        self.left, self.device = questions, device

    def __call__(self) -> str | None:
        self.left -= 1
        return self.device if self.left >= 0 else None


@torch.no_grad()
def latents(pipeline: LeanPipeline, plan: MemoryPlan, lent: Lent | None = None, **changes: float) -> torch.Tensor:
    settings = tiny_settings(**changes)
    hooks = dataclasses.replace(Recorder().hooks, partner=lent or (lambda: None))
    return pipeline.denoise(noise_picture(), settings, plan, hooks)


@pytest.fixture(scope="module")
def halves(lean: LeanPipeline) -> torch.Tensor:
    """The latents of one card that computes the halves one after the other."""
    return latents(lean, LEAN_PLANS[2])


@pytest.mark.parametrize(("plan", "questions"), [(FULL, 99), (LEAN_PLANS[2], 99), (LEAN_PLANS[3], 2)])
def test_a_second_card_gives_the_same_clip_bit_for_bit_however_long_it_is_lent(
    lean: LeanPipeline, halves: torch.Tensor, plan: MemoryPlan, questions: int
) -> None:
    """Halves that are computed together differ from halves computed apart in rounding, on one card too."""
    lent = Lent(questions)
    assert torch.equal(latents(lean, plan, lent), halves)
    assert lent.left < 0 or lent.left == 99 - 3, "it is asked once for the clip and once for each step"
    assert not [thread for thread in threading.enumerate() if "partner" in thread.name]


def test_a_second_card_computes_the_unconditional_half_of_each_step(
    lean: LeanPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[str] = []
    compute = LeanUNet.__call__

    def noted(*arguments: Any, **options: Any) -> torch.Tensor:
        where.append(threading.current_thread().name.partition("_")[0])
        return compute(*arguments, **options)

    monkeypatch.setattr(LeanUNet, "__call__", noted)
    latents(lean, FULL, Lent(99))
    assert (where.count("partner"), where.count("MainThread")) == (2, 2)
    where.clear()
    latents(lean, FULL, Lent(99), max_guidance=1.0)
    assert where == ["MainThread"] * 2, "what is not guided has no halves"


def test_a_second_card_without_room_leaves_the_clip_to_the_first(
    lean: LeanPipeline, halves: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = LeanUNet.__call__

    def refuses(*arguments: Any, **options: Any) -> torch.Tensor:
        if threading.current_thread() is not threading.main_thread():
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return compute(*arguments, **options)

    monkeypatch.setattr(LeanUNet, "__call__", refuses)
    assert torch.equal(latents(lean, LEAN_PLANS[2], Lent(99)), halves)


def test_a_render_with_a_second_card_can_be_left(lean: LeanPipeline) -> None:
    hooks = dataclasses.replace(Recorder(cancel_after=30).hooks, partner=Lent(99))
    with pytest.raises(Cancelled):
        lean.denoise(noise_picture(), tiny_settings(), FULL, hooks)
    assert not [thread for thread in threading.enumerate() if "partner" in thread.name]


def test_a_second_card_that_cannot_even_be_asked_is_not_used(
    lean: LeanPipeline, halves: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(device: torch.device) -> tuple[int, int]:
        raise RuntimeError("CUDA error: out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    assert torch.equal(latents(lean, LEAN_PLANS[2], Lent(99, "cuda:1")), halves)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**30, 2**34))
    assert torch.equal(latents(lean, LEAN_PLANS[2], Lent(99, "cuda:1")), halves), "there is no room"
