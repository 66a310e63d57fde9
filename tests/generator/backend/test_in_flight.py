"""The requests in a child: the one it works on, the one that waits, the one that is cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.backend.backend import Backend
from generator.backend.in_flight import InFlightRequests, Times
from generator.clip import Format
from generator.errors import BadFrames, ExecutorLost
from generator.protocol import Phase, Progress, Rendered, RenderRequest, from_line, to_line
from tests.support.fakes import a_request
from tests.support.local_backend import IMPATIENT, PATIENT, eventually, ignore, running, start_render


async def test_a_waiting_request_of_a_lost_child_is_innocent(tmp_path: Path) -> None:
    async with running("--step-seconds", "30") as backend:
        first = await start_render(backend, a_request(tmp_path, 1), step=0)
        second = asyncio.create_task(backend.render(a_request(tmp_path, 2), ignore))
        await asyncio.sleep(0)
        os.kill(backend.describe()["pid"], signal.SIGKILL)
        errors = await asyncio.gather(first, second, return_exceptions=True)
    assert [error.data["innocent"] for error in errors if isinstance(error, ExecutorLost)] == [False, True]


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


async def until_encoding(backend: Backend, request: RenderRequest) -> tuple[asyncio.Task[Rendered], list[Progress]]:
    """Start a render and return once some of its file is written, with what it has told so far."""
    told: list[Progress] = []
    moves = asyncio.Event()

    def watch(progress: Progress) -> None:
        told.append(progress)
        if progress.phase is Phase.ENCODE and progress.step:
            moves.set()

    task = asyncio.create_task(backend.render(request, watch))
    await asyncio.wait_for(moves.wait(), 20)
    return task, told


async def test_a_clip_that_takes_long_to_write_holds_no_other_up(tmp_path: Path) -> None:
    async with running() as backend:
        long, told = await until_encoding(backend, a_request(tmp_path, 1, smooth=True, playback_fps=1))
        for job in (2, 3):
            assert (await backend.render(a_request(tmp_path, job), ignore)).frames == 8
        assert not long.done(), "the negative control: it was being written all the time"
        assert (await long).frames == 8 * 24
    written = [progress.step for progress in told if progress.phase is Phase.ENCODE]
    assert written == sorted(written) and len(written) > 50 and told[-1] == Progress(Phase.ENCODE, 192, 192)


@pytest.mark.parametrize("format", Format)
async def test_a_cancel_while_the_file_is_written_is_answered_at_once(format: Format, tmp_path: Path) -> None:
    async with running() as backend:
        request = a_request(tmp_path, 1, smooth=True, playback_fps=1, frames=16, format=format)
        task, _ = await until_encoding(backend, request)
        pid, asked = backend.describe()["pid"], time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        print(f"stopped after {time.monotonic() - asked:.3f} s")
        assert time.monotonic() - asked < 1.0
        assert (await backend.render(a_request(tmp_path, 2), ignore)).frames == 8
        assert backend.describe()["pid"] == pid
    assert {path.name for path in tmp_path.iterdir()} == {"conditioning.png", "2-1.mp4"}


# -- events without a child -----------------------------------------------------------------------------------------


def event(job: int, step: int = 1) -> dict[str, Any]:
    return {"type": "progress", "job": job, "attempt": 1, "phase": "denoise", "step": step, "of": 4}


def failed(job: int) -> dict[str, Any]:
    return {"type": "failed", "job": job, "attempt": 1, "error": BadFrames("black", kind="black").to_wire()}


async def test_an_event_about_a_request_that_nobody_made_is_ignored(tmp_path: Path) -> None:
    requests, seen = InFlightRequests(), list[Progress]()
    with requests.accepted(a_request(tmp_path, 1), seen.append) as waiting:
        for about in (event(2), failed(2), event(1)):
            requests.handle(about)
        await asyncio.sleep(0)
        assert len(seen) == 1
        assert not waiting.done.done()


async def test_an_event_after_the_answer_is_ignored(tmp_path: Path) -> None:
    requests, seen = InFlightRequests(), list[Progress]()
    with requests.accepted(a_request(tmp_path, 1), seen.append) as answered:
        requests.handle(failed(1))
        for late in (event(1), failed(1), {"type": "cancelled", "job": 1, "attempt": 1}):
            requests.handle(late)
        await asyncio.sleep(0)
        assert seen == []
        assert isinstance(answered.done.exception(), BadFrames)


async def test_steps_are_timed_of_each_variant_by_itself(tmp_path: Path) -> None:
    requests = InFlightRequests()
    with requests.accepted(a_request(tmp_path, 1), ignore):
        for step in (1, 2, 3):
            requests.handle(event(1, step))
    with requests.accepted(a_request(tmp_path, 2, variant="svd"), ignore):
        [(_, of_another)] = requests.expected_to_speak()
        assert of_another is None
    with requests.accepted(a_request(tmp_path, 3), ignore):
        [(_, of_this)] = requests.expected_to_speak()
        assert of_this is not None


def test_the_median_is_that_of_a_variants_last_fifty_steps() -> None:
    times = Times()
    assert times.median("svd") is None
    for seconds in (1.0, 2.0, 9.0):
        times.add("svd", seconds)
    assert (times.median("svd"), times.median("svd-xt")) == (2.0, None)
    for _ in range(26):
        times.add("svd", 100.0)
    for _ in range(24):
        times.add("svd", 3.0)
    assert times.median("svd") == 100.0, "24 against 26"
    times.add("svd", 3.0)
    assert times.median("svd") == 51.5, "25 against 25: the oldest are forgotten"


async def test_only_steps_between_two_of_the_same_phase_are_timed(tmp_path: Path) -> None:
    requests = InFlightRequests()
    with requests.accepted(a_request(tmp_path, 1), ignore) as request:
        for seconds, phase in ((50, "prepare"), (70, "denoise"), (4, "denoise"), (90, "decode"), (80, "decode")):
            request.since = asyncio.get_running_loop().time() - seconds
            requests.handle(event(1) | {"phase": phase})
        [(_, step)] = requests.expected_to_speak()
        assert step == pytest.approx(4, abs=0.5)
        assert request.progress == Progress(Phase.DECODE, 1, 4)
        assert asyncio.get_running_loop().time() - request.since < 1


async def test_an_event_about_one_request_shows_that_those_behind_it_wait(tmp_path: Path) -> None:
    requests = InFlightRequests()
    with (
        requests.accepted(a_request(tmp_path, 1), ignore) as first,
        requests.accepted(a_request(tmp_path, 2), ignore) as begun,
        requests.accepted(a_request(tmp_path, 3), ignore) as waiting,
    ):
        begun.progress = Progress(Phase.ENCODE)
        for request in (first, begun, waiting):
            request.since = 0.0
        requests.handle(event(1))
        assert (waiting.since > 0, first.since > 0, begun.since) == (True, True, 0.0)


async def test_a_render_that_was_cancelled_ends_so_only_when_somebody_asked(tmp_path: Path) -> None:
    requests, cancelled = InFlightRequests(), {"type": "cancelled", "job": 1, "attempt": 1}
    with requests.accepted(a_request(tmp_path, 1), ignore) as request:
        with pytest.raises(ValueError, match="nobody cancelled"):
            requests.handle(cancelled)
        assert not request.done.done()
        request.cancelled_at = 0.0
        requests.handle(cancelled)
        assert request.done.cancelled()
    assert list(requests) == [], "its end is the end of the block"


async def test_a_rendered_clip_is_the_answer(tmp_path: Path) -> None:
    requests = InFlightRequests()
    clip = Rendered(
        clip_path=tmp_path / "1-1.mp4", bytes=5, width=64, height=36, frames=8, playback_fps=7.0, seconds=1.5
    )
    with requests.accepted(a_request(tmp_path, 1), ignore) as request:
        requests.handle(from_line(to_line("rendered", clip, job=1, attempt=1)))
        assert request.done.result() == clip


@pytest.mark.parametrize("told_innocent", [False, True])
@pytest.mark.parametrize("with_culprit", [False, True])
async def test_of_a_lost_childs_requests_the_culprit_is_guilty_or_all_that_had_begun(
    tmp_path: Path, told_innocent: bool, with_culprit: bool
) -> None:
    requests = InFlightRequests()
    lost = ExecutorLost("gone", cause="stall", innocent=told_innocent)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(requests.accepted(a_request(tmp_path, job), ignore)) for job in (1, 2, 3, 4)]
        for request, phase in zip(held, (Phase.ENCODE, Phase.DENOISE, Phase.LOAD, None), strict=True):
            request.progress = None if phase is None else Progress(phase)
        assert [request.holds_gpu for request in held] == [False, True, True, False]
        assert str(requests) == "1,2,3"
        held[2].fail(BadFrames("black", kind="black"))
        requests.fail_all(lost, held[1] if with_culprit else None)
        errors = [request.done.exception() for request in held]
        assert isinstance(errors[2], BadFrames), "it had its answer"
        innocent = [error.data["innocent"] for error in errors if isinstance(error, ExecutorLost)]
        assert innocent == ([True] * 3 if told_innocent else [with_culprit, False, True])
        assert all((error.text, error.data["cause"]) == ("gone", "stall") for error in errors if error is not errors[2])  # type: ignore[union-attr]
    assert str(requests) == "-"


async def test_while_one_holds_the_gpu_those_that_wait_need_not_speak(tmp_path: Path) -> None:
    requests = InFlightRequests()
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(requests.accepted(a_request(tmp_path, job), ignore)) for job in (1, 2, 3)]

        def expected() -> list[int]:
            return [request.request.job for request, _ in requests.expected_to_speak()]

        assert expected() == [1, 2, 3], "nobody holds it: one of them should begin"
        held[0].progress = Progress(Phase.DENOISE, 1, 4)
        held[2].cancelled_at = 1.0
        assert expected() == [1, 3], "a cancel is to be answered all the same"
        held[0].progress = Progress(Phase.ENCODE)
        assert expected() == [1, 2, 3]
        requests.count_silence_from(7.0)
        assert [(request.since, request.cancelled_at) for request in held] == [(7.0, None), (7.0, None), (7.0, 7.0)]
