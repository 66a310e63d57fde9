"""When a child's silence is a stall, what happens then, and the pause before the next start."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.backend.backend import ExecutorState
from generator.backend.in_flight import InFlightRequests
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import Deadline, StallAlarm, StallLimits, cancel_limit, restart_delay, silence_limit
from generator.errors import ExecutorLost
from generator.protocol import Phase, Progress
from tests.support.fakes import a_request
from tests.support.local_backend import CONFIG, IMPATIENT, PATIENT, eventually, ignore, is_gone, running, start_render


def test_restarts_wait_twice_as_long_each_time_up_to_a_limit_and_for_ever() -> None:
    limits = replace(PATIENT, backoff_seconds=1.0, backoff_max_seconds=10.0)
    assert [restart_delay(limits, crashes) for crashes in (0, 1, 2, 3, 4)] == [1.0, 2.0, 4.0, 8.0, 10.0]
    assert restart_delay(limits, 100_000) == 10.0, "a week of restarts: 2.0**1024 is no float"


def test_a_phase_that_no_step_was_timed_in_has_its_own_limit() -> None:
    limits = StallLimits()
    assert silence_limit(limits, None, None) == limits.prepare_seconds
    assert silence_limit(limits, Progress(Phase.DENOISE, 1, 25), None) == limits.first_step_seconds
    assert silence_limit(limits, Progress(Phase.DENOISE, 1, 25), 0.5) == limits.step_floor_seconds
    assert silence_limit(limits, Progress(Phase.DENOISE, 1, 25), 60.0) == 600.0
    assert silence_limit(limits, Progress(Phase.DENOISE, 25, 25), 60.0) == limits.decode_seconds


def test_each_phase_has_its_own_limit() -> None:
    limits = StallLimits()
    assert silence_limit(limits, Progress(Phase.LOAD), 1.0) == limits.load_seconds
    assert silence_limit(limits, Progress(Phase.PREPARE), None) == limits.first_step_seconds
    assert silence_limit(limits, Progress(Phase.PREPARE), 0.1) == limits.prepare_seconds
    assert silence_limit(limits, Progress(Phase.PREPARE), 100.0) == 1000.0, "the first step lies in it"
    assert silence_limit(limits, Progress(Phase.DECODE, 2, 4), None) == limits.decode_seconds
    assert silence_limit(limits, Progress(Phase.DECODE, 4, 4), None) == limits.decode_seconds
    encoding = replace(limits, encode_seconds=77.0)
    assert silence_limit(encoding, Progress(Phase.ENCODE, 4, 4), None) == 77.0


# -- the alarm without a child --------------------------------------------------------------------------------------

BRIEF = StallLimits(start_seconds=0.02, load_seconds=0.04, prepare_seconds=0.06, cancel_grace_seconds=0.03)


async def rung(alarm: StallAlarm, told: list[Deadline], seconds: float = 20.0) -> Deadline | None:
    """Update the alarm, and return what it tells within that time."""
    alarm.update()
    async with asyncio.timeout(seconds) as limit:
        with contextlib.suppress(asyncio.CancelledError):
            while not told:
                await asyncio.sleep(0.005)
            return told.pop()
    assert limit.expired()
    return None


@pytest.mark.parametrize("what", ["start", "load"])
async def test_a_child_that_does_not_get_ready_is_told_with_what_it_was_at(what: str) -> None:
    told: list[Deadline] = []
    alarm = StallAlarm(BRIEF, InFlightRequests(), told.append)
    before = asyncio.get_running_loop().time()
    alarm.watch_start()
    if what == "load":
        alarm.watch_load()
    after = asyncio.get_running_loop().time()
    deadline = await rung(alarm, told)
    assert deadline is not None
    assert (deadline.what, deadline.request) == (what, None)
    seconds = {"start": BRIEF.start_seconds, "load": BRIEF.load_seconds}[what]
    assert before <= deadline.due - seconds <= after


async def test_an_alarm_that_is_off_or_has_nothing_to_wait_for_is_silent(tmp_path: Path) -> None:
    told: list[Deadline] = []
    alarm = StallAlarm(BRIEF, requests := InFlightRequests(), told.append)
    with requests.accepted(a_request(tmp_path), ignore):
        assert await quiet(alarm, told), "before any child was started"
        alarm.watch_start()
        alarm.update()
        alarm.turn_off()
        assert await quiet(alarm, told)
    alarm.watch_start()
    alarm.watch_requests()
    assert await quiet(alarm, told), "ready, and without a request"


async def quiet(alarm: StallAlarm, told: list[Deadline]) -> bool:
    alarm.update()
    await asyncio.sleep(0.1)
    return told == []


async def test_the_silence_that_is_a_stall_first_is_told_and_counts_from_when_the_child_was_ready(
    tmp_path: Path,
) -> None:
    told: list[Deadline] = []
    alarm = StallAlarm(BRIEF, requests := InFlightRequests(), told.append)
    loop = asyncio.get_running_loop()
    with requests.accepted(a_request(tmp_path, 1), ignore) as one, requests.accepted(a_request(tmp_path, 2), ignore):
        one.since = loop.time() - 100
        alarm.watch_start()
        began = loop.time()
        alarm.watch_requests()
        one.cancelled_at = ready = loop.time()
        deadline = await rung(alarm, told)
        assert deadline is not None
        assert (deadline.what, deadline.request) == ("cancel", one)
        assert deadline.due == ready + BRIEF.cancel_grace_seconds
        one.cancelled_at = None
        deadline = await rung(alarm, told)
        assert deadline is not None
        assert deadline.what == "begin"
        assert began <= deadline.due - BRIEF.prepare_seconds <= ready
        one.progress = Progress(Phase.PREPARE)
        one.since = loop.time() - 1000
        deadline = await rung(alarm, told, 0.1)
        assert deadline is None, "late by more than a second: this process was held up, so it counts anew"
        assert one.since > began


def test_a_cancel_may_take_two_steps_and_a_grace_while_denoising() -> None:
    limits = StallLimits()
    assert cancel_limit(limits, None, 2.0) == limits.cancel_grace_seconds
    assert cancel_limit(limits, Progress(Phase.DENOISE, 3, 25), 2.0) == limits.cancel_grace_seconds + 4.0
    assert cancel_limit(limits, Progress(Phase.DECODE), 2.0) == limits.decode_seconds


def test_a_cancel_outside_of_the_steps_may_take_as_long_as_the_phase() -> None:
    limits = StallLimits()
    assert cancel_limit(limits, Progress(Phase.DENOISE, 25, 25), 2.0) == limits.decode_seconds, "after the last step"
    assert cancel_limit(limits, Progress(Phase.DENOISE, 24, 25), 2.0) == limits.cancel_grace_seconds + 4.0
    assert cancel_limit(limits, Progress(Phase.DENOISE, 1, 25), None) == limits.first_step_seconds, "none was timed"
    assert cancel_limit(limits, Progress(Phase.DECODE, 2, 4), 2.0) == limits.decode_seconds, "its steps are others"
    assert cancel_limit(limits, Progress(Phase.ENCODE, 2, 4), 2.0) == limits.encode_seconds
    assert cancel_limit(limits, Progress(Phase.LOAD, 2, 4), 2.0) == limits.load_seconds
    assert cancel_limit(limits, Progress(Phase.PREPARE), None) == limits.first_step_seconds


@pytest.mark.parametrize("fault", ["sigstop", "hang", "stubborn"])
async def test_a_silent_child_is_noticed_within_its_stall_limit_and_replaced(fault: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    options = ("--fault", fault, "--times", "1", "--marks", str(marks))
    async with running(*options, limits=replace(IMPATIENT, term_seconds=0.2)) as backend:
        task = await start_render(backend, a_request(tmp_path))
        silent_since, pid = time.monotonic(), backend.describe()["pid"]
        with pytest.raises(ExecutorLost) as caught:
            await task
        noticed = time.monotonic() - silent_since
        print(f"{fault} noticed after {noticed:.2f} s, limit {IMPATIENT.step_floor_seconds} s")
        detail = caught.value.data["detail"]
        assert (caught.value.data["cause"], caught.value.text) == ("stall", f"the executor stalled in {detail}")
        assert detail in (Phase.PREPARE, Phase.DENOISE) and not caught.value.data["innocent"]
        assert noticed < IMPATIENT.step_floor_seconds + 1.0
        assert (await backend.render(a_request(tmp_path, attempt=2), ignore)).frames == 8
        assert is_gone(pid)


async def test_without_stall_limits_a_stopped_child_stays_unnoticed(tmp_path: Path) -> None:
    """The negative control of the test above."""
    blind = replace(
        IMPATIENT, step_floor_seconds=3600.0, first_step_seconds=3600.0, prepare_seconds=3600.0, term_seconds=0.1
    )
    async with running("--fault", "sigstop", limits=blind) as backend:
        task = await start_render(backend, a_request(tmp_path))
        _done, pending = await asyncio.wait({task}, timeout=IMPATIENT.step_floor_seconds + 1.0)
        assert pending


async def test_a_child_that_never_says_hello_is_replaced(tmp_path: Path) -> None:
    limits = replace(IMPATIENT, start_seconds=0.3, term_seconds=0.1)
    states: list[ExecutorState] = []
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    backend = LocalBackend(CONFIG, command=command, limits=limits, on_state=lambda state, facts: states.append(state))
    await backend.start()
    await eventually(lambda: states.count(ExecutorState.LOADING) == 2)
    await backend.close()


@pytest.mark.parametrize(
    ("moves_bytes", "survives"),
    [(("--load-moves-bytes",), True), (("--load-moves-bytes", "--ordinary-user"), True), ((), False)],
)
async def test_a_long_download_is_no_stall_but_a_dead_one_is(moves_bytes: tuple[str, ...], survives: bool) -> None:
    states: list[ExecutorState] = []
    limits = replace(PATIENT, load_seconds=1.0)
    options = ("--load-seconds", "2.5", *moves_bytes)
    async with running(*options, limits=limits, on_state=lambda state, facts: states.append(state)):
        await eventually(lambda: states[-1:] == [ExecutorState.READY if survives else ExecutorState.RESTARTING])
    assert (ExecutorState.RESTARTING in states) is not survives


async def test_a_child_that_outlives_sigkill_is_reported_and_has_no_successor_until_it_is_gone(tmp_path: Path) -> None:
    told: list[tuple[ExecutorState, dict[str, Any]]] = []
    limits = replace(IMPATIENT, term_seconds=0.0, kill_seconds=0.0)
    async with running(
        "--fault", "sigstop", limits=limits, on_state=lambda state, facts: told.append((state, facts))
    ) as backend:
        task = await start_render(backend, a_request(tmp_path))
        pid = backend.describe()["pid"]
        with pytest.raises(ExecutorLost):
            await task
        await eventually(lambda: any(facts.get("why") == "undead" for _state, facts in told))
        assert {"pid": pid, "why": "undead"} in [facts for _state, facts in told]
        await eventually(lambda: told[-1][0] is ExecutorState.READY)
        assert is_gone(pid)


async def test_silence_while_the_bot_itself_was_stopped_is_no_stall(tmp_path: Path) -> None:
    async with running("--step-seconds", "0.2", limits=replace(IMPATIENT, step_floor_seconds=4.0)) as backend:
        task = await start_render(backend, a_request(tmp_path, steps=14))
        time.sleep(5.0)  # this process sees nothing, as after SIGSTOP or a suspended machine
        assert (await task).frames == 8


async def test_the_first_step_of_a_variant_may_take_long_and_later_ones_go_by_the_median(tmp_path: Path) -> None:
    limits = replace(IMPATIENT, first_step_seconds=30.0, step_floor_seconds=0.1, step_factor=10)
    async with running("--step-seconds", "0.4", limits=limits) as backend:
        assert (await backend.render(a_request(tmp_path), ignore)).frames == 8


async def test_no_alarm_outlives_the_child_whose_silence_it_counts(caplog: pytest.LogCaptureFixture) -> None:
    restarting = asyncio.Event()
    backend = LocalBackend(
        CONFIG,
        command=("false",),
        limits=replace(PATIENT, start_seconds=1.0, backoff_seconds=60.0, backoff_max_seconds=60.0),
        on_state=lambda state, facts: restarting.set() if state is ExecutorState.RESTARTING else None,
    )
    began = time.monotonic()
    await backend.start()
    await restarting.wait()
    await asyncio.sleep(began + 1.3 - time.monotonic())
    assert "no sign of life" not in caplog.text
    await backend.close()


async def test_restarts_back_off_and_each_is_told(tmp_path: Path) -> None:
    told: list[float] = []

    def listen(state: ExecutorState, facts: dict[str, Any]) -> None:
        if state is ExecutorState.RESTARTING:
            told.append(facts["seconds"])

    limits = replace(PATIENT, backoff_seconds=0.01, backoff_max_seconds=0.05)
    backend = LocalBackend(
        CONFIG, command=(sys.executable, "-c", "raise SystemExit(3)"), limits=limits, on_state=listen
    )
    await backend.start()
    await eventually(lambda: len(told) >= 5)
    await backend.close()
    assert told[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]


async def test_an_executor_that_never_starts_is_tried_for_ever() -> None:
    told: list[float] = []
    limits = replace(PATIENT, backoff_seconds=0.0, backoff_max_seconds=0.01)
    backend = LocalBackend(
        CONFIG,
        command=("/no/such/python",),
        limits=limits,
        on_state=lambda state, facts: told.append(facts["seconds"]) if state is ExecutorState.RESTARTING else None,
    )
    await backend.start()
    await eventually(lambda: len(told) >= 4)
    await backend.close()
