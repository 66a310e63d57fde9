"""Put it back: a cancelled request waits again where it was, with its card, for its own person alone."""

from __future__ import annotations

from typing import Any

from bot.queue.job import Job, JobState
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, PICTURES
from tests.support.edge import Edge, Start, buttons, hanging, until, words
from tests.support.fakes import Act, FakeBackend


async def cancel_waiting(edge: Edge, job: int, *, channel: str = PICTURES) -> dict[str, Any]:
    """Cancel a waiting job as Ada, and return the private answer."""
    cancelled = await edge.invoke("cancel", {"job": job}, channel=channel)
    await edge.answer(cancelled, channel=channel)
    [told] = [item for item in edge.seen(channel=channel) if item["id"] == cancelled.message_id]
    return told


async def press(edge: Edge, message: dict[str, Any], *, actor: str = ADA) -> str:
    pressed = await edge.world.press(actor, PICTURES, message["id"], buttons(message["components"])["Put it back"])
    return await edge.answer(await pressed.acknowledged(), actor=actor)


async def three_waiting(edge: Edge) -> list[Job]:
    """Let one job of Ada's run, and hers, Ben's and hers wait."""
    first = await edge.queued()
    await until(lambda: edge.backend.requests, "the first job runs")
    return [first, *[await edge.queued(actor=actor) for actor in (ADA, BEN, ADA)]]


async def test_it_waits_where_it_was_and_its_card_lives_again(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        jobs = await three_waiting(edge)
        before = await edge.store.jobs.waiting_ids()
        told = await cancel_waiting(edge, 2)
        assert "put it back where it was, for 10 minutes" in words(told)
        await until(lambda: words(edge.card(jobs[1])).startswith("### Cancelled"), "the card says so")
        answer = await press(edge, told)
        assert f"back in the queue as number {before.index(2) + 1}: **photo.png**" in answer
        assert await edge.store.jobs.waiting_ids() == before
        card = await until(
            lambda: (found := edge.card(jobs[1])) and buttons(found["components"]) and found, "a living card"
        )
        assert set(buttons(card["components"])) == {"Cancel"}
        assert [item["filename"] for item in card["attachments"]] == ["framing.png"], "with its preview"
        assert "cannot be put back any more" in await press(edge, told), "it waits already"


async def test_what_was_put_back_becomes_a_clip(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act(hangs=True)], usual=Act(steps=1))) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued()
        told = await cancel_waiting(edge, 2)
        assert "back in the queue" in await press(edge, told)
        await edge.answer(await edge.invoke("cancel", {"job": 1}))
        await edge.clip()
        await edge.delivered(2)
        assert (await edge.job(2)).state is JobState.RENDERED


async def test_what_was_begun_can_be_made_anew_with_one_tap(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act(hangs=True)], usual=Act(steps=1))) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the job runs")
        told = await cancel_waiting(edge, 1)
        assert "cannot be put back" in words(told)
        assert set(buttons(told["components"])) == {"Again"}
        await edge.world.press(ADA, PICTURES, told["id"], buttons(told["components"])["Again"])
        await edge.clip()
        assert (await edge.job(2)).picture == (await edge.job(1)).picture


async def test_only_its_own_person_and_only_where_they_asked(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await three_waiting(edge)
        elsewhere = await cancel_waiting(edge, 2, channel=DIRECT_ADA)
        assert buttons(elsewhere["components"]) == {}, "another place has other rules and quotas"
        told = await cancel_waiting(edge, 4)
        assert told["id"] not in [item["id"] for item in edge.seen(actor=BEN)], "nobody else sees the button"
        assert (await edge.job(4)).state is JobState.CANCELLED
        assert "back in the queue" in await press(edge, told), "the negative control"
