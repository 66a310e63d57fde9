"""Which nodes can work with a bot, and the sentence for each that cannot."""

from __future__ import annotations

import pytest

from generator.backend.cluster.on_node.versions import find_mismatch, own_versions

OURS = {"protocol": "1", "vivant": "0.3.1", "torch": "2.9.0", "python": "3.11.7"}


def test_this_installation_works_with_itself() -> None:
    assert find_mismatch(own_versions(), own_versions()) is None


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"protocol": "2"}, "protocol 2"),
        ({"vivant": "0.2.9"}, "it has Vivant 0.2.9, the bot 0.3.1"),
        ({"torch": "2.5.1"}, "it has torch 2.5.1"),
    ],
)
def test_a_difference_that_matters_is_named(changed: dict[str, str], says: str) -> None:
    assert says in (find_mismatch(OURS, OURS | changed) or "")


def test_a_node_without_torch_is_told_how_to_get_it() -> None:
    node = {name: version for name, version in OURS.items() if name != "torch"}
    assert "no torch" in (find_mismatch(OURS, node) or "")


@pytest.mark.parametrize("changed", [{"vivant": "0.3.9"}, {"torch": "2.10.0+cu128"}, {"torch": "2.6.0"}])
def test_a_difference_that_does_not_matter_stops_nobody(changed: dict[str, str]) -> None:
    assert find_mismatch(OURS, OURS | changed) is None
    assert find_mismatch({k: v for k, v in OURS.items() if k != "torch"}, OURS | changed) is None
