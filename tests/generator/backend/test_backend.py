"""What every backend promises, held by the fake of the tests, the real loop without torch, and the demo model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generator.backend.backend import Backend
from generator.backend.local_backend import LocalBackend
from generator.errors import ExecutorLost, WeightsUnavailable
from generator.protocol import Phase, Progress
from tests.support.fakes import FAKE_EXECUTOR, Act, FakeBackend, a_request
from tests.support.local_backend import CONFIG, PATIENT, ignore, start_render


def fake() -> FakeBackend:
    acts = (Act(steps=4, step_seconds=0.02), Act(error=WeightsUnavailable("none", why="missing")))
    return FakeBackend(script=acts, usual=Act(steps=4, step_seconds=0.02))


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
