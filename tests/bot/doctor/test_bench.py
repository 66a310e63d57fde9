"""The line that `doctor --bench` prints, and what is said when nothing can be measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Config
from bot.doctor.bench import run_bench, shared_line

FACTS = {
    "card": "NVIDIA H200",
    "driver": "580.95",
    "torch": "2.11.0",
    "variant": "svd-xt",
    "weights": "random weights",
    "plan": "full",
    "step_s": 0.379,
    "clip_s": 10.09,
    "peak_gib": 8.15,
}


def test_everything_stands_in_one_line() -> None:
    assert shared_line(FACTS) == (
        "NVIDIA H200 | driver 580.95 | torch 2.11.0 | svd-xt, random weights | plan full | 0.379 s a step"
        " | 10.1 s a clip | peak 8.15 GiB"
    )
    assert "peak" not in shared_line(FACTS | {"peak_gib": None})


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('{}')", "not whole"),
        ("print('[]')", "no answer"),
        ("raise SystemExit('the card burns')", "the card burns"),
    ],
)
async def test_a_child_that_measures_nothing_is_told(
    program: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_bench.py").write_text(program)
    monkeypatch.chdir(tmp_path)  # `python -m` looks here first
    went_well, line = await run_bench(Config(), "broken_bench")
    assert not went_well
    assert said in line


async def test_a_child_that_measures_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "quick_bench.py").write_text(f"import json; print(json.dumps({FACTS!r}))")
    monkeypatch.chdir(tmp_path)
    assert await run_bench(Config(), "quick_bench") == (True, shared_line(FACTS))
