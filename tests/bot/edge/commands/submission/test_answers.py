"""How commands answer: in time, privately, and once."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bot.edge.commands.submission import answers
from bot.queue.job import Job, Limits, wall_clock_ms
from bot.queue.jobs import Jobs
from bot.queue.store import JobStore
from bot.sandbox.faults import Action, LoseReply, Refuse, Reset, blocked_by_edge
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA, BEN, OLGA, PICTURES
from generator.variants import BUILT_IN
from tests.support.edge import Edge, Start, buttons, until, words
from tests.support.fakes import Act, FakeBackend


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


CALLBACK = ("POST", "/interactions/*/*/callback")
WEBHOOK = "/webhooks/**"
LOST = [LoseReply(), LoseReply(reset=False)]


@pytest.mark.parametrize("lost", LOST, ids=["reset", "close"])
async def test_a_lost_reply_to_the_acknowledgement_costs_no_request(start: Start, lost: Action) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(lost, *CALLBACK)
        interaction = await edge.animate()
        clip = await edge.clip()
        assert (await edge.job()).card_message_id == int(interaction.message_id or 0)
        assert edge.world.messages.notified == [(ADA, clip["id"])]
        tries = edge.sandbox.record.asked("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
        assert [exchange.status for exchange in tries] == [200, 400], "the second one heard 40060"
        await until(lambda: "here is the clip" in words(edge.seen()[0]), "nobody sees thinking")


async def test_without_a_second_try_a_lost_reply_drops_the_request(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "RESTS_SECONDS", ())
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *CALLBACK)
        interaction = await edge.animate()
        await until(lambda: "wrong on my side" in words(edge.seen()), "a sentence")
        assert await edge.store.jobs.of_user(int(ADA)) == []
        assert interaction.state is State.ANSWERED, "not even then somebody sees thinking for ever"


async def test_an_acknowledgement_that_never_arrived_is_sent_again_and_one_too_late_leaves_no_job(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Reset(), *CALLBACK, times=2)
        await edge.animate()
        await edge.clip()
        edge.world.timing.acknowledge = 0.05
        edge.sandbox.faults.add(Reset(), *CALLBACK, times=2)
        late = await edge.animate()
        assert late.state is State.FAILED
        edge.world.timing.acknowledge = 3.0
        assert "The queue is empty." in await edge.answer(await edge.invoke("queue"))


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("command", ["animate", "queue", "help"])
async def test_a_page_of_the_network_edge_costs_no_request(start: Start, command: str, status: int) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(blocked_by_edge(status), *CALLBACK)
        edge.sandbox.faults.add(blocked_by_edge(status), "PATCH", WEBHOOK)
        if command == "animate":
            await edge.animate()
            await edge.clip()
        else:
            assert "wrong on my side" not in await edge.answer(await edge.invoke(command))
        assert edge.sandbox.faults.played


async def test_what_discord_itself_refuses_is_not_repeated(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    async with start() as edge:
        unknown = Refuse(404, '{"message": "Unknown interaction", "code": 10062}', {"Content-Type": "application/json"})
        edge.sandbox.faults.add(unknown, *CALLBACK, times=None)
        await edge.world.invoke(ADA, PICTURES, "queue", {})
        await until(lambda: "acknowledged too late" in caplog.text, "the end of the request")
        assert len(edge.sandbox.faults.played) == 1


@pytest.mark.parametrize("command", ["queue", "help", "privacy"])
async def test_a_lost_reply_to_a_private_answer_leaves_one_answer(start: Start, command: str) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *CALLBACK)
        interaction = await edge.invoke(command)
        assert "wrong on my side" not in await edge.answer(interaction)
        edge.sandbox.faults.add(LoseReply(), "PATCH", WEBHOOK)
        again = await edge.invoke("queue")
        assert "The queue is empty." in await edge.answer(again)
        await edge.answer(await edge.invoke("help"))  # what came after the lost reply has been sent by now
        assert len(edge.seen()) == 3
        assert edge.seen(actor=BEN) == []


@pytest.mark.parametrize(
    ("method", "path"),
    [CALLBACK, ("PATCH", WEBHOOK), ("DELETE", WEBHOOK)],
    ids=["acknowledgement", "filling in", "deletion"],
)
async def test_a_refusal_whose_replies_are_lost_is_told_once_and_privately(
    start: Start, method: str, path: str
) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), method, path)
        refused = await edge.animate(file=Upload("photo.png", "image/png", b"no picture"))
        assert "not a picture" in await edge.answer(refused)
        await until(lambda: edge.seen(actor=BEN) == [], "nothing public is left")
        assert edge.sandbox.faults.played
        deletions = ("DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
        tries = 2 if method == "DELETE" else 1
        await until(lambda: len(edge.sandbox.record.asked(*deletions)) == tries, "the last request")
        await edge.answer(await edge.invoke("help"))  # what came after it has been sent by now
        assert len(edge.seen()) == 2


async def test_a_refusal_whose_private_note_lost_its_reply_stays_private(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), "POST", WEBHOOK)
        refused = await edge.animate(file=Upload("photo.png", "image/png", b"no picture"))
        assert "not a picture" in await edge.answer(refused)
        await until(lambda: edge.seen(actor=BEN) == [], "nothing public is left")


async def test_without_a_way_to_write_privately_the_public_answer_tells_the_reason(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Refuse(400), "POST", WEBHOOK, times=None)
        await edge.animate(file=Upload("photo.png", "image/png", b"no picture"))
        await until(lambda: "not a picture" in words(edge.seen(actor=BEN)), "the reason, before everybody")


async def _clip(edge: Edge) -> dict[str, str]:
    await edge.animate()
    clip = await edge.clip()
    await edge.delivered()
    await until(lambda: "here is the clip" in words(edge.seen()[0]), "the tidy card")
    return {"id": clip["id"], **buttons(clip["components"])}


@pytest.mark.parametrize("label", ["Again", "More motion", "Recipe", "Delete"])
async def test_a_lost_reply_to_a_buttons_acknowledgement_costs_no_press(start: Start, label: str) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        clip = await _clip(edge)
        edge.sandbox.faults.add(LoseReply(), *CALLBACK)
        pressed = await edge.world.press(ADA, PICTURES, clip["id"], clip[label])
        if label == "Delete":
            await until(lambda: not edge.clips(), "the clip is gone")
        elif label == "Recipe":
            assert "Recipe of job 1" in await edge.answer(pressed)
        else:
            await until(lambda: len(edge.backend.requests) == 2, "another clip is made")


async def test_a_failure_after_an_acknowledgement_nobody_knows_of_never_overwrites_the_pressed_message(
    start: Start,
) -> None:
    async with start() as edge:
        clip = await _clip(edge)
        edge.sandbox.faults.add(LoseReply(), *CALLBACK, times=4)
        pressed = await edge.world.press(ADA, PICTURES, clip["id"], clip["Delete"])
        assert "Only" not in words(edge.clips())
        await until(lambda: edge.sandbox.faults.played, "the lost replies")
        await until(lambda: not edge.clips() or "wrong on my side" in words(edge.seen()), "an end")
        assert all("wrong on my side" not in words(item) for item in edge.clips())
        assert pressed.state is State.ANSWERED
