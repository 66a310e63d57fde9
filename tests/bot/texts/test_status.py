"""Positions, times and progress in words."""

from __future__ import annotations

import pytest

from bot.queue.job import JobState, QueuePosition
from bot.texts.status import (
    CardView,
    describe_position,
    describe_progress,
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


def test_a_card_says_that_its_clip_waits_for_a_larger_graphics_card() -> None:
    position = QueuePosition(position=1, waiting=1, eta_low_ms=1, eta_high_ms=2)
    job = make_job(JobState.QUEUED, attempt=1)
    waits = describe_position(CardView(job=job, position=position, needs_larger_card=True))
    assert "waits for a larger one" in waits[-1]
    assert not any("interrupted" in line for line in waits)
    assert "interrupted" in describe_position(CardView(job=job, position=position))[-1]
