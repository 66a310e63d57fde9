"""Diffusers' own pipeline behind our interface."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from generator.errors import Cancelled
from generator.memory import PipelineKind
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.pipeline import Pipeline
from generator.protocol import Phase, Progress
from generator.variants import Variant
from tests.support.tiny_clip import STOCK, Recorder, noise_picture, tiny_settings


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
