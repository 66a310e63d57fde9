"""The standing answers."""

from __future__ import annotations

from bot.texts.replies import help_text, privacy_text
from generator.variants import BUILT_IN


def test_long_answers_fit_a_message() -> None:
    assert len(help_text(BUILT_IN["svd-xt"])) <= 2000
    assert len(privacy_text(24, 30, "https://example.org/privacy")) <= 2000
