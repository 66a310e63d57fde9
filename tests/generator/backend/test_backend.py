"""The backend under every fault of its child. Most children here are the real executor loop without torch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import statistics
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from generator.backend.backend import Backend, ExecutorState, LocalBackend
from generator.backend.stalls import StallLimits
from generator.clip import Format
from generator.errors import EncodingFailed, ExecutorLost, RenderCrashed, RenderError, WeightsUnavailable
from generator.protocol import ExecutorConfig, Phase, Progress, Rendered, RenderRequest
from generator.variants import BUILT_IN
from tests.support.fakes import FAKE_EXECUTOR, Act, FakeBackend, a_request

CONFIG = ExecutorConfig(variants=BUILT_IN, preload="demo", threads=1)
PATIENT = StallLimits(backoff_seconds=0.05, term_seconds=1.0)
IMPATIENT = replace(
    PATIENT, step_floor_seconds=1.0, first_step_seconds=1.0, prepare_seconds=1.0, cancel_grace_seconds=0.5
)


def ignore(progress: Progress) -> None:
    pass


@asynccontextmanager
async def running(*options: str, limits: StallLimits = PATIENT, **more: Any) -> AsyncIterator[LocalBackend]:
    """Give a started backend whose child plays `options`."""
    backend = LocalBackend(CONFIG, command=(*FAKE_EXECUTOR, *options), limits=limits, **more)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.close()


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something that tells nobody is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def kill(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def start_render(
    backend: Backend, request: RenderRequest, phase: Phase = Phase.DENOISE, step: int = 1
) -> asyncio.Task[Rendered]:
    """Give the task of a render that has reached a step."""
    there = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.phase is phase and progress.step >= step:
            there.set()

    task = asyncio.create_task(backend.render(request, watch))
    waiting = asyncio.create_task(there.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    waiting.cancel()
    return task


# -- what every backend does


def fake() -> FakeBackend:
    return FakeBackend(usual=Act(steps=4, step_seconds=0.02))


def without_torch() -> LocalBackend:
    return LocalBackend(CONFIG, command=FAKE_EXECUTOR, limits=PATIENT)


def with_the_demo_model() -> LocalBackend:
    return LocalBackend(CONFIG, limits=PATIENT)


FEW_FRAMES = {"frames": 3}
"""a real model on two busy cores takes its time"""


@pytest.mark.parametrize("make", [fake, without_torch, with_the_demo_model])
async def test_every_backend_keeps_the_promises_of_the_protocol(make: Callable[[], Any], tmp_path: Path) -> None:
    backend = make()
    began = time.monotonic()
    await backend.start()
    assert time.monotonic() - began < 1.0, "start waits for the model"
    try:
        await a_render_gives_a_playable_clip_and_tells_its_steps(backend, tmp_path)
        await a_failure_is_one_render_error(backend, tmp_path)
        await a_cancelled_render_leaves_nothing(backend, tmp_path)
    finally:
        await ends_a_render_in_flight(backend, tmp_path)


async def a_render_gives_a_playable_clip_and_tells_its_steps(backend: Backend, folder: Path) -> None:
    request, told = a_request(folder, 1, **FEW_FRAMES), list[Progress]()
    rendered = await backend.render(request, told.append)
    assert rendered.clip_path == request.clip_path
    assert request.clip_path.stat().st_size == rendered.bytes
    assert b"ftyp" in request.clip_path.read_bytes()[:12]
    assert rendered.width > 0 < rendered.height and rendered.frames > 1 and rendered.playback_fps == 7
    assert [item.step for item in told if item.phase is Phase.DENOISE][-1] >= 3
    assert not list(folder.glob(".*")), "something is left beside the clip"


async def a_failure_is_one_render_error(backend: Backend, folder: Path) -> None:
    if isinstance(backend, FakeBackend):
        backend._script = iter([Act(error=WeightsUnavailable("none", why="missing"))])
    request = a_request(folder, 2, variant="no-such-variant")
    with pytest.raises(WeightsUnavailable) as caught:
        await backend.render(request, ignore)
    assert caught.value.data["why"] == "missing"
    assert not request.clip_path.exists()


async def a_cancelled_render_leaves_nothing(backend: Backend, folder: Path) -> None:
    request = a_request(folder, 3, steps=30, **FEW_FRAMES)
    task = await start_render(backend, request)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert not request.clip_path.exists()
    assert (await backend.render(a_request(folder, 4, **FEW_FRAMES), ignore)).clip_path.exists()


async def ends_a_render_in_flight(backend: Backend, folder: Path) -> None:
    task = await start_render(backend, a_request(folder, 5, steps=30, **FEW_FRAMES))
    await backend.close()
    with pytest.raises(ExecutorLost) as caught:
        await task
    assert caught.value.data["cause"] == "closed"


# -- the child dies


@pytest.mark.parametrize(
    ("fault", "cause", "detail"),
    [
        ("sigkill", "signal", "SIGKILL"),
        ("sigsegv", "signal", "SIGSEGV"),
        ("exit-0", "exit", "0"),
        ("garbage", "garbage", "JSONDecodeError"),
        ("wrong-fields", "garbage", "ValueError"),
        ("fatal", "fatal", "illegal memory access"),
        ("dead-canary", "fatal", "does not compute"),
    ],
)
async def test_a_lost_child_costs_one_attempt_and_the_next_child_renders(
    fault: str, cause: str, detail: str, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    async with running("--fault", fault, "--times", "1", "--marks", str(marks)) as backend:
        with pytest.raises(ExecutorLost) as caught:
            await backend.render(a_request(tmp_path), ignore)
        assert caught.value.data["cause"] == cause
        assert detail in caught.value.data["detail"]
        assert caught.value.data["innocent"] is False
        assert (await backend.render(a_request(tmp_path, attempt=2), ignore)).frames == 8


async def test_a_job_is_back_within_100_ms_of_the_childs_death(tmp_path: Path) -> None:
    seconds = []
    async with running("--step-seconds", "30") as backend:
        for attempt in range(5):
            task = await start_render(backend, a_request(tmp_path, attempt=attempt), step=0)
            killed = time.monotonic()
            os.kill(backend.describe()["pid"], signal.SIGKILL)
            with pytest.raises(ExecutorLost):
                await task
            seconds.append(time.monotonic() - killed)
    print(f"back after {[round(1000 * item, 1) for item in seconds]} ms")
    assert statistics.median(seconds) < 0.1


async def test_a_waiting_request_of_a_lost_child_is_innocent(tmp_path: Path) -> None:
    async with running("--step-seconds", "30") as backend:
        first = await start_render(backend, a_request(tmp_path, 1), step=0)
        second = asyncio.create_task(backend.render(a_request(tmp_path, 2), ignore))
        await asyncio.sleep(0)
        os.kill(backend.describe()["pid"], signal.SIGKILL)
        errors = await asyncio.gather(first, second, return_exceptions=True)
    assert [error.data["innocent"] for error in errors if isinstance(error, ExecutorLost)] == [False, True]


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


async def test_no_alarm_outlives_the_child_whose_silence_it_counts() -> None:
    restarting = asyncio.Event()
    backend = LocalBackend(
        CONFIG,
        command=(sys.executable, "-c", "raise SystemExit(3)"),
        limits=replace(PATIENT, backoff_seconds=60.0, backoff_max_seconds=60.0),
        on_state=lambda state, facts: restarting.set() if state is ExecutorState.RESTARTING else None,
    )
    await backend.start()
    await restarting.wait()
    assert backend._alarm is None
    await backend.close()


async def test_an_executor_that_never_starts_is_tried_for_ever() -> None:
    told: list[float] = []
    limits = replace(PATIENT, backoff_seconds=0.0, backoff_max_seconds=0.01)
    backend = LocalBackend(
        CONFIG,
        command=("/no/such/python",),
        limits=limits,
        on_state=lambda state, facts: told.append(facts["seconds"]) if state is ExecutorState.RESTARTING else None,
    )
    backend._crashes = 1023  # a week of restarts: 2.0**1024 is no float
    await backend.start()
    await eventually(lambda: len(told) >= 4)
    await backend.close()


async def test_a_program_that_is_not_there_is_a_lost_executor(tmp_path: Path) -> None:
    backend = LocalBackend(CONFIG, command=("/no/such/python",), limits=PATIENT)
    await backend.start()
    with pytest.raises(ExecutorLost, match="cannot start"):
        await backend.render(a_request(tmp_path), ignore)
    await backend.close()


async def test_a_child_of_another_version_is_refused(tmp_path: Path) -> None:
    script = 'import sys, time; print(\'{"type": "hello", "protocol": 99}\', flush=True); time.sleep(60)'
    backend = LocalBackend(CONFIG, command=(sys.executable, "-c", script), limits=PATIENT)
    await backend.start()
    with pytest.raises(ExecutorLost, match="protocol 99") as caught:
        await backend.render(a_request(tmp_path), ignore)
    assert caught.value.data["innocent"]
    await backend.close()


@pytest.mark.parametrize("kills", [8, pytest.param(300, marks=pytest.mark.soak)])
async def test_kills_at_random_moments_end_in_a_clip_or_one_lost_attempt_and_no_orphan(
    kills: int, tmp_path: Path
) -> None:
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    print(f"seed {seed}")
    pids, outcomes = set[int](), list[str]()
    limits = replace(IMPATIENT, decode_seconds=2.0, encode_seconds=2.0, backoff_seconds=0.01, backoff_max_seconds=0.05)
    async with running("--step-seconds", "0.03", limits=limits) as backend:
        for attempt in range(kills):
            await asyncio.wait_for(backend.ready.wait(), 30)
            request, pid = a_request(tmp_path, attempt=attempt), backend.describe()["pid"]
            pids.add(pid)
            task = asyncio.create_task(backend.render(request, ignore))
            await asyncio.sleep(rng.uniform(0, 0.4))
            kill(pid, rng.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP, signal.SIGTERM]))
            outcome = (await asyncio.gather(task, return_exceptions=True))[0]
            assert isinstance(outcome, Rendered | ExecutorLost), outcome
            if isinstance(outcome, Rendered):
                assert request.clip_path.exists()
                kill(pid, signal.SIGKILL)  # stopped after its work, it would be noticed only with the next job
            outcomes.append(outcome.data["cause"] if isinstance(outcome, ExecutorLost) else "rendered")
            await eventually(lambda pid=pid: not backend.ready.is_set() or backend.describe()["pid"] != pid)
    print(dict(Counter(outcomes)))
    await eventually(lambda: all(map(is_gone, pids)))


# -- the child hangs


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
        assert caught.value.data["cause"] == "stall"
        assert noticed < IMPATIENT.step_floor_seconds + 1.0
        assert (await backend.render(a_request(tmp_path, attempt=2), ignore)).frames == 8
        assert is_gone(pid)


async def test_without_the_watchdog_a_stopped_child_stays_unnoticed(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(("moves_bytes", "survives"), [(("--load-moves-bytes",), True), ((), False)])
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


# -- no orphan, ever


PARENT = """
    import asyncio, sys
    from pathlib import Path
    from generator.backend.backend import LocalBackend
    from tests.support.fakes import FAKE_EXECUTOR, a_request
    from tests.generator.backend.test_backend import CONFIG

    async def main():
        backend = LocalBackend(CONFIG, command=(*FAKE_EXECUTOR, *sys.argv[2:]))
        await backend.start()
        await backend.render(a_request(Path(sys.argv[1])), lambda progress: None)

    asyncio.run(main())
"""


async def survivors_of_a_killed_parent(folder: Path, *options: str) -> list[int]:
    """SIGKILL a bot in the middle of a render and give the processes of its child that are left a second later."""
    pids = folder / "pids"
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(folder), *options, "--pids", str(pids)]
    parent = subprocess.Popen(command)
    try:
        await eventually(lambda: pids.exists() and bool(pids.read_text()), 30)
    finally:
        parent.kill()
        parent.wait()
    children = [int(pid) for pid in pids.read_text().split()]
    killed = time.monotonic()
    try:
        await eventually(lambda: all(map(is_gone, children)), 1.0)
    except TimeoutError:
        return [pid for pid in children if not is_gone(pid)]
    print(f"gone {1000 * (time.monotonic() - killed):.1f} ms after the parent")
    return []


async def test_a_killed_bot_leaves_neither_executor_nor_ffmpeg(tmp_path: Path) -> None:
    assert await survivors_of_a_killed_parent(tmp_path, "--fault", "child") == []


async def test_a_child_that_is_tied_to_nothing_is_caught_as_an_orphan(tmp_path: Path) -> None:
    """The negative control of the test above."""
    orphans = await survivors_of_a_killed_parent(tmp_path, "--deaf")
    assert len(orphans) == 1
    os.kill(orphans[0], signal.SIGKILL)


async def test_a_killed_executor_leaves_no_ffmpeg(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    async with running("--fault", "child", "--times", "1", "--pids", str(pids)) as backend:
        task = asyncio.create_task(backend.render(a_request(tmp_path), ignore))
        await eventually(lambda: pids.exists() and bool(pids.read_text()))
        executor, ffmpeg = map(int, pids.read_text().split())
        os.kill(executor, signal.SIGKILL)
        await eventually(lambda: is_gone(ffmpeg), 1.0)
        with pytest.raises(ExecutorLost):
            await task


# -- cancel


async def test_a_cancel_stops_within_a_step(tmp_path: Path) -> None:
    async with running("--step-seconds", "0.2") as backend:
        task = await start_render(backend, a_request(tmp_path, steps=100))
        pid, asked = backend.describe()["pid"], time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        print(f"stopped after {time.monotonic() - asked:.3f} s with steps of 0.2 s")
        assert time.monotonic() - asked < 0.2 + 0.5
        assert (await backend.render(a_request(tmp_path, 2), ignore)).frames == 8
        assert backend.describe()["pid"] == pid, "the model was loaded again for a cancel"


async def test_a_cancel_that_is_not_answered_costs_the_child(tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    limits = replace(IMPATIENT, step_floor_seconds=60.0, first_step_seconds=60.0, prepare_seconds=60.0)
    async with running(
        "--fault", "hang", "--times", "1", "--marks", str(marks), "--at-step", "2", limits=limits
    ) as backend:
        task = await start_render(backend, a_request(tmp_path), step=2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, limits.cancel_grace_seconds + 2.0)
        assert (await backend.render(a_request(tmp_path, 2), ignore)).frames == 8


async def test_a_waiting_request_is_cancelled_at_once_and_does_not_disturb_the_running_one(tmp_path: Path) -> None:
    async with running("--step-seconds", "0.3") as backend:
        first = await start_render(backend, a_request(tmp_path, 1), step=0)
        second = asyncio.create_task(backend.render(a_request(tmp_path, 2), ignore))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(second, 0.5)
        assert not first.done()
        assert (await first).frames == 8


@pytest.mark.parametrize("pairs", [20, pytest.param(500, marks=pytest.mark.soak)])
async def test_cancels_at_random_moments_leave_no_clip_and_a_working_child(pairs: int, tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    async with running("--step-seconds", "0.02") as backend:
        await backend.ready.wait()
        pid = backend.describe()["pid"]
        for job in range(0, 2 * pairs, 2):
            requests = [a_request(tmp_path, job + offset, smooth=rng.random() < 0.3) for offset in (0, 1)]
            tasks = [asyncio.create_task(backend.render(request, ignore)) for request in requests]
            for task in tasks:
                await asyncio.sleep(rng.uniform(0, 0.25))
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for request, outcome in zip(requests, outcomes, strict=True):
                if isinstance(outcome, Rendered):
                    assert request.clip_path.exists()
                else:
                    assert isinstance(outcome, asyncio.CancelledError), outcome
                    assert not request.clip_path.exists()
        assert (await backend.render(a_request(tmp_path, 10**6), ignore)).frames == 8
        assert backend.describe()["pid"] == pid
    assert not list(tmp_path.glob(".*.part"))


# -- the rest of what LocalBackend does


async def test_encoding_overlaps_the_next_render(tmp_path: Path) -> None:
    async with running("--step-seconds", "0.05") as backend:
        await backend.ready.wait()
        moments: dict[tuple[int, Phase], float] = {}

        async def render(job: int) -> None:
            def watch(progress: Progress) -> None:
                moments.setdefault((job, progress.phase), time.monotonic())

            rendered = await backend.render(a_request(tmp_path, job, smooth=True), watch)
            moments[job, Phase.LOAD] = time.monotonic()  # stands for: done
            assert rendered.seconds < 2.0

        await asyncio.gather(render(1), render(2))
    idle = moments[2, Phase.PREPARE] - moments[1, Phase.ENCODE]
    print(
        f"the device idled {1000 * idle:.1f} ms between two jobs; encoding took the first one "
        f"{1000 * (moments[1, Phase.LOAD] - moments[1, Phase.ENCODE]):.0f} ms"
    )
    assert moments[2, Phase.DENOISE] < moments[1, Phase.LOAD], "the second job waited for the first one's encoder"
    assert idle < 0.1


async def test_a_request_given_while_the_child_restarts_waits_for_the_next(tmp_path: Path) -> None:
    async with running(limits=replace(PATIENT, backoff_seconds=0.5)) as backend:
        await backend.ready.wait()
        os.kill(backend.describe()["pid"], signal.SIGKILL)
        await eventually(lambda: not backend.ready.is_set())
        assert (await backend.render(a_request(tmp_path), ignore)).frames == 8


async def test_it_says_what_it_loads_and_what_it_is(tmp_path: Path) -> None:
    told: list[tuple[ExecutorState, dict[str, Any]]] = []
    async with running(gpu=3, on_state=lambda state, facts: told.append((state, facts))) as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert backend.describe()["variant"] == "demo"
        assert backend.describe()["gpu"] == "3", "CUDA_VISIBLE_DEVICES is not set"
        backend.preload("svd")
        await eventually(lambda: backend.describe()["variant"] == "svd")
        os.kill(backend.describe()["pid"], signal.SIGKILL)
        await eventually(lambda: not backend.ready.is_set())
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert backend.describe()["variant"] == "svd", "the next child loads the variant that was chosen last"
    states = [state for state, _facts in told]
    assert states[0] is ExecutorState.LOADING
    assert states.index(ExecutorState.READY) > 0


async def test_weights_that_cannot_be_loaded_are_told_and_tried_again_with_the_next_job(tmp_path: Path) -> None:
    states: list[ExecutorState] = []
    async with running(
        "--fault", "no-weights", "--times", "2", on_state=lambda state, facts: states.append(state)
    ) as backend:
        await eventually(lambda: ExecutorState.BROKEN in states)
        assert "none" in backend.describe()["problem"]
        with pytest.raises(WeightsUnavailable):
            await backend.render(a_request(tmp_path, 1), ignore)
        assert (await backend.render(a_request(tmp_path, 2), ignore)).frames == 8
        assert "problem" not in backend.describe()


async def test_stray_prints_do_not_reach_the_protocol_but_the_log_with_the_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with running("--fault", "prints") as backend:
        assert (await backend.render(a_request(tmp_path, 17), ignore)).frames == 8
    assert "job=17 a stray print" in caplog.messages
    assert "job=17 a stray write to descriptor 1" in caplog.messages


async def test_an_exception_in_the_child_is_that_jobs_failure_alone(tmp_path: Path) -> None:
    async with running("--fault", "crash", "--times", "1") as backend:
        with pytest.raises(RenderCrashed) as caught:
            await backend.render(a_request(tmp_path, 1), ignore)
        assert caught.value.data == {"type": "ZeroDivisionError"}
        pid = backend.describe()["pid"]
        assert (await backend.render(a_request(tmp_path, 2), ignore)).frames == 8
        assert backend.describe()["pid"] == pid


async def test_a_budget_that_no_clip_can_meet_is_an_encoding_failure(tmp_path: Path) -> None:
    async with running() as backend:
        with pytest.raises(EncodingFailed):
            await backend.render(a_request(tmp_path, max_bytes=100, format=Format.GIF), ignore)


async def test_a_closed_backend_refuses(tmp_path: Path) -> None:
    async with running() as backend:
        pass
    with pytest.raises(RenderError):
        await backend.render(a_request(tmp_path), ignore)


@pytest.mark.parametrize("loops", [0, 1, 2, 5, 20])
async def test_close_ends_a_child_that_has_only_just_been_started(loops: int) -> None:
    backend = LocalBackend(CONFIG, command=FAKE_EXECUTOR, limits=PATIENT)
    await backend.start()
    for _ in range(loops):
        await asyncio.sleep(0)
    await asyncio.wait_for(backend.close(), 5)


async def test_the_child_does_not_see_the_bots_own_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIVANT_TOKEN", "secret")
    monkeypatch.setenv("HF_TOKEN", "needed for gated weights")
    async with running() as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        names = psutil.Process(backend.describe()["pid"]).environ().keys()
    assert "VIVANT_TOKEN" not in names
    assert "HF_TOKEN" in names


async def test_close_is_quick_also_with_a_stubborn_child(tmp_path: Path) -> None:
    async with running("--fault", "stubborn", limits=replace(PATIENT, term_seconds=0.3)) as backend:
        task = await start_render(backend, a_request(tmp_path))
        pid, began = backend.describe()["pid"], time.monotonic()
        await backend.close()
        print(f"closed in {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 0.3 + 1.0
        assert is_gone(pid)
        with pytest.raises(ExecutorLost):
            await task
