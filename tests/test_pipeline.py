"""The pipeline: loading a checkpoint, rendering it, leaving a render."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import Cancelled
from generator.memory import ClipSize, MemoryPlan, Pipeline, presets
from generator.pipeline import Hooks, LoadedVariant, load_variant, render_frames
from generator.protocol import Phase, Progress
from generator.variants import Variant
from tests.tiny_checkpoint import make_checkpoint

STOCK = MemoryPlan(rung="stock", pipeline=Pipeline.STOCK)


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    torch.set_num_threads(2)
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def loaded(variant: Variant) -> LoadedVariant:
    return load_variant(variant, torch.device("cpu"))


def picture(size: tuple[int, int] = (128, 64)) -> Image.Image:
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


def settings(**changes: object) -> ClipSettings:
    base = ClipSettings(variant="tiny", frames=5, steps=2, seed=11)
    return dataclasses.replace(base, **changes)


class Recorder:
    """Collects progress and cancels after so many checks."""

    def __init__(self, cancel_after: int | None = None) -> None:
        self.seen: list[Progress] = []
        self.checks = 0
        self.cancel_after = cancel_after

    def check(self) -> None:
        self.checks += 1
        if self.cancel_after is not None and self.checks > self.cancel_after:
            raise Cancelled.now()

    @property
    def hooks(self) -> Hooks:
        return Hooks(progress=self.seen.append, check=self.check)


def test_stock_render_gives_every_frame_with_progress_through_the_phases(loaded: LoadedVariant) -> None:
    recorder = Recorder()
    frames = list(render_frames(loaded, picture(), settings(), STOCK, recorder.hooks))
    assert len(frames) == 5
    assert all(frame.shape == (64, 128, 3) and frame.dtype == np.uint8 for frame in frames)
    phases = [progress.phase for progress in recorder.seen]
    assert phases == sorted(phases, key=[Phase.LOAD, Phase.PREPARE, Phase.DENOISE, Phase.DECODE].index)
    assert recorder.seen[-1] == Progress(Phase.DECODE, 5, 5)


@pytest.mark.parametrize("plan", presets(ClipSize(128, 64, 5)), ids=lambda plan: plan.rung)
def test_every_lean_plan_gives_the_stock_pipelines_frames(loaded: LoadedVariant, plan: MemoryPlan) -> None:
    expected = list(render_frames(loaded, picture(), settings(), STOCK, Recorder().hooks))
    frames = list(render_frames(loaded, picture(), settings(), plan, Recorder().hooks))
    assert np.abs(np.stack(frames).astype(int) - np.stack(expected)).max() <= 1
