"""The error tree: every error comes back from the pipe as itself, and has a sentence for a person at a terminal."""

from __future__ import annotations

import json

import pytest

from generator.errors import (
    BadFrames,
    Cancelled,
    DiskFull,
    EncodingFailed,
    ExecutorLost,
    GeneratorError,
    OutOfMemory,
    PictureError,
    PictureReason,
    RenderCrashed,
    RenderError,
    SettingsError,
    WeightsUnavailable,
    terminal_sentence,
)


@pytest.mark.parametrize("kind", RenderError.__subclasses__(), ids=lambda kind: str(kind.__name__))
def test_every_render_error_comes_back_as_itself(kind: type[RenderError]) -> None:
    error = kind("what happened", cause="x", detail=1)
    back = RenderError.from_wire(json.loads(json.dumps(error.to_wire())))
    assert type(back) is kind
    assert (back.text, back.data) == ("what happened", {"cause": "x", "detail": 1})


def test_a_class_below_a_class_comes_back_as_itself_too() -> None:
    class StillLost(ExecutorLost):
        code = "still-lost"

    assert type(RenderError.from_wire(StillLost("x").to_wire())) is StillLost
    assert type(RenderError.from_wire(ExecutorLost("x").to_wire())) is ExecutorLost


def test_an_unknown_error_code_becomes_a_crash() -> None:
    assert type(RenderError.from_wire({"code": "from-the-future"})) is RenderCrashed


def test_which_errors_may_be_tried_again() -> None:
    assert ExecutorLost("x").retryable
    assert not OutOfMemory("x").retryable


def test_a_cancel_is_no_render_error() -> None:
    assert not isinstance(Cancelled("cancelled"), RenderError)


@pytest.mark.parametrize("reason", PictureReason)
def test_every_reason_to_refuse_a_picture_has_its_sentence(reason: PictureReason) -> None:
    said = terminal_sentence(PictureError(reason, "it says why"))
    assert said.endswith(".") and "{" not in said


@pytest.mark.parametrize(
    "error",
    [
        WeightsUnavailable("x", remedy="Do this."),
        OutOfMemory("needs 9 GiB"),
        BadFrames("x", kind="nan"),
        EncodingFailed("x", why="ffmpeg-missing"),
        EncodingFailed("x", why="budget"),
        DiskFull("x"),
        ExecutorLost("x"),
        RenderCrashed("x", type="ValueError"),
        SettingsError("steps must be less"),
    ],
)
def test_every_error_has_its_sentence(error: GeneratorError) -> None:
    said = terminal_sentence(error)
    assert said[0].isupper() and said.endswith(".")
