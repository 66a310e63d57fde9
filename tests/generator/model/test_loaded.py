"""Loading a checkpoint: the pipeline that was chosen, progress, and sentences for what cannot be loaded."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from generator.errors import WeightsUnavailable
from generator.memory import MemoryPlan, PipelineKind
from generator.model.lean.render import LeanPipeline
from generator.model.loaded import PipelineConfig, load_variant
from generator.model.stock import StockPipeline
from generator.protocol import Progress
from generator.variants import Variant


@pytest.mark.parametrize(("kind", "expected"), [(PipelineKind.LEAN, LeanPipeline), (PipelineKind.STOCK, StockPipeline)])
def test_the_chosen_pipeline_is_built(tiny_variant: Variant, kind: PipelineKind, expected: type) -> None:
    loaded = load_variant(tiny_variant, torch.device("cpu"), PipelineConfig(kind))
    assert isinstance(loaded.pipeline, expected)
    assert (loaded.variant, loaded.dtype) == (tiny_variant, torch.float32)


def test_loading_tells_how_far_it_is(tiny_variant: Variant) -> None:
    seen: list[Progress] = []
    load_variant(tiny_variant, torch.device("cpu"), on_progress=seen.append)
    assert [progress.step for progress in seen] == [0, 1, 2, 3]


def test_a_variant_is_loaded_without_importing_diffusers_or_transformers(tiny_variant: Variant) -> None:
    script = f"""
        import sys, torch
        from pathlib import Path
        from generator.model.loaded import load_variant
        from generator.variants import variant_of_folder
        load_variant(variant_of_folder(Path({tiny_variant.source!r})), torch.device("cpu"))
        names = ("diffusers", "transformers", "accelerate", "generator.model.lean.render")
        print([name for name in names if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout == "['generator.model.lean.render']\n", done.stderr


def test_a_device_without_room_at_the_moment_leaves_the_weights_in_host_memory(
    tiny_variant: Variant, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real, rungs = LeanPipeline.prepare, []

    def prepare(pipeline: LeanPipeline, plan: MemoryPlan, *rest: Callable[[], None]) -> None:
        rungs.append(plan.rung)
        if plan.keep_parts:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.46 GiB.")
        real(pipeline, plan, *rest)

    monkeypatch.setattr(LeanPipeline, "prepare", prepare)
    load_variant(tiny_variant, torch.device("cpu"))
    assert rungs == ["full", "minimal"] and "kept in host memory" in caplog.text


def _why(variant: Variant) -> tuple[str, str]:
    with pytest.raises(WeightsUnavailable) as caught:
        load_variant(variant, torch.device("cpu"))
    return caught.value.data["why"], caught.value.data["remedy"]


def test_missing_and_damaged_weights_say_so_with_a_remedy(tiny_variant: Variant, tmp_path: Path) -> None:
    assert _why(dataclasses.replace(tiny_variant, source=str(tmp_path / "nowhere")))[0] == "missing"
    assert _why(dataclasses.replace(tiny_variant, source=str(tmp_path)))[0] == "missing"
    copied = tmp_path / "copy"
    shutil.copytree(tiny_variant.source, copied)
    weights = copied / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    why, remedy = _why(dataclasses.replace(tiny_variant, source=str(copied)))
    assert why == "damaged" and str(copied / "unet") in remedy
    weights.rename(weights.with_suffix(".bin"))
    assert _why(dataclasses.replace(tiny_variant, source=str(copied)))[0] == "missing"
    (copied / "model_index.json").write_text(json.dumps({"_class_name": "FluxPipeline"}))
    assert "FluxPipeline" in _why(dataclasses.replace(tiny_variant, source=str(copied)))[1]


def test_a_hub_that_cannot_be_reached_is_reported_as_offline(
    tiny_variant: Variant, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    why, remedy = _why(dataclasses.replace(tiny_variant, source="nobody/nothing"))
    assert why == "offline" and "huggingface.co" in remedy


def test_a_network_that_is_not_there_is_reported_as_offline(
    tiny_variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        assert _why(dataclasses.replace(tiny_variant, source="nobody/nothing"))[0] == "offline"


def test_a_damaged_file_of_the_hubs_cache_is_fetched_again_by_a_command(tiny_variant: Variant, tmp_path: Path) -> None:
    folder = tmp_path / "models--owner--my.model" / "snapshots" / "0123"
    shutil.copytree(tiny_variant.source, folder)
    weights = folder / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    why, remedy = _why(dataclasses.replace(tiny_variant, source=str(folder)))
    assert why == "damaged" and "`hf download owner/my.model --revision 0123 --force-download`" in remedy
    shutil.copytree(folder, tmp_path / "mine")
    assert "hf download" not in _why(dataclasses.replace(tiny_variant, source=str(tmp_path / "mine")))[1]
