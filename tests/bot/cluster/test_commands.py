"""The commands of a machine of the cluster without Ray: what people read, and what would be run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.cluster import commands
from generator.backend.cluster.on_node.start import NodeOptions

RUNNER = CliRunner()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[NodeOptions]:
    found: list[NodeOptions] = []

    class Runner:
        def __init__(self, options: NodeOptions, say: object) -> None:
            found.append(options)

        def run(self) -> int:
            return 0

    monkeypatch.setattr(commands, "NodeRunner", Runner)
    return found


def test_a_head_makes_a_token_and_says_how_others_join(tmp_path: Path, started: list[NodeOptions]) -> None:
    token = tmp_path / "token"
    words = ["cluster", "head", "--ip", "10.0.0.5", "--token-file", str(token), "--folder", str(tmp_path / "n")]
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "python -m bot cluster join 10.0.0.5:6379" in done.output and "Copy this file" in done.output
    assert token.stat().st_mode & 0o777 == 0o600
    assert (started[0].address, started[0].cards, started[0].ip) == (None, 0, "10.0.0.5")
    assert "new token" not in RUNNER.invoke(app, words).output


def test_a_node_joins_with_all_its_cards(tmp_path: Path, started: list[NodeOptions]) -> None:
    token = tmp_path / "token"
    token.write_text("x" * 64)
    done = RUNNER.invoke(app, ["cluster", "join", "10.0.0.5:6379", "--token-file", str(token), "--name", "upstairs"])
    assert done.exit_code == 0, done.output
    assert (started[0].address, started[0].cards, started[0].name) == ("10.0.0.5:6379", None, "upstairs")


def test_a_node_without_the_token_is_told_where_it_comes_from(tmp_path: Path, started: list[NodeOptions]) -> None:
    done = RUNNER.invoke(app, ["cluster", "join", "10.0.0.5:6379", "--token-file", str(tmp_path / "none")])
    assert done.exit_code == os.EX_CONFIG and not started
    assert "Copy that file from the head" in done.output


def test_the_doctor_of_a_node_ends_with_1_where_something_is_wrong(tmp_path: Path) -> None:
    words = ["cluster", "doctor", "127.0.0.1:1", "--token-file", str(tmp_path / "none"), "--folder", "/tmp/v"]
    done = RUNNER.invoke(app, words)
    assert done.exit_code == 1
    assert "problem" in done.output and "127.0.0.1:1" in done.output
