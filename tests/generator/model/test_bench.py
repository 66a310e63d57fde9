"""How long a short clip takes, as the doctor measures it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from generator.memory import ClipSize, plan_memory
from generator.model import bench
from generator.model.loaded import load_variant
from tests.support.tiny_checkpoint import make_checkpoint


def test_the_seconds_of_a_whole_clip_are_those_of_its_usual_steps(tmp_path: Path) -> None:
    variant = dataclasses.replace(make_checkpoint(tmp_path), landscape=(64, 64), frames=2)
    loaded = load_variant(variant, torch.device("cpu"))
    found = bench.measure(loaded.pipeline, variant, plan_memory(None, variant, ClipSize(64, 64, 2)), steps=2)
    assert found["step_s"] > 0
    assert found["clip_s"] > 23 * found["step_s"]


def test_without_a_gpu_it_is_the_demo_model_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(bench, "measure", lambda *_: {"step_s": 0.5, "clip_s": 7.0})
    facts = bench.bench()
    assert facts["card"] == "no GPU, CPU only"
    assert (facts["variant"], facts["weights"], facts["plan"]) == ("demo", "installed weights", "full")
    assert facts["clip_s"] == 7.0
    assert facts["peak_gib"] is None
