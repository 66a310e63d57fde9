"""The supervision of a child, decision by decision, on a loop whose clock the test moves: stalls, losses, requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from generator.backend.in_flight import InFlight, InFlightRequests
from generator.backend.losses import check_version, lost_because, lost_by
from generator.backend.stalls import Deadline, StallAlarm, StallLimits, cancel_limit, restart_delay, silence_limit
from generator.errors import ExecutorLost, RenderCrashed
from generator.process.child import ChildEnd
from generator.protocol import PROTOCOL_VERSION, Phase, Progress, Rendered
from tests.support.fakes import a_request

LIMITS = StallLimits(
    start_seconds=5,
    load_seconds=50,
    prepare_seconds=20,
    first_step_seconds=70,
    step_factor=10,
    step_floor_seconds=30,
    decode_seconds=40,
    encode_seconds=60,
    cancel_grace_seconds=3,
)


@dataclass
class Supervised:
    """An alarm with its requests, on a clock that `pass_seconds` moves."""

    move: Callable[[float], None]
    requests: InFlightRequests = field(default_factory=InFlightRequests)
    stalls: list[Deadline] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.alarm = StallAlarm(LIMITS, self.requests, self.stalls.append)
        self.alarm.watch_start()

    async def pass_seconds(self, seconds: float) -> None:
        self.move(seconds)
        for _ in range(3):
            await asyncio.sleep(0)

    def say(self, kind: str, job: int = 1, **more: Any) -> None:
        self.requests.handle({"type": kind, "job": job, "attempt": 1, **more})
        self.alarm.update()

    def progress(self, phase: Phase, step: int = 0, of: int = 0, job: int = 1) -> None:
        self.say("progress", job, phase=phase, step=step, of=of)


@pytest.fixture
async def supervised(monkeypatch: pytest.MonkeyPatch) -> Supervised:
    loop = asyncio.get_running_loop()
    moved, real = [0.0], loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + moved[0])

    def move(seconds: float) -> None:
        moved[0] += seconds

    return Supervised(move)


@contextmanager
def accepted(supervised: Supervised, folder: Path, *jobs: int) -> Iterator[list[InFlight]]:
    with (
        supervised.requests.accepted(a_request(folder, jobs[0]), lambda progress: None) as first,
        accepted(supervised, folder, *jobs[1:]) if jobs[1:] else _nothing() as rest,
    ):
        yield [first, *rest]


@contextmanager
def _nothing() -> Iterator[list[InFlight]]:
    yield []


def what(supervised: Supervised) -> list[tuple[str, int | None]]:
    return [(each.what, each.request.request.job if each.request else None) for each in supervised.stalls]


# -- starting and loading


async def test_a_start_may_take_its_time_and_no_longer(supervised: Supervised) -> None:
    supervised.alarm.update()
    await supervised.pass_seconds(4.9)
    assert what(supervised) == []
    await supervised.pass_seconds(0.2)
    assert what(supervised) == [("start", None)]


async def test_each_word_about_a_load_begins_its_count_anew(supervised: Supervised) -> None:
    for _ in range(3):
        supervised.alarm.watch_load()
        supervised.alarm.update()
        await supervised.pass_seconds(49)
    assert what(supervised) == []
    await supervised.pass_seconds(1.5)
    assert what(supervised) == [("load", None)]


@pytest.mark.parametrize(("loads", "name", "limit"), [(False, "start", 5.0), (True, "load", 50.0)])
async def test_an_alarm_that_was_held_up_counts_the_same_limit_again(
    supervised: Supervised, loads: bool, name: str, limit: float
) -> None:
    if loads:
        supervised.alarm.watch_load()
    supervised.alarm.update()
    await supervised.pass_seconds(limit + 10)
    assert what(supervised) == [], "this process was stopped, not the child"
    await supervised.pass_seconds(limit - 0.5)
    assert what(supervised) == []
    await supervised.pass_seconds(1)
    assert what(supervised) == [(name, None)]


async def test_while_it_loads_no_request_is_expected_to_move(supervised: Supervised, tmp_path: Path) -> None:
    with accepted(supervised, tmp_path, 1):
        supervised.alarm.watch_load()
        supervised.alarm.update()
        await supervised.pass_seconds(45)
        assert what(supervised) == []
        supervised.alarm.watch_requests()
        supervised.alarm.update()
        await supervised.pass_seconds(19.5)
        assert what(supervised) == [], "its own count begins when the child can take it"
        await supervised.pass_seconds(1)
    assert what(supervised) == [("begin", 1)]


async def test_an_alarm_that_is_off_never_rings(supervised: Supervised, tmp_path: Path) -> None:
    with accepted(supervised, tmp_path, 1):
        supervised.alarm.watch_requests()
        supervised.alarm.update()
        supervised.alarm.turn_off()
        await supervised.pass_seconds(1000)
    assert what(supervised) == []


# -- requests


async def test_a_request_that_waits_for_the_gpu_is_not_expected_to_speak(
    supervised: Supervised, tmp_path: Path
) -> None:
    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1, 2):
        for step in range(4):
            supervised.progress(Phase.DENOISE, step, 4)
            await supervised.pass_seconds(25)
        supervised.progress(Phase.ENCODE)
        await supervised.pass_seconds(19)
        assert what(supervised) == [], "the second one's count begins when the first one leaves the GPU"
        await supervised.pass_seconds(1.5)
    assert what(supervised) == [("begin", 2)]


async def test_silence_while_this_process_was_stopped_is_not_a_requests(supervised: Supervised, tmp_path: Path) -> None:
    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1):
        supervised.progress(Phase.DENOISE, 1, 4)
        await supervised.pass_seconds(80)
        await supervised.pass_seconds(69)
        assert what(supervised) == []
        await supervised.pass_seconds(1.5)
    assert what(supervised) == [("denoise", 1)]


async def test_encoding_may_take_long_as_long_as_it_moves(supervised: Supervised, tmp_path: Path) -> None:
    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1):
        for frame in range(10):
            supervised.progress(Phase.ENCODE, frame, 10)
            await supervised.pass_seconds(59)
        assert what(supervised) == []
        await supervised.pass_seconds(1.5)
    assert what(supervised) == [("encode", 1)]


async def test_the_count_of_encoding_begins_with_the_encoding(supervised: Supervised, tmp_path: Path) -> None:
    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1):
        supervised.progress(Phase.DENOISE, 4, 4)
        await supervised.pass_seconds(39)
        supervised.progress(Phase.ENCODE)
        await supervised.pass_seconds(59)
    assert what(supervised) == []


async def test_a_cancel_that_is_not_answered_rings_for_that_request(supervised: Supervised, tmp_path: Path) -> None:
    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1, 2) as (first, second):
        supervised.progress(Phase.DENOISE, 1, 4)
        second.cancelled_at = asyncio.get_running_loop().time()
        supervised.alarm.update()
        await supervised.pass_seconds(2.5)
        assert what(supervised) == []
        await supervised.pass_seconds(1)
        assert what(supervised) == [("cancel", 2)]
        supervised.requests.fail_all(lost_because("x", cause="stall"), second)
        for request, innocent in ((first, True), (second, True)):  # the second had not begun
            error = request.done.exception()
            assert isinstance(error, ExecutorLost) and error.data["innocent"] is innocent


async def test_only_the_one_that_stalled_is_to_blame(supervised: Supervised, tmp_path: Path) -> None:
    with accepted(supervised, tmp_path, 1, 2, 3) as (first, second, third):
        supervised.progress(Phase.ENCODE, 1, 9, job=1)
        supervised.progress(Phase.DENOISE, 1, 9, job=2)
        supervised.requests.fail_all(lost_because("x", cause="stall"), first)
        blamed = [request.done.exception() for request in (first, second, third)]
    assert [error.data["innocent"] for error in blamed if isinstance(error, ExecutorLost)] == [False, True, True]


@pytest.mark.parametrize(("innocent", "expected"), [(False, [False, True]), (True, [True, True])])
async def test_without_a_culprit_all_that_had_begun_are_to_blame_unless_nobody_is(
    supervised: Supervised, innocent: bool, expected: list[bool], tmp_path: Path
) -> None:
    with accepted(supervised, tmp_path, 1, 2) as requests:
        supervised.progress(Phase.DENOISE, 1, 9, job=1)
        supervised.requests.fail_all(lost_because("x", cause="exit", innocent=innocent))
        errors = [request.done.exception() for request in requests]
    assert [error.data["innocent"] for error in errors if isinstance(error, ExecutorLost)] == expected


async def test_what_is_said_about_a_request_that_has_ended_or_was_never_there_changes_nothing(
    supervised: Supervised, tmp_path: Path
) -> None:
    rendered = {
        "clip_path": "c.mp4", "bytes": 1, "width": 1, "height": 1, "frames": 1, "playback_fps": 7.0, "seconds": 1.0
    }  # fmt: skip
    with accepted(supervised, tmp_path, 1) as (first,):
        supervised.say("rendered", 99, **rendered)
        assert not first.done.done()
        supervised.say("rendered", 1, **rendered)
        supervised.say("rendered", 1, **rendered)
        supervised.say("failed", 1, error=RenderCrashed("late").to_wire())
        supervised.progress(Phase.DENOISE, 1, 4)
        assert first.done.result() == Rendered(**{**rendered, "clip_path": Path("c.mp4")})  # type: ignore[arg-type]
        assert first.progress is None


async def test_what_is_said_about_a_request_reaches_who_waits_for_it(supervised: Supervised, tmp_path: Path) -> None:
    heard: list[Progress] = []
    with (
        supervised.requests.accepted(a_request(tmp_path, 1), heard.append) as first,
        supervised.requests.accepted(a_request(tmp_path, 2), heard.append),
    ):
        assert str(supervised.requests) == "-"
        supervised.progress(Phase.DENOISE, 1, 4)
        await supervised.pass_seconds(0)
        assert heard == [Progress(Phase.DENOISE, 1, 4)] and str(supervised.requests) == "1"
        supervised.say("failed", error=RenderCrashed("simulated").to_wire())
        with pytest.raises(RenderCrashed, match="simulated"):
            await first.done


async def test_a_cancel_that_nobody_asked_for_is_garbage(supervised: Supervised, tmp_path: Path) -> None:
    with accepted(supervised, tmp_path, 1) as (first,):
        with pytest.raises(ValueError, match="nobody cancelled"):
            supervised.say("cancelled")
        first.cancelled_at = 0.0
        supervised.say("cancelled")
        assert first.done.cancelled()


async def test_steps_are_timed_only_between_steps_and_the_median_of_them_counts(
    supervised: Supervised, tmp_path: Path
) -> None:
    def median() -> float | None:
        [(_, seconds)] = supervised.requests.expected_to_speak()
        return seconds

    supervised.alarm.watch_requests()
    with accepted(supervised, tmp_path, 1):
        supervised.progress(Phase.PREPARE)
        await supervised.pass_seconds(100)
        supervised.progress(Phase.DENOISE, 0, 9)
        assert median() is None, "what came before the first step is no step"
        for seconds in (1, 2, 9):
            await supervised.pass_seconds(seconds)
            supervised.progress(Phase.DENOISE, 1, 9)
        assert median() == pytest.approx(2, abs=0.2)
        await supervised.pass_seconds(500)
        supervised.progress(Phase.DECODE, 1, 9)
        assert median() == pytest.approx(2, abs=0.2), "the decoder's time is no step"


# -- limits


def test_each_phase_has_its_limit() -> None:
    cases: list[tuple[Progress | None, float | None, float]] = [
        (None, 9.0, 20),
        (Progress(Phase.LOAD), 9.0, 50),
        (Progress(Phase.PREPARE), None, 70),
        (Progress(Phase.PREPARE), 1.0, 30),
        (Progress(Phase.PREPARE), 9.0, 90),
        (Progress(Phase.DENOISE, 0, 4), None, 70),
        (Progress(Phase.DENOISE, 3, 4), 9.0, 90),
        (Progress(Phase.DENOISE, 3, 4), 3.1, 31),
        (Progress(Phase.DENOISE, 4, 4), 9.0, 40),
        (Progress(Phase.DECODE, 1, 4), 9.0, 40),
        (Progress(Phase.ENCODE, 1, 4), 9.0, 60),
    ]
    for progress, median, seconds in cases:
        assert silence_limit(LIMITS, progress, median) == pytest.approx(seconds), (progress, median)


def test_a_cancel_has_two_steps_while_denoising_and_the_phases_own_limit_elsewhere() -> None:
    cases: list[tuple[Progress | None, float | None, float]] = [
        (None, None, 3),
        (None, 9.0, 3),
        (Progress(Phase.DENOISE, 1, 4), 9.0, 21),
        (Progress(Phase.DENOISE, 3, 4), 9.0, 21),
        (Progress(Phase.DENOISE, 1, 4), None, 70),
        (Progress(Phase.DENOISE, 4, 4), 9.0, 40),
        (Progress(Phase.PREPARE, 1, 4), 9.0, 90),
        (Progress(Phase.DECODE, 1, 4), 9.0, 40),
        (Progress(Phase.ENCODE, 1, 4), 9.0, 60),
    ]
    for progress, median, seconds in cases:
        assert cancel_limit(LIMITS, progress, median) == pytest.approx(seconds), (progress, median)


def test_the_first_restart_waits_the_shortest_time() -> None:
    limits = StallLimits(backoff_seconds=2.0, backoff_max_seconds=9.0)
    assert [restart_delay(limits, crashes) for crashes in range(5)] == [2.0, 4.0, 8.0, 9.0, 9.0]


# -- losses


@pytest.mark.parametrize(
    ("status", "cause", "detail", "text"),
    [
        (-9, "signal", "SIGKILL", "the executor was ended by SIGKILL"),
        (3, "exit", "3", "the executor ended with status 3"),
        (0, "exit", "0", "the executor ended with status 0"),
        (None, "exit", "None", "the executor ended with status None"),
    ],
)
def test_a_child_that_ended_by_itself_tells_how(status: int | None, cause: str, detail: str, text: str) -> None:
    lost = lost_by(ChildEnd(status, "its last words"))
    assert lost.text == text
    assert (lost.data["cause"], lost.data["detail"], lost.data["log"]) == (cause, detail, "its last words")
    assert not lost.data.get("innocent", False)


def test_a_child_that_was_given_up_is_innocent_only_where_it_is_said() -> None:
    assert lost_because("x", cause="stall").data == {"cause": "stall", "detail": "", "innocent": False}
    assert lost_because("x", cause="closed", detail="y", innocent=True).data == {
        "cause": "closed",
        "detail": "y",
        "innocent": True,
    }


def test_only_this_version_of_the_protocol_is_spoken() -> None:
    assert check_version(PROTOCOL_VERSION) is None
    for other in (PROTOCOL_VERSION + 1, PROTOCOL_VERSION - 1, None):
        lost = check_version(other)
        assert lost is not None and lost.data["cause"] == "version" and lost.data["innocent"]
        assert lost.data["detail"] == lost.text
