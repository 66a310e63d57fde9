"""A request at every bound at once: it holds another person's job up for its own turn at the GPU, and no longer."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from bot.queue.job import Job, JobState
from bot.sandbox.world.standard import ADA, BEN
from generator.clip import BOUNDS, MOST_WRITTEN, ClipSettings, Format, Loop, check_extent, count_written
from generator.errors import SettingsError
from generator.protocol import Phase, Progress, Rendered, RenderRequest
from generator.variants import BUILT_IN
from tests.bot.edge.conftest import start  # noqa: F401 - a fixture
from tests.support.bench import Bench, at_work
from tests.support.edge import Start, until
from tests.support.fakes import Act, FakeBackend, ProgressCallback, a_request
from tests.support.jobs import new_job
from tests.support.local_backend import running

SIZE = BUILT_IN["demo"].landscape
"""of the demo's clips; a full-size one takes longer to write"""
SPARE_SECONDS = 0.5
"""for a machine that has other work; writing the clip takes several times that"""


def at_every_bound(format: Format) -> dict[str, Any]:
    """Return the settings that let the executor and the encoder do the most that is accepted."""
    most: dict[str, Any] = {"frames": int(BOUNDS["frames"][1]), "loop": Loop.BOOMERANG, "smooth": True}
    most |= {"variant": "demo", "steps": 10, "format": format}
    for fps in range(1, 25):
        try:
            check_extent(ClipSettings(**most, playback_fps=fps), SIZE)
        except SettingsError:
            continue
        return most | {"playback_fps": fps}
    raise AssertionError("nothing is accepted")


async def begins(bench: Bench, job: Job, phase: Phase) -> float:
    """Return when a job begins a phase."""

    async def begun() -> bool:
        return any(number == job.id and progress.phase is phase for number, progress in bench.progress)

    await bench.until(begun)
    return time.monotonic()


async def enqueue(bench: Bench, user_id: int, **settings: Any) -> Job:
    new = new_job(user_id, **settings)
    picture = a_request(bench.spool.folder).picture_path
    picture.rename(bench.spool.path(new.picture))
    return await bench.store.jobs.enqueue(new)


@pytest.mark.parametrize(
    ("format", "options"),
    [*((format, ()) for format in Format), (Format.MP4, ("--encodes-in-turn",))],
    ids=[*Format, "the negative control"],
)
async def test_it_holds_another_job_up_for_no_more_than_its_own_turn(
    tmp_path: Path, format: Format, options: tuple[str, ...]
) -> None:
    async with running("--step-seconds", "0.05", *options) as backend:
        await backend.ready.wait()
        async with at_work(tmp_path, backend) as bench:
            settings = at_every_bound(format)
            assert 0.9 * MOST_WRITTEN <= count_written(ClipSettings(**settings)) <= MOST_WRITTEN
            long = await enqueue(bench, 1, **settings)
            began = await begins(bench, long, Phase.DENOISE)
            other = await enqueue(bench, 2, variant="demo", frames=4, steps=2)
            asked = time.monotonic()
            turn = await begins(bench, long, Phase.ENCODE) - began
            waited = await begins(bench, other, Phase.DENOISE) - asked
            await bench.until_state(other.id, JobState.RENDERED)
            found = await bench.store.jobs.get(long.id)
            assert found is not None
            print(f"the other waited {waited:.2f} s; the turn was {turn:.2f} s, the clip then {found.state}")
            assert (waited <= turn + SPARE_SECONDS) is (not options)
            assert found.state is (JobState.RENDERED if options else JobState.RUNNING)


class EncodesForEver(FakeBackend):
    """Renders at once, and writes clips that never end."""

    async def play(self, act: Act, request: RenderRequest, on_progress: ProgressCallback) -> Rendered:
        on_progress(Progress(Phase.ENCODE))
        await asyncio.Event().wait()
        raise AssertionError


@pytest.mark.parametrize("most", [0, 4], ids=["as it is", "the negative control: one person may take every place"])
async def test_many_of_one_person_that_take_long_to_write_leave_a_place_to_others(start: Start, most: int) -> None:  # noqa: F811
    backend = EncodesForEver(slots=2, encoders=2)
    async with start(backend=backend, config={"queue": {"max_running_per_user": most}}) as edge:
        for _ in range(6):
            await edge.queued(actor=ADA)
        await until(lambda: len(backend.requests) == (most or 3), "as many as one person may have")
        job = await edge.queued(actor=BEN)
        if most:
            await edge.answer(await edge.invoke("queue", actor=BEN), actor=BEN)
            assert job.id not in [request.job for request in backend.requests]
        else:
            await until(lambda: backend.requests[-1].job == job.id, "the other person's job is rendered")
