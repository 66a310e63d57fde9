"""Diffusers' own pipeline behind our interface."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from generator.clip import ClipSettings, Quality
from generator.errors import Cancelled
from generator.memory import MemoryPlan, PipelineKind
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.pipeline import Pipeline
from generator.protocol import Phase, Progress
from generator.variants import Variant
from tests.support.tiny_clip import LEAN_PLANS, SILENT, STOCK, Recorder, noise_picture, tiny_settings


@pytest.fixture(scope="module")
def stock(tiny_variant: Variant) -> Pipeline:
    return load_variant(tiny_variant, torch.device("cpu"), PipelineConfig(PipelineKind.STOCK)).pipeline


def test_every_frame_comes_with_progress_through_the_phases(stock: Pipeline) -> None:
    recorder = Recorder()
    frames = list(stock.render(noise_picture(), tiny_settings(), STOCK, recorder.hooks))
    assert len(frames) == 3
    assert all(frame.shape == (64, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    phases = [progress.phase for progress in recorder.seen]
    assert phases == sorted(phases, key=[Phase.LOAD, Phase.PREPARE, Phase.DENOISE, Phase.DECODE].index)
    assert recorder.seen[-1] == Progress(Phase.DECODE, 3, 3)


def test_a_render_can_be_left_at_any_check_and_the_next_is_the_same(stock: Pipeline) -> None:
    whole = Recorder()
    expected = list(stock.render(noise_picture(), tiny_settings(), STOCK, whole.hooks))
    for checks in (0, whole.checks // 2, whole.checks - 1):
        with pytest.raises(Cancelled):
            list(stock.render(noise_picture(), tiny_settings(), STOCK, Recorder(cancel_after=checks).hooks))
    again = list(stock.render(noise_picture(), tiny_settings(), STOCK, Recorder().hooks))
    assert np.array_equal(np.stack(again), np.stack(expected))


def frames_of(pipeline: Pipeline, settings: ClipSettings, plan: MemoryPlan) -> np.ndarray:
    return np.stack(list(pipeline.render(noise_picture(), settings, plan, SILENT))).astype(np.int16)


@pytest.fixture(scope="module")
def lean(tiny_variant: Variant) -> Pipeline:
    return load_variant(tiny_variant, torch.device("cpu")).pipeline


@pytest.mark.parametrize("quality", Quality)
def test_each_quality_has_the_solver_that_the_lean_pipeline_has(
    stock: Pipeline, lean: Pipeline, quality: Quality
) -> None:
    """With more steps the random model makes much of the last bit: three are enough to use what a step remembers."""
    settings = tiny_settings(quality=quality, steps=3)
    mine, theirs = frames_of(lean, settings, LEAN_PLANS[0]), frames_of(stock, settings, STOCK)
    assert np.abs(mine - theirs).mean() < 0.5
    if quality is not Quality.QUALITY:  # the negative control: another solver on as many steps is seen
        other = frames_of(stock, replace(settings, quality=Quality.QUALITY), STOCK)
        assert np.abs(mine - other).mean() > 5


def test_no_more_frames_are_decoded_together_than_the_plan_has_room_for(stock: Pipeline, lean: Pipeline) -> None:
    small = MemoryPlan(rung="stock-chunked", pipeline=PipelineKind.STOCK, decode_frames=2)
    wanted, limited = (tiny_settings(steps=1, decode_chunk=chunk) for chunk in (3, 2))
    chunked = frames_of(stock, wanted, small)
    assert np.array_equal(chunked, frames_of(stock, limited, small))
    assert not np.array_equal(chunked, frames_of(stock, wanted, STOCK)), "a control"
    windowed = replace(LEAN_PLANS[-1], decode_frames=4)
    wanted, free = (tiny_settings(steps=1, frames=5, decode_chunk=chunk) for chunk in (5, None))
    in_windows = frames_of(lean, wanted, windowed)
    assert np.array_equal(in_windows, frames_of(lean, free, windowed))
    assert not np.array_equal(in_windows, frames_of(lean, wanted, LEAN_PLANS[0])), "a control"
