"""What is said of the filter's guess: the score, the threshold, and that it is no more than a guess."""

from __future__ import annotations

import pytest

from bot.texts.safety.filter import (
    guess_text,
    held_clip_text,
    held_picture_text,
    not_restricted_text,
    refused_picture_text,
    review_clip_text,
    review_picture_text,
    unusable_filter_text,
)

TOLD = {
    "refused": refused_picture_text(0.934, 0.8, True),
    "refused for good": refused_picture_text(0.934, 0.8, False),
    "restricted": not_restricted_text(0.934, 0.8, True),
    "held": held_picture_text(0.934, 0.8),
    "clip held": held_clip_text(0.934, 0.8, True),
    "clip refused": held_clip_text(0.934, 0.8, False),
    "moderators, picture": review_picture_text(7, 0.934, 0.8),
    "moderators, clip": review_clip_text(7, 0.934, 0.8),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_score_the_threshold_and_their_worth_are_told_everywhere(name: str) -> None:
    assert "93%" in TOLD[name] and "80%" in TOLD[name]
    assert "a guess" in TOLD[name] and "often wrong" in TOLD[name]


def test_an_appeal_is_offered_only_where_somebody_can_be_asked() -> None:
    assert "ask the moderators" in TOLD["refused"] and "moderators" not in TOLD["refused for good"]
    assert "ask the moderators" in TOLD["clip refused"] and "Then ask" not in TOLD["clip held"]


def test_a_score_beyond_its_bounds_is_no_percentage_beyond_them() -> None:
    assert "with 100%" in guess_text(1e9, 0.5) and "with 0%" in guess_text(-1, 0.5)


def test_what_is_missing_is_named() -> None:
    assert "`pip install 'vivant[filter]'`" in unusable_filter_text("pip install 'vivant[filter]'")
    assert "doctor" in unusable_filter_text("")
