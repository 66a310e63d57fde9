"""Every note has a sentence, also without its facts."""

from __future__ import annotations

from typing import Any

import pytest

from bot.texts.notes import explain_notes
from generator.protocol import Note

NOTES: dict[str, dict[str, Any]] = {
    "one-quality": {"steps": 1},
    "memory": {"rung": "lean"},
    "rerun": {"why": "nan", "how": "float32"},
    "shrunk": {"width": 512, "height": 288, "from_width": 1024, "from_height": 576},
    "frame-rate": {"fps": 12, "from_fps": 24},
    "loop-score": {"score": 0.87},
    "small-picture": {"width": 64, "height": 36},
    "first-picture": {"of": 3},
    "first-frame": {},
    "flattened": {},
    "fast-math": {},
}


@pytest.mark.parametrize("kind", NOTES)
def test_every_note_has_a_sentence_also_without_its_facts(kind: str) -> None:
    [told] = explain_notes((Note(kind, NOTES[kind]),))
    [bare] = explain_notes((Note(kind),))
    assert told.endswith(".")
    assert bare.endswith(".")


@pytest.mark.parametrize(("score", "says"), [(1.0, "without a jump"), (0.3, "may see it jump")])
def test_a_loops_score_is_told_in_words(score: float, says: str) -> None:
    [told] = explain_notes((Note("loop-score", {"score": score}),))
    assert says in told


def test_a_rate_that_the_format_limits_is_not_said_to_be_for_the_upload_limit() -> None:
    [fits] = explain_notes((Note("frame-rate", {"fps": 12, "from_fps": 24}),))
    [gif] = explain_notes((Note("frame-rate", {"fps": 50.0, "from_fps": 60.0, "why": "gif"}),))
    assert "to fit" in fits
    assert "to fit" not in gif and "GIF plays at most 50 a second" in gif


def test_the_notes_that_the_protocol_names_are_those_with_sentences() -> None:
    assert Note.__doc__ is not None
    named = {kind for kind in NOTES if f"`{kind}`" in Note.__doc__}
    assert named == set(NOTES)


def test_a_note_of_a_newer_version_is_left_out() -> None:
    assert explain_notes((Note("from-the-future"), Note("flattened"), Note("flattened"))) == [
        "The transparent parts were filled in."
    ]
