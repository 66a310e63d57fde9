"""Positions, times and progress in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.queue.job import Job, JobState, QueuePosition
from bot.texts.status import (
    CardView,
    describe_position,
    describe_progress,
    describe_queue,
    draw_bar,
    measure_progress,
)
from generator.protocol import Phase, Progress
from tests.support.texts import make_job


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_a_name(phase: Phase) -> None:
    [name, bar] = describe_progress(CardView(job=make_job(JobState.RUNNING), progress=Progress(phase, 1, 4)))
    assert name.endswith(", step 1 of 4.")
    assert "%" in bar


def test_progress_never_goes_back_and_ends_full() -> None:
    steps = [Progress(phase, step, 4) for phase in Phase for step in range(5)]
    shares = [measure_progress(progress) for progress in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert measure_progress(Progress(Phase.DENOISE)) == pytest.approx(0.1)
    assert draw_bar(0.5, 4) == "▰▰▱▱"
    assert len(draw_bar(7.0, 4)) == 4


def test_the_queue_names_nobody_of_another_server_and_fits_a_message() -> None:
    position = QueuePosition(position=1, waiting=9, eta_low_ms=10**9, eta_high_ms=10**10)
    mine: list[tuple[Job, QueuePosition | None]] = [
        (make_job(id=10**9 + number, user_id=10**18), position) for number in range(60)
    ]
    others = [make_job(id=number, user_id=10**18 + number) for number in range(60)]
    elsewhere = replace(others[0], route=replace(others[0].route, guild_id=99))
    text = describe_queue(mine, [elsewhere, *others[1:]], begun=set(), guild_id=3, now_ms=10**13, hold=None)
    assert len(text) <= 2000
    assert f"<@{others[1].user_id}>" in text
    assert f"<@{elsewhere.user_id}>" not in text
    assert "more" in text
    assert "empty" in describe_queue([], [], begun=set(), guild_id=None, now_ms=0, hold=None)


def test_a_card_says_that_its_clip_waits_for_a_larger_graphics_card() -> None:
    position = QueuePosition(position=1, waiting=1, eta_low_ms=1, eta_high_ms=2)
    job = make_job(JobState.QUEUED, attempt=1)
    waits = describe_position(CardView(job=job, position=position, needs_larger_card=True))
    assert "waits for a larger one" in waits[-1]
    assert not any("interrupted" in line for line in waits)
    assert "interrupted" in describe_position(CardView(job=job, position=position))[-1]
