"""One person floods the intake with pictures made to be slow: everybody else's picture is taken as if they were alone.

`python -m pytest -m soak -s tests/faults/test_intake_flood.py` sends a hundred.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from PIL import Image

from bot.queue.job import Job
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, BEN
from bot.work.turns import Intake
from generator.picture.intake import PictureChild
from tests.bot.edge.conftest import start  # noqa: F401 - a fixture
from tests.support.edge import Edge, Start, hanging, until
from tests.support.hostile_pictures import many_scans, slow_png

MOST_SECONDS = 2.0
"""what another person's picture may wait for"""


class FirstComeFirstServed(Intake):
    """The negative control: no turns."""

    def picture(self, person: int) -> contextlib.AbstractAsyncContextManager[None]:
        return contextlib.nullcontext()

    decoding = picture


class Counting(PictureChild):
    """Counts what it is asked to decode."""

    asked = 0

    async def prepare(self, *request: Any) -> Any:
        Counting.asked += 1
        return await super().prepare(*request)


@functools.cache
def bomb() -> Upload:
    """Build a progressive JPEG of 0.3 MiB that keeps a decoder busy for minutes."""
    data = io.BytesIO()
    Image.new("RGB", (4000, 4000)).save(data, "JPEG", quality=5, progressive=True)
    return Upload("photo.jpg", "image/jpeg", many_scans(data.getvalue(), 3000))


@functools.cache
def slow() -> Upload:
    """Build a picture that is accepted after some tenths of a second."""
    return Upload("photo.png", "image/png", slow_png())


async def flood(edge: Edge, file: Upload, count: int) -> None:
    await asyncio.gather(*(edge.animate(actor=ADA, file=file) for _ in range(count)))


async def accepted(edge: Edge, count: int) -> list[Job]:
    """Wait until that many jobs are in the queue, and return them in the order in which they came in."""

    async def found() -> list[Job] | None:
        jobs = sorted(await edge.store.jobs.active(), key=lambda job: job.id)
        return jobs if len(jobs) >= count else None

    jobs: list[Job] = await until(found, f"{count} accepted jobs", timeout=60)
    return jobs


@contextlib.asynccontextmanager
async def flooded(start: Start, file: Upload, count: int, **config: Any) -> AsyncIterator[Edge]:  # noqa: F811
    async with start(backend=hanging(), pictures=partial(PictureChild, children=2), config=config) as edge:
        await edge.queued(actor=BEN)  # the picture child has started
        await flood(edge, file, count)
        yield edge


@pytest.mark.parametrize("takes_turns", [True, False])
async def test_only_without_turns_does_a_persons_picture_wait_for_all_of_another_one(
    start: Start,  # noqa: F811
    takes_turns: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counting, "asked", 0)
    async with start(backend=hanging(), pictures=partial(Counting, children=1)) as edge:
        if not takes_turns:
            edge.client.services = replace(edge.services, intake=FirstComeFirstServed(decoders=1))
        await flood(edge, slow(), 6)
        await until(lambda: Counting.asked >= (1 if takes_turns else 6), "all of them wait, or one is decoded")
        await edge.animate(actor=BEN)
        jobs = await accepted(edge, 7)
        before = [job.user_id for job in jobs].index(int(BEN))
        assert (before < 4) is takes_turns


async def test_pictures_with_endless_scans_hold_nobody_up(start: Start) -> None:  # noqa: F811
    async with flooded(start, bomb(), 10) as edge:
        assert await seconds_of_another_picture(edge) < MOST_SECONDS


async def seconds_of_another_picture(edge: Edge) -> float:
    began = time.monotonic()
    await edge.queued(actor=BEN)
    return time.monotonic() - began


async def test_what_finds_no_place_in_the_queue_costs_no_decoding(
    start: Start,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Counting, "asked", 0)
    config = {"queue": {"max_queued_per_user": 2}}
    async with start(backend=hanging(), pictures=Counting, config=config) as edge:
        await flood(edge, slow(), 8)
        refused = [await edge.animate(actor=ADA) for _ in range(3)]
        for interaction in refused:
            assert "most for one person" in await edge.answer(interaction, actor=ADA)
            assert interaction.ephemeral, "it is told at once, and nobody else sees it"
        jobs = await accepted(edge, 2)
        assert [job.user_id for job in jobs] == [int(ADA)] * len(jobs)
        assert Counting.asked == len(jobs), "those on their way count as well"
        await edge.queued(actor=BEN)
        assert Counting.asked == len(jobs) + 1


@pytest.mark.soak
@pytest.mark.parametrize("file", [bomb, slow], ids=["endless scans", "slow"])
async def test_a_hundred_hostile_pictures_delay_another_one_by_less_than_two_seconds(
    start: Start,  # noqa: F811
    file: Any,
) -> None:
    async with flooded(start, file(), 100, queue={"max_queued_per_user": 1000}) as edge:
        waits = [await seconds_of_another_picture(edge) for _ in range(5)]
        print(f"another person's picture beside 100: {', '.join(f'{wait:.2f} s' for wait in waits)}")
        assert max(waits) < MOST_SECONDS
