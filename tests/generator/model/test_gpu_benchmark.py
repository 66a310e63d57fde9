"""The benchmark of the GPU runs whole on a CPU with a small model, so that it works when a GPU is there."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from generator.variants import BUILT_IN
from tests.benchmarks.full_size import random_modules
from tests.benchmarks.gpu.__main__ import main
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.cards import try_card
from tests.benchmarks.gpu.compilers import main as main_of_compilers
from tests.benchmarks.gpu.compilers import ways
from tests.benchmarks.gpu.scale import compare
from tests.benchmarks.gpu.start import HERE, Case, measure_start
from tests.benchmarks.gpu.two_jobs import save_modules
from tests.support.fakes import FAKE_EXECUTOR


def test_the_gpu_benchmark_runs_on_a_cpu_with_a_small_model(tmp_path: Path) -> None:
    sections = "fast-math,rate,equality,kernels,plans,phases,offload,end-to-end"
    main(["--tiny", "--device", "cpu", "--out", str(tmp_path), "--sections", sections])
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert written["figures"]["unet_streamed_relative_error"] < 1e-4
    assert 0.001 < written["figures"]["fast_math_eight_bit_products_relative_error"] < 0.2
    assert written["figures"]["fast_math_half_sums_relative_error"] == 0  # which a CPU does not have
    assert not [key for key in written["figures"] if key.startswith("failed")]
    assert "| article's offload |" in (tmp_path / "gpu.md").read_text()


def test_a_start_is_seen_phase_by_phase_from_outside(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), tiny=True, out=tmp_path / "out")
    variant = save_modules(bench, random_modules(torch.float32, tiny=True), tmp_path / "model")
    bench.picture().save(tmp_path / "picture.png")
    measure_start(bench, Case("full", HERE, "full", tmp_path / "state"), variant, tmp_path)
    first, other = bench.tables["Start"]
    assert all(float(seconds) > 0 for seconds in first[1:]) and float(other[-1]) > 0
    assert other[1:3] == ["-", "-"], "the process runs already"


def test_an_imitated_card_is_tried_in_a_process_of_its_own(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), tiny=True, out=tmp_path)
    before = sorted(Path().glob("gpu.*"))
    found = try_card(bench, "ours", 4)
    assert found["fits"] and found["rung"] and found["seconds"] > 0
    assert not try_card(bench, "ours", 1)["fits"]
    assert sorted(Path().glob("gpu.*")) == before, "it leaves nothing where it is called"


def test_cards_are_compared_by_clips_a_minute_and_by_their_first_clip(tmp_path: Path) -> None:
    bench = Bench(torch.device("cpu"), tiny=True, out=tmp_path)
    variant = replace(BUILT_IN["demo"], name="random")
    compare(bench, tmp_path, variant, (1, 2), command=(*FAKE_EXECUTOR, "--step-seconds", "0.05"))
    figures = bench.figures
    assert figures["scale_2_times_one"] == figures["scale_2_per_minute"] / figures["scale_1_per_minute"]
    assert figures["scale_2_first_s"] > 0.1 and figures["scale_2_steady_per_minute"] > 0
    met = figures["scale_2_times_one"] >= 1.95 and figures["scale_2_first_to_lone"] <= 1.3
    assert figures["scale_2_met"] is met


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
