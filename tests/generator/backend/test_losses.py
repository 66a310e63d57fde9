"""What a lost child is told as, and when losses come again and again."""

from __future__ import annotations

import pytest

from generator.backend.losses import Streak, check_version, lost_because, lost_by
from generator.errors import ExecutorLost
from generator.process.child import ChildEnd
from generator.protocol import PROTOCOL_VERSION


def facts(error: ExecutorLost | None) -> tuple[str, dict[str, object]]:
    assert error is not None
    return error.text, error.data


def test_a_child_that_this_side_gave_up_is_told_with_the_cause() -> None:
    usual = {"cause": "stall", "detail": "", "innocent": False}
    assert facts(lost_because("gone", cause="stall")) == ("gone", usual)
    named = lost_because("gone", cause="stall", detail="load", innocent=True)
    assert facts(named) == ("gone", {"cause": "stall", "detail": "load", "innocent": True})


@pytest.mark.parametrize("status", [3, -9])
def test_a_child_that_ended_by_itself_is_told_with_its_status_or_signal(status: int) -> None:
    end = ChildEnd(status, "the last words")
    cause = {"cause": "exit", "detail": "3"} if status > 0 else {"cause": "signal", "detail": "SIGKILL"}
    assert facts(lost_by(end)) == (f"the executor {end}", cause | {"log": "the last words"})


def test_a_child_of_another_version_cannot_be_used() -> None:
    assert check_version(PROTOCOL_VERSION) is None
    text = f"the executor speaks protocol 0, this bot {PROTOCOL_VERSION}"
    assert facts(check_version(0)) == (text, {"cause": "version", "detail": text, "innocent": True})


@pytest.mark.parametrize(
    ("times", "last"),
    [
        pytest.param((0, 10, 20), True, id="so many within the time"),
        pytest.param((0, 10, 100), True, id="just within the time"),
        pytest.param((0, 10, 101), False, id="too slow"),
        pytest.param((0, 0.5, 10), False, id="two of them are one"),
        pytest.param((0, 1, 2), True, id="no longer one"),
        pytest.param((0, 60, 120, 130), True, id="the first no longer counts"),
        pytest.param((0, 10, 20, 30), False, id="begun anew after a streak"),
    ],
)
def test_losses_make_a_streak_when_so_many_come_within_the_time(times: tuple[float, ...], last: bool) -> None:
    streak = Streak(3, within_seconds=100, at_once_seconds=1)
    assert [streak.note(now) for now in times][-1] is last


def test_forgotten_losses_make_no_streak() -> None:
    streak = Streak(2, within_seconds=100, at_once_seconds=1)
    assert not streak.note(0)
    streak.clear()
    assert not streak.note(10)
    assert streak.note(20), "the other side"
