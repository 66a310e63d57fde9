"""Which plan is proposed for a card, and what is said where none fits."""

from __future__ import annotations

import pytest

from bot.doctor.setup.card import Card, cards_in, propose
from generator.variants import BUILT_IN

SVD_XT = BUILT_IN["svd-xt"]


@pytest.mark.parametrize(
    ("free_gib", "plan"),
    [(23.0, "full"), (9.0, "full"), (6.0, "resident"), (4.8, "split"), (4.0, "minimal"), (2.6, "minimal")],
)
def test_the_plan_is_the_largest_that_fits_what_is_free(free_gib: float, plan: str) -> None:
    said = propose([Card("NVIDIA GeForce RTX 3060", 24.0, free_gib)], SVD_XT)
    assert f"takes the plan {plan}," in said and said.endswith("Proposed: auto")
    assert "(estimated, not measured)" in said


def test_a_card_that_is_too_small_or_full_gets_a_remedy() -> None:
    said = propose([Card("GeForce GT 1030", 2.0, 1.5)], SVD_XT)
    assert "1.5 GiB are free" in said and "variant demo" in said and "Proposed" not in said


def test_the_time_of_an_unknown_card_comes_from_its_measured_rate_or_is_not_told() -> None:
    assert "A clip takes about" in propose([Card("A Card", 24.0, 20.0, tflops=70.0)], SVD_XT)
    assert "A clip takes about" not in propose([Card("A Card", 24.0, 20.0)], SVD_XT)


def test_no_card_and_several_cards_are_told() -> None:
    assert "No graphics card" in propose([], SVD_XT)
    assert "first of 2" in propose([Card("RTX 4090", 24.0, 20.0)] * 2, SVD_XT)


def test_only_cards_that_compute_count() -> None:
    good = {"name": "One", "gib": 24.0, "free_gib": 20.0, "tflops": 70.0}
    assert cards_in({"cards": [good, good | {"error": "no kernel image"}]}) == [Card("One", 24.0, 20.0, 70.0)]
    assert cards_in({}) == []
