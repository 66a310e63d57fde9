"""The download of the weights: real client and child process, against a small hub on this machine."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from bot.doctor.setup.weights import DownloadFailed, download_weights
from generator.variants import Variant
from tests.support.hub import COMMIT, Hub, running_hub

MINE = Variant(name="mine", source="some/model", revision=COMMIT, frames=25)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
        yield running


def test_the_weights_are_fetched_once(hub: Hub) -> None:
    shown = io.StringIO()
    folder = download_weights(MINE, Console(file=shown, force_terminal=True, width=100))
    assert "weights of mine" in shown.getvalue()
    asked = len(hub.asked)
    silent = io.StringIO()
    assert download_weights(MINE, Console(file=silent)) == folder
    assert (len(hub.asked), silent.getvalue()) == (asked, "")


def test_a_hub_that_refuses_is_a_sentence(hub: Hub) -> None:
    gated = Variant(name="mine", source="some/gated", revision=COMMIT, frames=25)
    with pytest.raises(DownloadFailed, match=r"The weights of mine cannot be had now \(gated\)\. .*some/gated"):
        download_weights(gated, Console(file=io.StringIO()))
    assert hub.asked


def test_a_child_that_fails_itself_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.doctor.setup.weights.GET", "generator.not_there")
    with pytest.raises(DownloadFailed, match="No module named"):
        download_weights(MINE, Console(file=io.StringIO()))
