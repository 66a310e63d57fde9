"""Whole clips by the lean pipeline: the stock pipeline's frames under every plan, and renders that are left."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from generator.errors import BadFrames, Cancelled
from generator.memory import MemoryPlan, PipelineKind
from generator.model.lean.render import LeanPipeline
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.pipeline import Pipeline
from generator.model.stock import load_modules
from generator.protocol import Phase, TakeLatents
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


def draft(pipeline: Pipeline, plan: MemoryPlan = FULL) -> np.ndarray:
    wanted = tiny_settings(drafts=True, noise_augmentation=0.0)
    return np.stack(list(pipeline.render(noise_picture(128, 64), wanted, plan, Recorder().hooks)))


@pytest.mark.parametrize("plan", LEAN_PLANS, ids=lambda plan: plan.rung)
def test_every_plan_gives_the_stock_pipelines_frames(lean: Pipeline, expected: np.ndarray, plan: MemoryPlan) -> None:
    assert np.abs(clip(lean, plan).astype(int) - expected).max() <= 1


def test_a_draft_is_smaller_and_the_stock_pipelines_too(lean: Pipeline, tiny_variant: Variant) -> None:
    stock = load_variant(tiny_variant, CPU, PipelineConfig(PipelineKind.STOCK)).pipeline
    ours, theirs = draft(lean), draft(stock, STOCK)
    assert ours.shape == theirs.shape == (3, 64, 64, 3), "of a picture of 128x64, in cells of 64"
    assert np.abs(ours.astype(int) - theirs).max() <= 1


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
    assert draft(turbo).shape == (3, 64, 64, 3)


def test_a_preview_is_asked_after_each_step_and_changes_no_frame(lean: Pipeline) -> None:
    shapes: list[tuple[int, ...]] = []

    def look(take: TakeLatents) -> str:
        latents = take()
        assert latents.dtype == np.float32 and np.isfinite(latents).all()
        shapes.append(latents.shape)
        return f"preview {len(shapes)}"

    recorder, picture, settings = Recorder(), noise_picture(), tiny_settings()
    hooks = dataclasses.replace(recorder.hooks, preview=look)
    frames = np.stack(list(lean.render(picture, settings, FULL, hooks)))
    assert np.array_equal(frames, clip(lean, seed=settings.seed))
    scale = picture.width // shapes[0][1]
    assert shapes == [(picture.height // scale, picture.width // scale, 4)] * settings.steps
    told = [item.preview for item in recorder.seen if item.phase is Phase.DENOISE]
    assert told == ["", *(f"preview {number + 1}" for number in range(settings.steps))]
