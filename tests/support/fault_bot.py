"""The real bot process, which waits at one stage: `python -m tests.support.fault_bot POSTER EVENT [EXECUTOR...]`.

EVENT is a phase of the executor ("denoise"), a method of the bot ("bot.queue.jobs:Jobs.enqueue"), or "" for none. The
first time it is reached, the bot writes a line to stdout and waits there until a line comes on stdin. A wrong clock
is written into the file `ahead_ms` of the data folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from bot.app import Parts, run_bot
from bot.config import load_config
from bot.queue.job import wall_clock_ms
from bot.queue.jobs import Jobs
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.process.private import write_private_files
from generator.protocol import Phase, Progress, Rendered, RenderRequest
from tests.support.kill_bot import POSTERS, forget_starts

EXECUTOR = (sys.executable, "-m", "tests.support.fake_executor")
LONGEST_PAUSE = 2.0
"""seconds between two attempts to post: the matrix has many cells"""


class Stop:
    """Waits at an event, once."""

    def __init__(self) -> None:
        self._was_there = False

    async def wait(self) -> None:
        """Say that the event is reached, and wait for the word to go on."""
        if not self._was_there:
            self._was_there = True
            print("reached", flush=True)
            await asyncio.to_thread(sys.stdin.readline)

    def at_method(self, name: str) -> None:
        """Wait before the method does anything; before a claim, only when there is a job to claim."""
        owner_name, _, method = name.rpartition(".")
        owner = pkgutil.resolve_name(owner_name)
        original = getattr(owner, method)

        async def stopped(this: Any, *args: Any) -> Any:
            if original is not CLAIM or await this.waiting(1):
                await self.wait()
            return await original(this, *args)

        setattr(owner, method, stopped)

    def at_phase(self, phase: Phase) -> type[LocalBackend]:
        """Return a backend whose executor is stopped (SIGSTOP) meanwhile."""
        reached = self

        class Stopping(LocalBackend):
            async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
                holds: list[asyncio.Task[None]] = []

                def watch(progress: Progress) -> None:
                    on_progress(progress)
                    if progress.phase is phase and not holds:
                        os.kill(pid := self.describe()["pid"], signal.SIGSTOP)
                        holds.append(asyncio.create_task(hold(pid)))

                async def hold(pid: int) -> None:
                    await reached.wait()
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

                return await super().render(request, watch)

        return Stopping


CLAIM = Jobs.claim


def set_wrong(file: Path) -> int:
    """Return what a clock shows that is wrong by as many milliseconds as the file says."""
    return wall_clock_ms() + (int(file.read_text()) if file.exists() else 0)


async def pause(seconds: float) -> None:
    await asyncio.sleep(min(seconds, LONGEST_PAUSE))


async def main(poster: str, event: str, *executor: str) -> None:
    write_private_files()
    config = load_config()
    await forget_starts(config)
    backend: type[LocalBackend] = LocalBackend
    if ":" in event:
        Stop().at_method(event)
    elif event:
        backend = Stop().at_phase(Phase(event))
    parts = Parts(
        backend=partial(
            backend,
            command=(*EXECUTOR, *executor),
            limits=StallLimits(backoff_seconds=0.05, backoff_max_seconds=0.2),
        ),
        poster=POSTERS[poster],
        now_ms=partial(set_wrong, config.data_dir / "ahead_ms"),
        pause=pause,
    )
    await run_bot(config, parts)


if __name__ == "__main__":
    logging.basicConfig(level=os.environ.get("LOG", "CRITICAL"))
    asyncio.run(main(*sys.argv[1:]))
