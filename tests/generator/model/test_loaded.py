"""The pipeline: loading a checkpoint, rendering it, leaving a render."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import BadFrames, Cancelled, WeightsUnavailable
from generator.memory import ClipSize, MemoryPlan, PipelineKind, presets
from generator.model.loaded import LoadedVariant, load_variant, render_frames
from generator.protocol import Hooks, Phase, Progress
from generator.variants import Variant
from tests.benchmarks import gpu, gpu_cards
from tests.support.tiny_checkpoint import make_checkpoint

if TYPE_CHECKING:
    from generator.video.ffmpeg import Frame

STOCK = MemoryPlan(rung="stock", pipeline=PipelineKind.STOCK)


@pytest.fixture(scope="module")
def variant(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    torch.set_num_threads(2)
    return make_checkpoint(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def loaded(variant: Variant) -> LoadedVariant:
    return load_variant(variant, torch.device("cpu"))


@pytest.fixture(scope="module")
def expected(loaded: LoadedVariant) -> list[Frame]:
    return list(render_frames(loaded, picture(), settings(), STOCK, Recorder().hooks))


def picture(size: tuple[int, int] = (64, 64)) -> Image.Image:
    rng = np.random.default_rng(7)
    return Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8))


def settings(**changes: object) -> ClipSettings:
    base = ClipSettings(variant="tiny", frames=3, steps=2, seed=11)
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
    assert len(frames) == 3
    assert all(frame.shape == (64, 64, 3) and frame.dtype == np.uint8 for frame in frames)
    phases = [progress.phase for progress in recorder.seen]
    assert phases == sorted(phases, key=[Phase.LOAD, Phase.PREPARE, Phase.DENOISE, Phase.DECODE].index)
    assert recorder.seen[-1] == Progress(Phase.DECODE, 3, 3)


@pytest.mark.parametrize("plan", presets(ClipSize(64, 64, 3)), ids=lambda plan: plan.rung)
def test_every_lean_plan_gives_the_stock_pipelines_frames(
    loaded: LoadedVariant, expected: list[Frame], plan: MemoryPlan
) -> None:
    frames = list(render_frames(loaded, picture(), settings(), plan, Recorder().hooks))
    assert np.abs(np.stack(frames).astype(int) - np.stack(expected)).max() <= 1


@pytest.mark.parametrize("plan", [STOCK, presets(ClipSize(64, 64, 3))[0]], ids=lambda plan: plan.rung)
def test_a_render_can_be_left_at_any_check_and_the_next_is_the_same(loaded: LoadedVariant, plan: MemoryPlan) -> None:
    whole = Recorder()
    expected = list(render_frames(loaded, picture(), settings(), plan, whole.hooks))
    for checks in (whole.checks // 2, whole.checks - 1):
        with pytest.raises(Cancelled):
            list(render_frames(loaded, picture(), settings(), plan, Recorder(cancel_after=checks).hooks))
    again = list(render_frames(loaded, picture(), settings(), plan, Recorder().hooks))
    assert np.array_equal(np.stack(again), np.stack(expected))


def test_a_lean_step_is_left_between_layers(loaded: LoadedVariant) -> None:
    recorder = Recorder()
    list(render_frames(loaded, picture(), settings(steps=1), presets(ClipSize(64, 64, 3))[0], recorder.hooks))
    assert recorder.checks > 20


def test_broken_weights_are_told_as_bad_frames(variant: Variant) -> None:
    broken = load_variant(variant, torch.device("cpu"))
    with torch.no_grad():
        broken.parts.unet.conv_out.bias.fill_(float("nan"))
    with pytest.raises(BadFrames) as caught:
        list(render_frames(broken, picture(), settings(), presets(ClipSize(64, 64, 3))[0], Recorder().hooks))
    assert caught.value.data["kind"] == "nan"


def test_a_seed_decides_the_clip(loaded: LoadedVariant) -> None:
    plan = presets(ClipSize(64, 64, 3))[0]
    one, same, other = (
        np.stack(list(render_frames(loaded, picture(), settings(seed=seed), plan, Recorder().hooks)))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same) and not np.array_equal(one, other)


def test_turbo_renders_without_guidance(variant: Variant) -> None:
    turbo = load_variant(dataclasses.replace(variant, turbo=True), torch.device("cpu"))
    frames = list(render_frames(turbo, picture(), settings(), presets(ClipSize(64, 64, 3))[0], Recorder().hooks))
    assert len(frames) == 3


def test_loading_tells_how_far_it_is(variant: Variant) -> None:
    seen: list[Progress] = []
    load_variant(variant, torch.device("cpu"), on_progress=seen.append)
    assert [progress.step for progress in seen] == [0, 1, 2, 3]


def _why(variant: Variant) -> tuple[str, str]:
    with pytest.raises(WeightsUnavailable) as caught:
        load_variant(variant, torch.device("cpu"))
    return caught.value.data["why"], caught.value.data["remedy"]


def test_missing_and_damaged_weights_say_so_with_a_remedy(variant: Variant, tmp_path: Path) -> None:
    assert _why(dataclasses.replace(variant, source=str(tmp_path / "nowhere")))[0] == "missing"
    assert _why(dataclasses.replace(variant, source=str(tmp_path)))[0] == "missing"
    copied = tmp_path / "copy"
    shutil.copytree(variant.source, copied)
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    why, remedy = _why(dataclasses.replace(variant, source=str(copied)))
    assert why == "damaged" and str(copied / "unet") in remedy
    weights.rename(weights.with_suffix(".bin"))
    assert _why(dataclasses.replace(variant, source=str(copied)))[0] == "missing"
    (copied / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    assert "FluxPipeline" in _why(dataclasses.replace(variant, source=str(copied)))[1]


def test_a_hub_that_cannot_be_reached_is_told_as_offline(
    variant: Variant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    why, remedy = _why(dataclasses.replace(variant, source="nobody/nothing"))
    assert why == "offline" and "huggingface.co" in remedy


def test_a_network_that_is_not_there_is_told_as_offline(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert _why(dataclasses.replace(variant, source="nobody/nothing"))[0] == "offline"


def test_the_gpu_benchmark_runs_on_a_cpu_with_a_small_model(tmp_path: Path) -> None:
    sections = "rate,equality,kernels,plans,phases,offload,end-to-end"
    gpu.main(["--tiny", "--device", "cpu", "--out", str(tmp_path), "--sections", sections])
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert written["figures"]["unet_streamed_relative_error"] < 1e-4
    assert not [key for key in written["figures"] if key.startswith("failed")]
    assert "| article's offload |" in (tmp_path / "gpu.md").read_text()


def test_an_imitated_card_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    bench = gpu.Bench(torch.device("cpu"), tiny=True, out=tmp_path)
    found = gpu_cards.try_card(bench, "ours", 4)
    assert found["fits"] and found["rung"] and found["seconds"] > 0
    assert not gpu_cards.try_card(bench, "ours", 1)["fits"]
