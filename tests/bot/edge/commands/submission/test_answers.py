"""How commands answer: in time, privately, and once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.queue.job import Job, Limits, wall_clock_ms
from bot.queue.jobs import Jobs
from bot.queue.store import JobStore
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import OLGA
from generator.variants import BUILT_IN
from tests.support.edge import Start


async def test_a_command_that_came_too_late_leaves_no_job(start: Start) -> None:
    async with start() as edge:
        edge.world.timing.acknowledge = 0.0
        interaction = await edge.animate()
        assert interaction.state is State.FAILED
        edge.world.timing.acknowledge = 3.0
        done = await edge.invoke("queue")
        assert "The queue is empty." in await edge.answer(done)
        assert await edge.store.jobs.active() == []


class BrokenJobs(Jobs):
    async def active(self) -> list[Job]:
        raise ZeroDivisionError("a secret")


def broken_store(store: JobStore) -> JobStore:
    """Return a store on the same database that cannot list its jobs."""
    broken = JobStore(store.database, Limits(), BUILT_IN, wall_clock_ms)
    broken.jobs = BrokenJobs(store.database, broken.deliveries, Limits(), BUILT_IN, wall_clock_ms)
    return broken


async def test_a_bug_in_a_command_gives_a_plain_sentence_and_no_token_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as edge:
        edge.client.services = replace(edge.services, store=broken_store(edge.store))
        broken = await edge.invoke("queue")
        assert "went wrong on my side" in await edge.answer(broken)
        assert f"interaction={broken.id}" in caplog.text
        assert broken.token not in caplog.text


async def test_no_answer_of_the_whole_tour_speaks_to_everybody(start: Start) -> None:
    async with start() as edge:
        reason = "@everyone read this"
        await edge.answer(await edge.invoke("admin pause", {"reason": reason}, actor=OLGA), actor=OLGA)
        await edge.answer(await edge.animate())
        bodies = [exchange.body for exchange in edge.sandbox.record.exchanges if exchange.body]
        assert not any(
            "everyone" in json.dumps(body.get("allowed_mentions", {})) for body in bodies if isinstance(body, dict)
        )
        assert edge.world.messages.notified == []
