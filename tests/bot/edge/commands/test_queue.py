"""/queue, /cancel and /result."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.faults import payload_too_large
from bot.sandbox.world.standard import ADA, BEN, MIA, OLGA, PICTURES, TABLEAUX
from generator.clip import Format
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import Start, buttons, hanging, until, words
from tests.support.fakes import Act, FakeBackend


async def test_after_a_deleted_clip_result_hands_over_the_one_before(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.clip()
        await edge.animate()
        newest = await edge.clip(count=2)
        await edge.delivered(2)
        await edge.world.press(ADA, PICTURES, newest["id"], buttons(newest["components"])["Delete"])
        await until(lambda: len(edge.clips()) == 1, "the newest clip is gone")
        again = await edge.invoke("result")
        await edge.answer(again)
        mine = next(item for item in edge.seen() if item["id"] == again.message_id)
        assert mine["attachments"][0]["filename"] == "vivant-1.mp4"


class NoisyClips(FakeBackend):
    """Writes clips that a smaller limit does not take."""

    async def render(self, request: RenderRequest, on_progress: Any) -> Rendered:
        rendered = await super().render(request, on_progress)
        request.clip_path.write_bytes(os.urandom(40_000))
        return rendered


async def cut_off(source: Path, target: Path, _format: Format, max_bytes: int) -> None:
    target.write_bytes(source.read_bytes()[:max_bytes])


@pytest.mark.parametrize("limit", [20_000, 50_000])
async def test_a_clip_that_result_had_to_make_smaller_says_so(start: Start, limit: int) -> None:
    async with start(backend=NoisyClips(usual=Act(steps=1))) as edge:
        await edge.animate()
        await edge.clip()
        edge.client.services = replace(edge.services, shrink=cut_off)
        edge.world.channels.set_upload_limit(TABLEAUX, limit)
        again = await edge.invoke("result")
        told = await edge.answer(again)
        assert ("Made smaller to fit" in told) is (limit < 40_000)


@pytest.mark.parametrize("refusals", [0, 1, 2, 9])
async def test_a_clip_that_discord_finds_too_large_all_the_same_is_handed_over_smaller(
    start: Start, refusals: int
) -> None:
    async with start(backend=NoisyClips(usual=Act(steps=1))) as edge:
        await edge.animate()
        await edge.clip()
        edge.client.services = replace(edge.services, shrink=cut_off)
        edge.sandbox.faults.add(payload_too_large(), "PATCH", "/webhooks/**", times=refusals)
        again = await edge.invoke("result")
        told = await edge.answer(again)
        mine = next(item for item in edge.seen() if item["id"] == again.message_id)
        sizes = [item["size"] for item in mine["attachments"]]
        assert sizes == {0: [40_000], 1: [20_000], 2: [10_000], 9: []}[refusals]
        assert ("Made smaller to fit" in told) is (refusals in (1, 2))


async def test_the_queue_shows_my_places_and_the_line(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        for actor in (ADA, BEN, ADA):
            await edge.queued(actor=actor)
        await until(lambda: edge.backend.requests, "the first job runs")
        text = await edge.answer(await edge.invoke("queue"))
        assert "`1` being made now" in text
        assert "`3` number 2 in the queue" in text
        assert "1 being made, 2 waiting" in text
        assert f"1. <@{BEN}>" in text
        assert "Ready <t:" in text
        await edge.answer(await edge.invoke("admin pause", {"reason": "lunch"}, actor=OLGA), actor=OLGA)
        text = await edge.answer(await edge.invoke("queue"))
        assert "The bot is paused: lunch." in text
        assert "`3` number 2 in the queue" in text
        assert "Ready" not in text, "nobody knows while nothing is started"
        assert "queue" not in [words(item) for item in edge.seen(actor=BEN)]


async def test_a_waiting_and_a_running_job_can_be_cancelled(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await until(lambda: edge.seen()[0]["attachments"], "the picture on the card")
        await edge.queued()
        card = await until(
            lambda: len(edge.seen()) == 2 and buttons(edge.seen()[1]["components"]) and edge.seen()[1], "a card"
        )
        waiting = await edge.world.press(ADA, PICTURES, card["id"], buttons(card["components"])["Cancel"])
        assert "Cancelled." in await edge.answer(waiting)
        running = await edge.invoke("cancel", {"job": 1})
        assert "stops within moments" in await edge.answer(running)
        await edge.delivered(1)
        await edge.delivered(2)
        assert edge.backend.cancelled == [1]
        cards = [item for item in edge.seen() if not item["flags"] & 64]
        assert [words(item).splitlines()[0] for item in cards] == ["### Cancelled"] * 2
        assert all(not buttons(item["components"]) for item in cards)
        assert [item["attachments"] for item in cards] == [[], []], "the picture is gone from the cards"
        again = await edge.invoke("cancel", {"job": 1})
        assert "over already" in await edge.answer(again)


async def test_a_moderators_cancel_is_told_as_one_and_not_whose_it_was(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        for _ in range(2):
            await edge.queued()
        for job, actor in ((1, MIA), (2, MIA), (3, ADA)):
            await edge.answer(await edge.invoke("cancel", {"job": job}, actor=actor), actor=actor)
            await edge.delivered(job)
        cards = [words(item) for item in edge.seen() if not item["flags"] & 64]
        assert ["A moderator cancelled it." in card for card in cards] == [True, True, False]
        assert all("Cancelled" in card and MIA not in card and "Mia" not in card for card in cards)
        assert all(not item["mentions"] for item in edge.seen(actor=BEN))


async def test_cancel_and_result_offer_ones_own_jobs(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.queued()
        await edge.clip()
        await edge.queued()
        await edge.queued(actor=BEN)
        await until(lambda: len(edge.backend.requests) == 2, "the second job runs")
        offered = await edge.world.autocomplete(ADA, PICTURES, "cancel", {"job": ""}, "job")
        assert [choice["value"] for choice in offered] == [2]
        offered = await edge.world.autocomplete(ADA, PICTURES, "result", {"job": ""}, "job")
        assert [choice["value"] for choice in offered] == [1]


async def test_a_finished_clip_is_handed_over_again_to_its_person_only(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.clip()
        await edge.delivered()
        again = await edge.invoke("result")
        await edge.answer(again)
        mine = next(item for item in edge.seen() if item["id"] == again.message_id)
        assert mine["flags"] & 64
        assert mine["attachments"][0]["filename"] == "vivant-1.mp4"
        other = await edge.invoke("result", {"job": 1}, actor=BEN)
        assert "no such clip of yours" in await edge.answer(other, actor=BEN)
        newest = await edge.invoke("result", actor=BEN)
        assert "no such clip of yours" in await edge.answer(newest, actor=BEN)
        assert [item["attachments"] for item in edge.seen(actor=BEN) if item["flags"] & 64] == [[], []]
