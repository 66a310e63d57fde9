"""Positions, times and progress in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.queue.estimates import is_wide
from bot.queue.job import JobState, QueuePosition
from bot.queue.life.advance import Standing
from bot.texts.jobs.status import (
    CardView,
    Origin,
    describe_origin,
    describe_position,
    describe_progress,
    draw_bar,
)
from bot.texts.jobs.waiting import describe_turn, describe_wait
from bot.texts.languages.spoken import speaking
from generator.protocol import Phase, Progress
from tests.support.texts import make_job


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_name(phase: Phase) -> None:
    view = CardView(job=make_job(JobState.RUNNING), progress=Progress(phase, 1, 4), standing=Standing(0.5, 20_000))
    [name, bar, time] = describe_progress(replace(view, due_ms=20_000))
    assert name.endswith(", step 1 of 4.")
    assert bar.endswith(" 50%")
    assert time == "Your clip comes in about 20 seconds."


def test_the_bar_is_drawn_from_empty_to_full() -> None:
    assert draw_bar(0.5, 4) == "▰▰▱▱"
    assert draw_bar(0.0, 4) == "▱▱▱▱"
    assert len(draw_bar(7.0, 4)) == 4


def a_position(position: int = 1, **facts: Any) -> QueuePosition:
    return QueuePosition(position=position, waiting=9, **{"eta_low_ms": 100_000, "eta_high_ms": 140_000} | facts)


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({}, "Next in the queue."),
        ({"running": 1, "people": 1}, "Next, after one other clip."),
        ({"running": 3, "people": 2, "own": 1}, "Next, after 3 other clips."),
        ({"running": 1, "people": 1, "own": 1}, "Next, after your other clip."),
        ({"running": 2, "people": 1, "own": 2}, "Next, after 2 other clips of yours."),
        (
            {"position": 3, "running": 1, "people": 2},
            "3 clips of 2 people come before yours; people take turns by GPU time.",
        ),
        (
            {"position": 3, "people": 1},
            "2 clips of another person come before yours; people take turns by GPU time.",
        ),
        ({"position": 2, "people": 1}, "Next, after one other clip."),
        ({"position": 2, "people": 1, "own": 1}, "Next, after your other clip."),
        ({"position": 3, "people": 1, "own": 2}, "2 clips of yours come before this one."),
        (
            {"position": 4, "running": 1, "people": 2, "own": 1},
            "4 clips come before this one, 1 of them yours; people take turns by GPU time.",
        ),
    ],
)
def test_a_waiting_card_says_whose_clips_come_first_and_why(facts: dict[str, Any], text: str) -> None:
    assert describe_turn(a_position(**facts)) == text


@pytest.mark.parametrize(
    ("left_ms", "text"),
    [
        (-60_000, "a few seconds"),
        (0, "a few seconds"),
        (9_000, "a few seconds"),
        (17_000, "about 20 seconds"),
        (62_000, "about 1 minute"),
        (119_000, "about 2 minutes"),
        (11 * 60_000, "about 10 minutes"),
        (3_590_000, "about 1 hour"),
        (5_400_000, "about 1.5 hours"),
        (40_000_000, "about 11 hours"),
    ],
)
def test_a_time_is_one_rounded_number_and_never_past(left_ms: int, text: str) -> None:
    assert describe_wait(left_ms) == f"Your clip comes in {text}."
    job = make_job(JobState.QUEUED)
    lines = describe_position(CardView(job=job, position=a_position(), now_ms=10**12, due_ms=10**12 + left_ms))
    assert lines[1] == f"Your clip comes in {text}."


@pytest.mark.parametrize(
    ("low_ms", "high_ms", "text"),
    [
        (5_000, 40_000, "within a minute."),
        (15_270, 305_400, "within 5 minutes; how long it takes is not sure yet."),
        (120_000, 2_400_000, "in 2 to 40 minutes; how long it takes is not sure yet."),
        (120_000, 7_200_000, "in 2 minutes to 2 hours; how long it takes is not sure yet."),
        (7_200_000, 90_000_000, "in 2 to 25 hours; how long it takes is not sure yet."),
    ],
)
def test_a_range_is_told_where_nothing_else_is_known(low_ms: int, high_ms: int, text: str) -> None:
    position = a_position(eta_low_ms=low_ms, eta_high_ms=high_ms)
    assert is_wide(position)
    lines = describe_position(CardView(job=make_job(JobState.QUEUED), position=position))
    assert lines[1] == f"Your clip comes {text}"


def test_a_card_made_by_a_button_says_who_asked_and_of_which_clip() -> None:
    job = make_job(JobState.QUEUED, key=str((1_700_000_000 - 1_420_070_400) * 1000 << 22))
    [line] = describe_origin(CardView(job=job, origin=Origin("https://discord.com/channels/1/2/3")))
    assert f"<@{job.user_id}>" in line and "(https://discord.com/channels/1/2/3)" in line
    assert "<t:1700000000:R>" in line
    drafts = replace(job, settings=replace(job.settings, drafts=True))
    [line] = describe_origin(CardView(job=drafts, origin=Origin("https://discord.com/channels/1/2/3")))
    assert "four drafts" in line and "another clip" not in line
    [line] = describe_origin(CardView(job=job, origin=Origin(None)))
    assert "an earlier picture" in line and "http" not in line
    assert describe_origin(CardView(job=job)) == ["-# Asked for <t:1700000000:R>"]
    assert describe_origin(CardView(job=replace(job, key="of a test", state=JobState.FAILED))) == []


def test_a_card_says_that_its_clip_waits_for_a_larger_graphics_card() -> None:
    position = QueuePosition(position=1, waiting=1, eta_low_ms=1, eta_high_ms=2)
    job = make_job(JobState.QUEUED, attempt=1)
    waits = describe_position(CardView(job=job, position=position, needs_larger_card=True))
    assert "waits for a larger one" in waits[-1]
    assert not any("interrupted" in line for line in waits)
    assert "interrupted" in describe_position(CardView(job=job, position=position))[-1]


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("de", ["1 Minute.", "5 Minuten.", "anderthalb Stunden.", "2,5 Stunden."]),
        ("fr", ["1 minute.", "5 minutes.", "une heure et demie.", "2,5 heures."]),
        ("es", ["1 minuto.", "5 minutos.", "una hora y media.", "2,5 horas."]),
        ("pt-BR", ["1 minuto.", "5 minutos.", "uma hora e meia.", "2,5 horas."]),
        ("ja", ["約1分で届きます。", "約5分で届きます。", "約1時間半で届きます。", "約2.5時間で届きます。"]),
    ],
)
def test_a_time_is_told_as_each_language_tells_it(code: str, texts: list[str]) -> None:
    with speaking(code):
        told = [describe_wait(seconds * 1000) for seconds in (60, 300, 5_400, 9_000)]
    assert [sentence.endswith(text) for sentence, text in zip(told, texts, strict=True)] == [True] * 4, told


def test_a_progress_bar_and_its_step_are_in_the_language_spoken() -> None:
    view = CardView(job=make_job(JobState.RUNNING), progress=Progress(Phase.DENOISE, 3, 25), standing=Standing(0.5, 1))
    with speaking("de"):
        assert describe_progress(view) == ["Die Bewegung wird erträumt, Schritt 3 von 25.", f"{draw_bar(0.5)} 50\xa0%"]
    assert describe_progress(view) == ["Dreaming up the motion, step 3 of 25.", f"{draw_bar(0.5)} 50%"]
