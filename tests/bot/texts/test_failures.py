"""Every render error has its sentences, and none shows an exception's text."""

from __future__ import annotations

import pytest

from bot.texts.failures import explain_failure
from generator.errors import (
    GeneratorError,
    RenderError,
    WeightsUnavailable,
)
from tests.support.texts import SECRET, render_errors


@pytest.mark.parametrize("error", render_errors(), ids=lambda error: f"{error.code}-{error.data}")
def test_every_render_error_says_what_happened_what_it_means_and_what_to_do(error: RenderError) -> None:
    sentences = explain_failure(error.to_wire())
    assert all((sentences.what, sentences.means, sentences.todo))
    assert "exploded" not in str(sentences)
    assert "secret" not in str(sentences)


def test_each_class_of_render_error_has_its_own_words() -> None:
    kinds = [kind(SECRET) for kind in RenderError.__subclasses__()]
    assert len({explain_failure(kind.to_wire()).what for kind in kinds}) == len(kinds)


def test_an_error_of_a_newer_version_still_gets_a_sentence() -> None:
    assert explain_failure({"code": "from-the-future", "text": SECRET}).what
    assert explain_failure({}).what


def test_no_generator_error_reaches_people_as_text() -> None:
    assert all("exploded" not in str(explain_failure(error.to_wire())) for error in render_errors())
    assert isinstance(RenderError(SECRET), GeneratorError)


TROUBLES = ["gated", "token", "offline", "stalled", "busy", "hub-down", "portal", "endpoint", "proxy", "certificate"]


@pytest.mark.parametrize("why", [*TROUBLES, "disk-full", "cache", "hub", "device", "missing", "damaged"])
def test_weights_that_cannot_be_had_are_told_without_what_only_the_operator_can_do(why: str) -> None:
    error = WeightsUnavailable("x", variant="svd", why=why, remedy="Set HF_TOKEN to a new token.")
    told = str(explain_failure(error.to_wire()))
    assert "cannot be loaded" not in told, "it has words of its own"
    assert "HF_TOKEN" not in told and "doctor" in told
