"""How commands answer: in time, privately, and once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.edge.commands.submission import answers
from bot.queue.job import Job, Limits, wall_clock_ms
from bot.queue.jobs import Jobs
from bot.queue.store import JobStore
from bot.sandbox.faults import Action, LoseReply, Refuse, Reset, blocked_by_edge
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.interactions import State
from bot.sandbox.world.standard import ADA, BEN, OLGA, PICTURES
from bot.texts.limits import MESSAGE_LETTERS
from bot.texts.replies import failed_text, taken_back_text
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
        await edge.only_clips()  # nobody sees thinking


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
    await edge.only_clips()
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


# -- the requests one by one ----------------------------------------------------------------------------------------


def refused(status: int, code: int = 0, kind: str = "application/json") -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="", headers={"Content-Type": kind})
    error = {404: discord.NotFound}.get(status, discord.HTTPException)
    return error(response, {"code": code, "message": ""} if kind == "application/json" else "<html>")


ACKNOWLEDGED = refused(400, answers.ACKNOWLEDGED_ALREADY)
PAGE = refused(403, kind="text/html")


class Answered:
    """An interaction that notes what is sent; each request may meet faults before it succeeds."""

    def __init__(self, *, done: bool = False, **faults: list[Exception]) -> None:
        self.sent: list[tuple[str, Any, dict[str, Any]]] = []
        self._faults = faults
        self.id = 77
        self.extras: dict[str, Any] = {}
        self.command = SimpleNamespace(qualified_name="animate")
        self.client = SimpleNamespace(is_closed=lambda: False)
        self.response = SimpleNamespace(
            is_done=lambda: done,
            send_message=self._request("send_message"),
            defer=self._request("defer", SimpleNamespace(message_id=5)),
        )
        self.followup = SimpleNamespace(send=self._request("followup"))
        self.edit_original_response = self._request("edit")
        self.delete_original_response = self._request("delete")
        self.original_response = self._request("original", SimpleNamespace(id=6))

    def _request(self, name: str, result: object = None) -> Callable[..., Awaitable[object]]:
        async def request(*args: Any, **options: Any) -> object:
            self.sent.append((name, args[0] if args else options.pop("content", None), options))
            if self._faults.get(name):
                raise self._faults[name].pop(0)
            return result

        return request

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.sent]


@pytest.fixture
def no_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RESTS_SECONDS", (0.0, 0.0, 0.0))


@pytest.mark.usefixtures("no_rests")
@pytest.mark.parametrize(
    ("faults", "tries", "is_told"),
    [
        ([], 1, False),
        ([OSError()] * 3, 4, False),
        ([TimeoutError(), PAGE, refused(408)], 4, False),
        ([OSError()] * 4, 4, True),
        ([refused(404, 10062)], 1, True),
        ([refused(429)], 1, True),
        ([refused(500)], 1, True),
        ([refused(499)], 1, True),
        ([ZeroDivisionError()], 1, True),
    ],
)
async def test_a_request_is_repeated_when_nobody_knows_whether_it_arrived(
    faults: list[Exception], tries: int, is_told: bool
) -> None:
    asked = 0
    left = list(faults)

    async def request() -> int:
        nonlocal asked
        asked += 1
        if left:
            raise left.pop(0)
        return 9

    if is_told:
        with pytest.raises(type(faults[-1])):
            await answers.repeat_lost(request)
    else:
        assert await answers.repeat_lost(request) == 9
    assert asked == tries


async def test_each_repeat_rests_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    async def lost() -> None:
        raise OSError

    monkeypatch.setattr("asyncio.sleep", rest)
    with pytest.raises(OSError):
        await answers.repeat_lost(lost)
    assert tuple(rests) == answers.RESTS_SECONDS


PRIVATE = {"ephemeral": True, "view": 1}


@pytest.mark.usefixtures("no_rests")
@pytest.mark.parametrize(
    ("interaction", "sent"),
    [
        (Answered(), [("send_message", "text", PRIVATE)]),
        (Answered(done=True), [("followup", "text", PRIVATE)]),
        (Answered(done=True, followup=[OSError()]), [("followup", "text", PRIVATE)] * 2),
        (Answered(send_message=[OSError()]), [("send_message", "text", PRIVATE)] * 2),
        (
            Answered(send_message=[OSError(), ACKNOWLEDGED], edit=[OSError()]),
            [("send_message", "text", PRIVATE)] * 2 + [("edit", "text", {"view": 1})] * 2,
        ),
    ],
    ids=["first", "followup", "followup repeated", "never arrived", "had arrived"],
)
async def test_an_answer_is_private_and_given_once(interaction: Any, sent: list[Any]) -> None:
    await answers.answer(interaction, "text", view=1)
    assert interaction.sent == sent
    interaction.sent.clear()
    await answers.fill_in(interaction, "text", view=1)
    assert interaction.sent == [("edit", "text", {"view": 1})]


async def test_every_answer_fits_into_a_message() -> None:
    interaction: Any = Answered()
    await answers.answer(interaction, "x" * 5000)
    await answers.fill_in(interaction, "x" * 5000)
    assert [len(text) for _, text, _ in interaction.sent] == [MESSAGE_LETTERS] * 2


@pytest.mark.usefixtures("no_rests")
async def test_an_answer_after_a_press_that_had_been_acknowledged_leaves_the_message_alone() -> None:
    interaction: Any = Answered(defer=[OSError(), ACKNOWLEDGED])
    await answers.acknowledge_press(interaction)
    assert answers.is_acknowledged(interaction)
    await answers.answer(interaction, "text")
    assert interaction.names == ["defer", "defer", "followup"]
    pressed: Any = Answered(send_message=[ACKNOWLEDGED])
    pressed.extras["updates"] = True
    await answers.answer(pressed, "text")
    assert pressed.names == ["send_message", "followup"]


@pytest.mark.usefixtures("no_rests")
@pytest.mark.parametrize("private", [True, False])
async def test_an_acknowledgement_gives_the_answers_id(private: bool) -> None:
    interaction: Any = Answered()
    assert not answers.is_acknowledged(interaction)
    assert await answers.acknowledge(interaction, private=private) == 5
    assert interaction.sent == [("defer", None, {"ephemeral": private, "thinking": True})]
    lost: Any = Answered(defer=[OSError(), ACKNOWLEDGED], original=[OSError()])
    assert await answers.acknowledge(lost, private=private) == 6
    assert lost.names == ["defer", "defer", "original", "original"] and answers.is_acknowledged(lost)
    late: Any = Answered(defer=[refused(404, 10062)])
    assert await answers.acknowledge(late, private=private) is None
    with pytest.raises(discord.HTTPException):
        await answers.acknowledge(Answered(defer=[refused(400, 50035)]), private=private)  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_rests")
async def test_thinking_is_taken_back_filled_in_answered_and_deleted_in_that_order() -> None:
    interaction: Any = Answered(done=True, delete=[OSError(), refused(404, 10008)])
    await answers.take_back(interaction, "text")
    assert [(name, text) for name, text, _ in interaction.sent] == [
        ("edit", taken_back_text()),
        ("followup", "text"),
        ("delete", None),
        ("delete", None),
    ]
    closed: Any = Answered(done=True, followup=[refused(400, 50035)])
    await answers.take_back(closed, "text")
    assert [(name, text) for name, text, _ in closed.sent] == [
        ("edit", taken_back_text()),
        ("followup", "text"),
        ("edit", "text"),
    ]


@pytest.mark.usefixtures("no_rests")
async def test_a_failure_is_told_unless_a_check_has_answered_or_the_bot_stops(caplog: pytest.LogCaptureFixture) -> None:
    interaction: Any = Answered()
    await answers.report(interaction, app_commands.CheckFailure())
    interaction.client = SimpleNamespace(is_closed=lambda: True)
    await answers.report(interaction, ZeroDivisionError())
    assert interaction.sent == [] and "failed" not in caplog.text
    interaction.client = SimpleNamespace(is_closed=lambda: False)
    command: Any = SimpleNamespace(name="animate")
    await answers.report(interaction, app_commands.CommandInvokeError(command, ZeroDivisionError("a bug")))
    assert interaction.sent == [("send_message", failed_text(), {"ephemeral": True})]
    told = caplog.records[-1]
    assert told.getMessage() == "interaction=77 animate failed"
    assert told.exc_info is not None and isinstance(told.exc_info[1], ZeroDivisionError)
    late: Any = Answered(send_message=[refused(404, 10062)])
    late.command = None
    await answers.report(late, KeyError())
    assert "interaction=77 button failed" in caplog.text
