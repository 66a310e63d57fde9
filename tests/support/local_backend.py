"""What the tests of a LocalBackend share: its configuration, its limits, and waiting for what its child does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psutil

from generator.backend.backend import Backend
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.protocol import ExecutorConfig, Phase, Progress, Rendered, RenderRequest
from generator.variants import BUILT_IN
from tests.support.fakes import FAKE_EXECUTOR

CONFIG = ExecutorConfig(
    variants=BUILT_IN | {"demo": replace(BUILT_IN["demo"], max_steps=None)}, preload="demo", threads=1
)
"""with as many steps of the demo model as a test asks for: its clip is worse for them"""
PATIENT = StallLimits(backoff_seconds=0.05, term_seconds=1.0)
IMPATIENT = replace(
    PATIENT, step_floor_seconds=1.0, first_step_seconds=1.0, prepare_seconds=1.0, cancel_grace_seconds=0.5
)


def ignore(progress: Progress) -> None:
    pass


@asynccontextmanager
async def running(*options: str, limits: StallLimits = PATIENT, **more: Any) -> AsyncIterator[LocalBackend]:
    """Start a backend whose child plays `options`."""
    backend = LocalBackend(CONFIG, command=(*FAKE_EXECUTOR, *options), limits=limits, **more)
    await backend.start()
    try:
        yield backend
    finally:
        await backend.close()


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something that no event announces is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def start_render(backend: Backend, request: RenderRequest, step: int = 1) -> asyncio.Task[Rendered]:
    """Return the task of a render that has reached a denoising step."""
    there = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.phase is Phase.DENOISE and progress.step >= step:
            there.set()

    task = asyncio.create_task(backend.render(request, watch))
    waiting = asyncio.create_task(there.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    waiting.cancel()
    return task
