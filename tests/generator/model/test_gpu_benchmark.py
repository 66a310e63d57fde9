"""The benchmark of the GPU runs whole on a CPU with a small model, so that it works when a GPU is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.benchmarks.gpu.__main__ import main
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.cards import try_card
from tests.benchmarks.gpu.compilers import main as main_of_compilers
from tests.benchmarks.gpu.compilers import ways


def test_the_gpu_benchmark_runs_on_a_cpu_with_a_small_model(tmp_path: Path) -> None:
    sections = "rate,equality,kernels,plans,phases,offload,end-to-end"
    main(["--tiny", "--device", "cpu", "--out", str(tmp_path), "--sections", sections])
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert written["figures"]["unet_streamed_relative_error"] < 1e-4
    assert not [key for key in written["figures"] if key.startswith("failed")]
    assert "| article's offload |" in (tmp_path / "gpu.md").read_text()


def test_an_imitated_card_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), tiny=True, out=tmp_path)
    found = try_card(bench, "ours", 4)
    assert found["fits"] and found["rung"] and found["seconds"] > 0
    assert not try_card(bench, "ours", 1)["fits"]


def test_each_way_to_give_triton_its_compiler_is_tried_in_a_process_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One process here; that kernels come of them is seen on a GPU alone."""
    known = ways(tmp_path, tmp_path / "made")
    assert {"none", "as in the image"} <= known.keys()
    assert all(shutil.which("gcc", path=sets["PATH"]) is None for sets in known.values() if "PATH" in sets)
    assert main_of_compilers(["--one", "--tiny", "--device", "cpu"]) == 0
    seen = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert seen["operations"] == "plain" and seen["step_s"] > 0
