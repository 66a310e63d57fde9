"""Status cards over real sockets: the last word is the right one, and nobody is flooded."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from bot.queue.job import JobState
from bot.sandbox.faults import server_error
from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import DIRECT_ADA
from generator.errors import ExecutorLost
from tests.support.edge import Edge, Start, running_edge, until, words
from tests.support.fakes import Act, FakeBackend

SLOW = 60.0
"""seconds that may pass on a machine that has other work"""


async def test_the_card_ends_on_the_last_word_after_a_storm_of_progress(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(steps=200, step_seconds=0.002))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        job = await edge.queued()
        await edge.delivered()
        await until(lambda: "here is the clip" in words(edge.seen()[0]), "the last word")
        for _ in range(50):
            edge.cards.progressed(job.id)
        await asyncio.sleep(0.2)  # 4 times edit_seconds: nothing announces an edit that does not come
        assert "here is the clip" in words(edge.seen()[0])
        edits = edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")
        assert len(edits) < 20


async def test_waiting_cards_follow_their_position_without_flooding(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        for _ in range(4):
            await edge.queued()
        await until(lambda: "Number 3" in words(edge.seen()[3]), "the last one's position")
        await edge.invoke("cancel", {"job": 1})
        moved = ("Cancelled", "Bringing it to life", "Next in the queue", "Number 2")
        await until(
            lambda: all(position in words(card) for position, card in zip(moved, edge.seen()[:4], strict=True)),
            "all moved up",
        )
        edits = len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}"))
        for _ in range(20):
            edge.cards.queue_changed()
        await asyncio.sleep(0.3)  # 6 times queue_seconds: nothing announces an edit that does not come
        assert len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")) == edits


async def test_times_that_have_passed_are_told_anew(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
        first = await _first_time_told(edge)
        await until(lambda: (_soonest(edge.seen()[1]) or 0) > first, "a later time, nothing else changed", timeout=30)


async def _first_time_told(edge: Edge) -> int:
    """Let one job wait behind another, and return the time on its card."""
    await edge.queued()
    await until(lambda: edge.backend.requests, "the first job runs")
    await edge.queued()
    return int(await until(lambda: _soonest(edge.seen()[1]), "a time on the waiting card"))


def _soonest(card: Json) -> int | None:
    found = re.search(r"Ready <t:(\d+):R>", words(card))
    return int(found[1]) if found else None


async def test_times_pass_also_while_others_come_and_go(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
        first = await _first_time_told(edge)

        def told_anew() -> bool:
            edge.cards.queue_changed()  # as each job does that comes or goes
            return (_soonest(edge.seen()[1]) or 0) > first

        await until(told_anew, "a later time", timeout=30)


async def test_the_first_write_of_a_card_never_comes_after_the_last(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        sandbox.faults.add(server_error(502), "PATCH", "/webhooks/**", times=2)
        await edge.queued()
        await edge.delivered()
        first_write = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
        await until(lambda: len(sandbox.record.asked(*first_write)) == 3, "discord.py's third attempt")
        await until(lambda: "here is the clip" in words(edge.seen()[0]), "the last word")
        assert not edge.seen()[0]["attachments"]


async def test_a_second_attempt_does_not_begin_at_the_first_ones_progress(sandbox: Sandbox, tmp_path: Path) -> None:
    lost = ExecutorLost("gone", cause="signal", innocent=False)
    backend = FakeBackend(script=[Act(steps=20, step_seconds=0.01, error=lost)], usual=Act(steps=0, hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        await edge.queued()
        await until(lambda: len(backend.requests) == 2, "the second attempt")
        await until(lambda: "Nearly its turn" in words(edge.seen()[0]), "no progress of the first attempt")
        assert "0 being made, 1 up next" in await edge.answer(await edge.invoke("queue"))


async def test_what_an_executor_took_in_advance_is_not_said_to_be_made(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=2, at_once=1)
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        first = await edge.queued()
        await until(lambda: (first.id, 1) in edge.services.crew.progress, "the GPU has begun the first", SLOW)
        second = await edge.queued()

        async def is_taken() -> bool:
            return (await edge.job(second.id)).state is JobState.RUNNING

        await until(is_taken, "the executor has taken the second", SLOW)
        text = await edge.answer(await edge.invoke("queue"))
        assert "1 being made, 1 up next, 0 waiting" in text
        assert f"`{second.id}` up next" in text

        def shown() -> list[str]:
            for job in (first, second):  # nothing more happens to them, so a write that failed would not be repeated
                edge.cards.changed(job.id)
            return [words(edge.card(job)).splitlines()[0] for job in (first, second)]

        titles = ["### Bringing it to life", "### Nearly its turn"]
        await until(lambda: shown() == titles, "both cards", SLOW)
        assert [request.job for request in backend.requests] == [first.id]


async def test_a_card_follows_its_job_after_a_restart(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
        await edge.queued(channel=DIRECT_ADA)
        await until(lambda: edge.backend.requests, "the job runs")
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.clip(channel=DIRECT_ADA)
        await until(lambda: "here is the clip" in words(edge.seen(channel=DIRECT_ADA)[0]), "the tidy card")


async def test_progress_is_shown_while_a_clip_is_made(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=12, step_seconds=0.05))) as edge:
        await edge.animate()
        await until(lambda: "step" in words(edge.seen()[0]), "a step on the card")
        await edge.clip()
