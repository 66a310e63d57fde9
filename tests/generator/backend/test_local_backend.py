"""The local backend under every fault of its child. Most children are the real executor loop without torch."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.backend.backend import ExecutorState
from generator.backend.local_backend import LocalBackend
from generator.clip import Format
from generator.errors import EncodingFailed, ExecutorLost, RenderCrashed, RenderError, WeightsUnavailable
from generator.process.share import usable_cores
from generator.protocol import Rendered
from tests.support.fakes import FAKE_EXECUTOR, a_request
from tests.support.local_backend import CONFIG, IMPATIENT, PATIENT, eventually, ignore, is_gone, running, start_render


def kill(pid: int, how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def has_left(backend: LocalBackend, pid: int) -> bool:
    return not backend.ready.is_set() or backend.describe()["pid"] != pid


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
            await eventually(functools.partial(has_left, backend, pid))
    print(dict(Counter(outcomes)))
    await eventually(lambda: all(map(is_gone, pids)))


async def test_it_says_what_it_loads_and_what_it_is(tmp_path: Path) -> None:
    told: list[tuple[ExecutorState, dict[str, Any]]] = []
    async with running(gpu=3, on_state=lambda state, facts: told.append((state, facts))) as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert backend.describe()["variant"] == "demo"
        assert backend.describe()["gpu"] == "3", "CUDA_VISIBLE_DEVICES is not set"
        pid = backend.describe()["pid"]
        backend.preload("svd")
        await eventually(lambda: backend.describe()["variant"] == "svd")
        assert backend.describe()["pid"] == pid, "it loads while it lives"
        os.kill(backend.describe()["pid"], signal.SIGKILL)
        await eventually(lambda: not backend.ready.is_set())
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert backend.describe()["variant"] == "svd", "the next child loads the variant that was chosen last"
    states = [state for state, _facts in told]
    assert states[0] is ExecutorState.LOADING
    assert states.index(ExecutorState.READY) > 0


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"threads": 3, "executors": 4}, 3),
        ({"threads": 0, "executors": 1}, min(4, usable_cores())),
        ({"threads": 0, "executors": 10_000}, 1),
        ({"threads": 0, "device": "cpu"}, usable_cores()),
    ],
)
async def test_an_executor_starts_with_as_many_threads_as_it_needs(
    config: dict[str, Any], expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    backend = LocalBackend(
        replace(CONFIG, **config), gpu=None if config.get("device") else 3, command=FAKE_EXECUTOR, limits=PATIENT
    )
    await backend.start()
    await asyncio.wait_for(backend.ready.wait(), 20)
    assert set(backend.describe()["threads"].values()) == {str(expected)}
    await backend.close()


async def test_it_says_which_plan_its_card_gets_and_how_long_clips_take_on_it(tmp_path: Path) -> None:
    async with running("--free-gib", "4.5", gpu=3) as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert "clip_seconds" not in backend.describe()
        backend.preload("svd-xt")
        await eventually(lambda: backend.describe()["variant"] == "svd-xt")
        assert backend.describe()["plan"] == "minimal"
        assert backend.describe()["used_gib"] == 1.0
        rendered = await backend.render(a_request(tmp_path, variant="svd-xt"), ignore)
        facts = backend.describe()
        assert (rendered.plan, facts["gpu"]) == (facts["plan"], "3")
        assert facts["clip_seconds"] == rendered.seconds
        assert facts["used_gib"] == 6.0, "as it is after the clip, for the metrics"


async def test_a_status_that_comes_late_after_the_end_of_file_is_the_reason_all_the_same() -> None:
    """As on a busy machine, where a child that dies is not gone at once."""
    dies_slowly = "import os, sys, time; sys.stdin.readline(); os.close(1); time.sleep(0.2); os._exit(7)"
    details: list[str] = []

    def note(state: ExecutorState, facts: dict[str, Any]) -> None:
        if state is ExecutorState.RESTARTING:
            details.append(facts["detail"])

    backend = LocalBackend(CONFIG, command=(sys.executable, "-c", dies_slowly), limits=PATIENT, on_state=note)
    await backend.start()
    await eventually(lambda: bool(details))
    await backend.close()
    assert details[0] == "7"


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


async def test_the_child_sees_what_the_model_needs_and_no_other_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIVANT_TOKEN", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("HF_TOKEN", "needed for gated weights")
    async with running() as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        environment = backend.describe()["environment"]
    assert {"VIVANT_TOKEN", "AWS_SECRET_ACCESS_KEY"}.isdisjoint(environment)
    assert {"HF_TOKEN", "PATH"} <= set(environment)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's measure")
async def test_the_child_hides_its_memory_with_the_hubs_token_in_it() -> None:
    async with running() as backend:
        await asyncio.wait_for(backend.ready.wait(), 20)
        assert backend.describe()["dumpable"] == 0


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
