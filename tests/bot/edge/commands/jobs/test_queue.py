"""/queue, /cancel and /result."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.queue.job import JobState
from bot.sandbox.faults import payload_too_large
from bot.sandbox.world.standard import ADA, BEN, MIA, OLGA, PICTURES, TABLEAUX
from bot.texts.descriptions import describe_settings, small_print
from bot.texts.failures import explain_failure
from bot.texts.notes import explain_notes
from bot.texts.replies import no_clip_text, still_coming_text
from bot.texts.safety.labels import AI_LABEL
from generator.clip import Format
from generator.errors import BadFrames
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import Start, buttons, hanging, png, until, words
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
        assert f"1. <@{BEN}>: 1 clip" in text
        assert f"2. ▸ **you**, <@{ADA}>: 1 clip" in text
        assert text.count("**photo.png**, asked <t:") == 2, "what is one's own has a face"
        assert "Your clip comes in" in text
        await edge.answer(await edge.invoke("admin pause", {"reason": "lunch"}, actor=OLGA), actor=OLGA)
        text = await edge.answer(await edge.invoke("queue"))
        assert "The bot is paused: lunch." in text
        assert "`3` number 2 in the queue" in text
        assert "comes in" not in text, "nobody knows while nothing is started"
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


async def test_result_tells_of_a_job_without_a_clip_where_it_stands(start: Start) -> None:
    acts = [Act(error=BadFrames("black", kind="black")), Act()]
    async with start(backend=FakeBackend(script=acts, usual=Act(hangs=True))) as edge:
        for number in (1, 2):
            await edge.queued()
            await edge.delivered(number)
        for _ in range(2):
            await edge.queued()
        await until(lambda: len(edge.backend.requests) == 3, "the third job runs")
        await edge.answer(await edge.invoke("cancel", {"job": 4}))
        failed = str(explain_failure((await edge.job(1)).failure or {}))
        told = {1: failed, 3: still_coming_text(), 4: no_clip_text(), 99: no_clip_text()}
        for number, text in told.items():
            assert await edge.answer(await edge.invoke("result", {"job": number})) == text
        newest = await edge.invoke("result")
        await edge.answer(newest)
        handed = next(item for item in edge.seen() if item["id"] == newest.message_id)
        assert [item["filename"] for item in handed["attachments"]] == ["vivant-2.mp4"], "the newest with a clip"


async def test_a_clip_that_is_handed_over_is_covered_and_described_as_it_was(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=replace(png(), filename="SPOILER_photo.png"), seed=77)
        await edge.clip()
        await edge.delivered()
        again = await edge.invoke("result", {"job": 1})
        told = await edge.answer(again)
        handed = next(item for item in edge.seen() if item["id"] == again.message_id)
        assert [item["filename"] for item in handed["attachments"]] == ["SPOILER_vivant-1.mp4"]
        job = await edge.job()
        assert told == "\n".join(
            small_print([AI_LABEL, *explain_notes(job.notes), describe_settings(job.settings)], job.settings)
        )
        assert "77" in told


async def test_what_is_typed_narrows_the_jobs_that_are_offered(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1))) as edge:
        for number, seed in ((1, 11), (2, 22)):
            await edge.queued(seed=seed)
            await edge.delivered(number)
        for typed, numbers in (("", [2, 1]), ("2:", [2]), ("seed 11", [1]), ("33", [])):
            offered = await edge.world.autocomplete(ADA, PICTURES, "result", {"job": typed}, "job")
            assert [choice["value"] for choice in offered] == numbers, typed
        assert await edge.world.autocomplete(ADA, PICTURES, "cancel", {"job": ""}, "job") == []


async def test_each_job_that_is_offered_has_its_picture_s_name_its_age_and_its_state(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act(steps=1)], usual=Act(hangs=True))) as edge:
        await edge.animate(file=png("a_cat.png"))
        await edge.delivered()
        await edge.animate(file=png("dog.png"))
        await until(lambda: len(edge.backend.requests) == 2, "the second job runs")
        await edge.queued(actor=BEN)
        [offered] = await edge.world.autocomplete(ADA, PICTURES, "cancel", {"job": "DOG"}, "job")
        assert offered["name"].startswith("2: dog.png, just now, being made · motion ")
        [offered] = await edge.world.autocomplete(ADA, PICTURES, "result", {"job": "a_c"}, "job")
        assert offered["name"].startswith("1: a_cat.png, just now, done")
        assert await edge.world.autocomplete(ADA, PICTURES, "cancel", {"job": "a_cat"}, "job") == []


async def test_cancel_without_a_number_takes_ones_own_newest_and_says_which(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        assert "nothing to cancel" in await edge.answer(await edge.invoke("cancel"))
        await edge.animate(file=png("first.png"))
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.animate(file=png("second.png"))
        await until(lambda: edge.store.jobs.get(2), "the second job waits")
        await edge.queued(actor=BEN)
        told = await edge.answer(await edge.invoke("cancel"))
        assert told.startswith("Cancelled. That was job 2: **second.png**, asked <t:")
        await edge.delivered(2)
        running = await edge.invoke("cancel")
        told = await edge.answer(running)
        assert "job 1: **first.png**" in told and "cannot be put back" in told
        [message] = [item for item in edge.seen() if item["id"] == running.message_id]
        assert set(buttons(message["components"])) == {"Again"}, "what was begun cannot be put back"
        await edge.delivered(1)
        assert "nothing to cancel" in await edge.answer(await edge.invoke("cancel"))
        assert (await edge.job(3)).state is JobState.RUNNING or not (await edge.job(3)).cancel_requested


async def test_a_moderator_does_not_read_what_somebody_called_their_picture(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        for _ in range(2):
            await edge.animate(file=png("private.png"))
        await until(lambda: edge.store.jobs.get(2), "both are asked for")
        told = await edge.answer(await edge.invoke("cancel", {"job": 2}, actor=MIA), actor=MIA)
        assert "Cancelled" in told and "private" not in told
        assert "private" in await edge.answer(await edge.invoke("queue")), "the negative control"
        other = await edge.answer(await edge.invoke("queue", actor=BEN), actor=BEN)
        assert "private" not in other


@pytest.mark.parametrize("command", ["queue", "cancel", "result"])
async def test_a_command_that_discord_no_longer_waits_for_does_nothing(
    start: Start, command: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        edge.world.timing.acknowledge = 0.0
        late = await edge.invoke(command, {"job": 1} if command == "cancel" else {})
        await until(lambda: f"interaction={late.id} was acknowledged too late" in caplog.text, "its end")
        edge.world.timing.acknowledge = 3.0
        await edge.answer(await edge.invoke("help"))  # what came after the late one has been sent by now
        assert "wrong on my side" not in words(edge.seen())
        assert not (await edge.job()).cancel_requested
