"""Status cards over real sockets: the last word is the right one, and nobody is flooded."""

from __future__ import annotations

import asyncio
import base64
import io
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from bot.edge.connection.pacing import Pace
from bot.policy.server import FilterAction
from bot.queue.job import Job, JobState, QueuePosition
from bot.sandbox.faults import Refuse, Reset, server_error
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, DIRECT_ADA, LOBBY, OLGA, PICTURES, TABLEAUX
from bot.texts.jobs.status import CardView, Origin
from bot.work.gate import HoldCause
from generator.errors import ExecutorLost
from tests.support.edge import Edge, Start, buttons, hanging, running_edge, until, words
from tests.support.fakes import Act, FakeBackend

SLOW = 60.0
"""seconds that may pass on a machine that has other work"""


async def test_the_card_ends_on_the_last_word_after_a_storm_of_progress(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(steps=200, step_seconds=0.002))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        job = await edge.queued()
        await edge.delivered()
        await edge.only_clips()
        for _ in range(50):
            edge.cards.progressed(job.id)
        await asyncio.sleep(0.2)  # 4 times edit_seconds: nothing announces an edit that does not come
        await edge.only_clips()
        edits = edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")
        assert len(edits) < 20


async def test_waiting_cards_follow_their_position_without_flooding(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        for _ in range(4):
            await edge.queued()
        await until(lambda: "3 clips of yours" in words(edge.seen()[3]), "the last one's position")
        await edge.invoke("cancel", {"job": 1})
        moved = ("Cancelled", "Bringing it to life", "Next, after your other clip", "2 clips of yours")
        await until(
            lambda: all(position in words(card) for position, card in zip(moved, edge.seen()[:4], strict=True)),
            "all moved up",
        )
        edits = len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}"))
        for _ in range(20):
            edge.cards.queue_changed()
        await asyncio.sleep(0.3)  # 6 times queue_seconds: nothing announces an edit that does not come
        assert len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")) == edits


async def _second_waits(edge: Edge, eta_ms: int) -> None:
    """Let one job wait behind another, so that it is expected to be done in `eta_ms`."""
    await edge.queued()
    await until(lambda: edge.backend.requests, "the first job runs")
    edge.store.jobs.left_ms = lambda: {1: 0}
    waits = await edge.queued()
    position = await edge.store.jobs.position(waits.id)
    assert position is not None and position.eta_ms is not None
    rest_ms = eta_ms - position.eta_ms
    edge.store.jobs.left_ms = lambda: {1: rest_ms}
    edge.cards.changed(waits.id)


async def test_a_time_is_told_anew_when_it_has_become_another_one(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
        await _second_waits(edge, 25_400)
        await until(lambda: "in about 30 seconds." in words(edge.seen()[1]), "the time")
        edge.store.jobs.left_ms = lambda: {1: 21_000}
        await until(lambda: "in about 20 seconds." in words(edge.seen()[1]), "a later one, nothing else changed")


async def test_a_time_that_is_overdue_is_raised_and_never_past(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True))) as edge:
        await _second_waits(edge, 40_000)
        await until(lambda: "in about 40 seconds." in words(edge.seen()[1]), "the time")
        edge.clock.ahead_ms += 3_600_000
        edge.cards.changed(2)
        await until(lambda: "in about 40 seconds." in words(edge.seen()[1]), "the same again")
        edge.store.jobs.left_ms = lambda: {1: 300_000}
        edge.cards.changed(2)
        await until(lambda: "in about 5 minutes." in words(edge.seen()[1]), "a later time")


async def test_a_card_made_by_a_button_says_who_asked_and_links_to_the_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(script=[Act()], usual=Act(hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend) as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await until(lambda: len(backend.requests) == 2, "the second one runs")
        job = await edge.job(2)
        await until(lambda: f"<@{BEN}> asked" in words(edge.card(job)), "who asked")
        assert f"https://discord.com/channels/{job.route.guild_id}/{PICTURES}/{clip['id']})" in words(edge.card(job))
        asked = sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")
        assert asked and all(exchange.body["allowed_mentions"]["parse"] == [] for exchange in asked), "nobody is pinged"
        await edge.store.database.write(lambda db: db.execute("update job set of_job = 99 where id = 2"))
        edge.cards.changed(2)
        assert (await edge.cards.describe(replace(await edge.job(2), id=3))).origin == Origin(None), "it is gone"


def a_preview() -> str:
    """Return a small picture as an executor sends it."""
    file = io.BytesIO()
    Image.new("RGB", (128, 72), (200, 30, 30)).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


async def test_a_preview_takes_the_place_of_the_picture_on_the_card_and_stays(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(steps=30, step_seconds=0.05, hangs=True, preview=a_preview()))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        await edge.queued()
        await until(lambda: "rough AI-generated preview" in str(edge.seen()[0]), "the preview")
        await until(lambda: "step 29" in words(edge.seen()[0]), "the last step")
        [shown] = edge.seen()[0]["attachments"]
        assert (shown["filename"], shown["size"]) == ("framing.png", len(base64.b64decode(a_preview())))
        uploads = [exchange for exchange in sandbox.record.asked(*BY_BOT) if exchange.files]
        assert len(uploads) == 1, "once a preview, not with each edit"
        assert not [exchange for exchange in sandbox.record.asked(*BY_BOT) if exchange.status != 200]


@pytest.mark.parametrize("action", FilterAction)
async def test_where_a_filter_may_hold_the_clip_back_no_preview_is_shown(
    sandbox: Sandbox, tmp_path: Path, action: FilterAction
) -> None:
    backend = FakeBackend(usual=Act(steps=30, step_seconds=0.02, hangs=True, preview=a_preview()))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        await edge.store.servers.change(int(TABLEAUX), int(OLGA), {"filter_action": action})
        job = await edge.queued()
        assert job.route.guild_id == int(TABLEAUX)
        await until(lambda: "step 29" in words(edge.seen()[0]), "the last step")
        is_shown = "rough AI-generated preview" in str(edge.seen()[0])
        assert is_shown is (action is FilterAction.OFF)


async def test_the_time_of_a_clip_that_is_next_is_told_anew_too(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(hangs=True), slots=2, at_once=1)
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        await edge.queued()
        await until(lambda: edge.services.crew.progress, "the GPU has begun the first")
        second = await edge.queued()
        await until(lambda: "Nearly its turn" in words(edge.card(second)), "the second is taken")
        shown = words(edge.card(second))
        assert "Your clip comes in a few seconds." in shown
        edge.services.crew.left_ms = lambda: {1: 300_000}  # type: ignore[method-assign]
        await until(lambda: "in about 5 minutes." in words(edge.card(second)), "a later time, nothing else changed")


async def test_a_card_moves_on_while_no_step_is_told(sandbox: Sandbox, tmp_path: Path) -> None:
    pace = Pace(edit_seconds=0.01, queue_seconds=0.05, passing_seconds=0.02)
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(usual=Act(hangs=True)), pace=pace) as edge:
        await edge.queued()
        percents: set[str] = set()

        def moved() -> bool:
            percents.update(re.findall(r"(\d+)%", words(edge.seen()[0])))
            return len(percents) > 4

        await until(moved, "a bar that moves")
        edits = len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}"))
        await asyncio.sleep(0.2)
        more = len(edge.sandbox.record.asked("PATCH", "/channels/{channel_id}/messages/{message_id}")) - edits
        assert more <= 11, "one each 0.02 s at most"


async def test_the_first_write_of_a_card_never_comes_after_the_last(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        sandbox.faults.add(server_error(502), "PATCH", "/webhooks/**", times=2)
        await edge.queued()
        await edge.delivered()
        first_write = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
        await until(lambda: len(sandbox.record.asked(*first_write)) == 3, "discord.py's third attempt")
        await edge.only_clips()


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
        await edge.only_clips(channel=DIRECT_ADA)


async def test_progress_is_shown_while_a_clip_is_made(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=12, step_seconds=0.05))) as edge:
        await edge.animate()
        await until(lambda: "step" in words(edge.seen()[0]), "a step on the card")
        await edge.clip()


class Unhurried(Pace):
    """Shows progress once, as if thousands of clips were being made."""

    def after_progress(self, begun: int, in_channel: int) -> float:
        return 600.0


async def test_what_happens_to_a_job_waits_for_no_bound_on_progress(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(steps=1000, step_seconds=0.02))
    slow = Unhurried(edit_seconds=0.05, queue_seconds=0.05)
    async with running_edge(tmp_path, sandbox, backend=backend, pace=slow) as edge:
        job = await edge.queued()
        await until(lambda: "step" in words(edge.seen()[0]), "the first step")
        shown = words(edge.seen()[0])
        await asyncio.sleep(0.3)  # 6 times edit_seconds: nothing announces an edit that does not come
        assert words(edge.seen()[0]) == shown
        await edge.store.jobs.cancel(job.id)
        edge.cards.changed(job.id)
        await until(lambda: words(edge.seen()[0]) != shown, "that it will be cancelled")


async def test_after_a_restart_the_cards_of_a_long_queue_are_not_all_written_at_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        for _ in range(8):
            await edge.queued()
        await until(lambda: "7 clips of yours" in words(edge.seen()[7]), "the last one's position")
    before = len(sandbox.record.asked(*BY_BOT))
    pace = Pace(edit_seconds=0.05, queue_seconds=600.0, most_waiting=1000, most_waiting_in_channel=2)
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=pace) as edge:
        await until(lambda: len(sandbox.record.asked(*BY_BOT)) > before + 2, "the first ones")
        await asyncio.sleep(0.3)
        edits = len(sandbox.record.asked(*BY_BOT)) - before
        assert edits <= 5, "the job that runs, which changed, and two that wait"


# -- refusals -----------------------------------------------------------------------------------------------------

BY_TOKEN = ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
BY_BOT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
QUICK = Pace(edit_seconds=0.01, queue_seconds=0.05)


def dead(status: int, code: int) -> Refuse:
    """Return what a webhook route answers whose token is dead, or was never good."""
    return Refuse(status, f'{{"message": "x", "code": {code}}}', {"Content-Type": "application/json"})


@pytest.mark.parametrize("refused", [dead(401, 50027), dead(404, 10015), dead(403, 50001)], ids=lambda it: it.status)
async def test_a_dead_token_at_the_first_write_leaves_the_card_to_the_bot_token(
    sandbox: Sandbox, tmp_path: Path, refused: Refuse
) -> None:
    sandbox.faults.add(refused, "PATCH", "/webhooks/**", times=None)
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        await edge.queued()
        card = await until(lambda: "Bringing it to life" in words(edge.seen()[0]) and edge.seen()[0], "the card")
        assert [item["filename"] for item in card["attachments"]] == ["framing.png"]
        await edge.queued()
        await until(lambda: "Next, after" in words(edge.seen()[1]), "the next card")
        assert len(sandbox.record.asked(*BY_TOKEN)) == 2, "one try a card"
        assert sandbox.invalid_requests.count == (0 if refused.status == 404 else 2)
        assert edge.client.invalid_requests.count == sandbox.invalid_requests.count, "webhooks are counted as well"


async def test_a_dead_token_where_the_bot_is_no_member_ends_the_card_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(steps=50, step_seconds=0.01, hangs=True))
    sandbox.faults.add(dead(401, 50027), "PATCH", "/webhooks/**", times=None)
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        await edge.queued(channel=LOBBY)
        await edge.queued()  # a card that can be written shows that the render has moved on
        await until(lambda: len(backend.requests) == 1, "it runs")
        assert await edge.services.store.jobs.cancel(2)
        for _ in range(30):
            edge.cards.progressed(1)
            edge.cards.queue_changed()
            await asyncio.sleep(0.01)
        assert 1 <= sandbox.invalid_requests.count <= 4, "a try for each state of the two jobs"


async def test_a_job_cancelled_where_the_token_is_dead_is_over_at_once(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        job = await edge.queued(channel=LOBBY)
        await until(lambda: "Bringing it to life" in words(edge.seen(channel=LOBBY)), "the card")
        sandbox.faults.add(dead(401, 50027), "PATCH", "/webhooks/**", times=None)
        await edge.services.requests.cancel(job.id)
        await edge.delivered(job.id)
        assert edge.rests == []
        assert sandbox.invalid_requests.count <= 2


async def test_a_job_cancelled_where_channel_and_token_are_closed_is_over_at_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        job = await edge.queued()
        await until(lambda: "Bringing it to life" in words(edge.seen()[0]), "the card")
        sandbox.faults.add(dead(403, 50001), "PATCH", "/channels/**", times=None)
        sandbox.faults.add(dead(401, 50027), "PATCH", "/webhooks/**", times=None)
        await edge.services.requests.cancel(job.id)
        await edge.delivered(job.id)
        assert edge.rests == []
        assert sandbox.invalid_requests.count <= 4


async def test_a_channel_that_is_closed_to_the_bot_gets_a_try_for_each_state_and_no_more(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    backend = FakeBackend(usual=Act(steps=600, step_seconds=0.01, hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        await edge.queued()
        await until(lambda: "step" in words(edge.seen()[0]), "progress on the card")
        by_token = len(sandbox.record.asked(*BY_TOKEN))
        sandbox.faults.add(dead(403, 50001), "PATCH", "/channels/**", times=None)
        for _ in range(50):
            edge.cards.progressed(1)
            await asyncio.sleep(0.01)
        assert 1 <= sandbox.invalid_requests.count <= 2
        goes_on = by_token + 3  # the first of them is what was refused, sent again
        await until(lambda: len(sandbox.record.asked(*BY_TOKEN)) >= goes_on, "the card goes on by the answer's token")


async def test_a_card_that_was_given_up_rests(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        get, looks = edge.store.jobs.get, 0

        async def counted(job_id: int) -> Job | None:
            nonlocal looks
            looks += 1
            return await get(job_id)

        async def soon(job_id: int) -> QueuePosition:
            return QueuePosition(position=1, waiting=1, eta_low_ms=0, eta_high_ms=0)

        monkeypatch.setattr(edge.store.jobs, "position", soon)
        sandbox.faults.add(dead(403, 50001), "PATCH", "/**", times=None)
        await edge.queued()
        await until(lambda: len(sandbox.faults.played) >= 2, "both tokens are refused")
        monkeypatch.setattr(edge.store.jobs, "get", counted)
        await asyncio.sleep(0.3)  # six times the shortest time after which the card's times have passed
        assert looks < 10


async def test_an_outage_at_a_card_is_waited_out_with_longer_and_longer_rests(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        await edge.queued(channel=PICTURES)
        await until(lambda: "Bringing it to life" in words(edge.seen()[0]), "the first card")
        rule = sandbox.faults.add(dead(503, 0), "PATCH", "/channels/**", times=None)
        await edge.queued()
        await until(lambda: len(sandbox.faults.played) >= 4, "some tries")
        sandbox.faults.remove(rule)
        await until(lambda: "Next, after" in words(edge.seen()[1]), "the card is right in the end")
    assert [round(QUICK.after_failures(count) / QUICK.edit_seconds) for count in (1, 2, 3, 100)] == [1, 2, 4, 64]


class NotedPace(Pace):
    """Notes how many failures in a row each rest was asked for."""

    failures: list[int]

    def after_failures(self, failures: int) -> float:
        self.failures.append(failures)
        return super().after_failures(failures)


async def test_rests_are_longer_with_each_failure_in_a_row_and_brief_again_after_a_success(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    pace = NotedPace(edit_seconds=0.01, queue_seconds=0.05)
    object.__setattr__(pace, "failures", [])
    backend = FakeBackend(usual=Act(steps=2000, step_seconds=0.01, hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=pace) as edge:
        await edge.queued()
        await until(lambda: "step" in words(edge.seen()[0]), "progress on the card")
        for expected in ([1, 2, 3], [1, 2]):
            sandbox.faults.add(dead(503, 0), "PATCH", "/channels/**", times=len(expected))
            before = words(edge.seen()[0])
            await until(partial(_has_failed, pace, len(expected)), "the failures")
            await until(partial(_differs, edge, before), "a card that goes on")
            assert pace.failures == expected
            pace.failures.clear()


def _has_failed(pace: NotedPace, times: int) -> bool:
    return len(pace.failures) == times


def _differs(edge: Edge, before: str) -> bool:
    return words(edge.seen()[0]) != before


async def test_a_card_shows_a_waiting_jobs_position_and_a_running_ones_progress(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    backend = FakeBackend(usual=Act(steps=2, hangs=True))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        for _ in range(2):
            await edge.queued()
        crew, gate = edge.services.crew, edge.services.switches.gate
        progress = await until(lambda: crew.progress.get((1, 1)), "progress")
        gate.close(HoldCause.PAUSED, "lunch")
        shown = [await edge.cards.describe(await edge.job(number)) for number in (1, 2)]
        now_ms = shown[0].now_ms
        standing, due_ms = shown[0].standing, shown[0].due_ms
        assert standing is not None and 0 < standing.part < 1
        assert due_ms is not None and due_ms > now_ms
        running = CardView(job=await edge.job(1), progress=progress, now_ms=now_ms, hold=gate.hold)
        assert shown[0] == replace(running, standing=standing, due_ms=due_ms)
        waits = replace(shown[1], position=None)
        assert waits == CardView(job=await edge.job(2), now_ms=waits.now_ms, hold=gate.hold)
        assert shown[1].position is not None and shown[1].position.position == 1
        assert abs(now_ms - edge.clock()) < SLOW * 1000
        assert (await edge.cards.describe(replace(await edge.job(2), id=99))).has_preview


async def test_a_card_whose_picture_discord_refuses_is_written_without_it(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        sandbox.faults.add(dead(400, 50035), "PATCH", "/webhooks/**")
        await edge.queued()
        await until(lambda: "Bringing it to life" in words(edge.seen()[0]), "the card")
        assert edge.seen()[0]["attachments"] == []
        edits = sandbox.record.asked(*BY_TOKEN) + sandbox.record.asked(*BY_BOT)
        assert [exchange.status for exchange in edits if exchange.status != 200] == [400], "refused once"


async def test_a_preview_that_is_gone_does_not_hold_up_its_card(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        sandbox.faults.add(Reset(), "PATCH", "/webhooks/**", times=6)
        job = await edge.queued()
        edge.spool.delete([job.picture])
        await until(lambda: "Bringing it to life" in words(edge.seen()[0]), "the card")
        assert edge.seen()[0]["attachments"] == []


# -- surprises ----------------------------------------------------------------------------------------------------


async def test_a_surprise_in_one_card_ends_neither_the_others_nor_the_bot(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging(), pace=QUICK) as edge:
        describe, surprised = edge.cards.describe, 0

        async def stumble(job: Job) -> CardView:
            nonlocal surprised
            if job.id == 1 and surprised < 3:
                surprised += 1
                raise KeyError("retry_after")
            return await describe(job)

        monkeypatch.setattr(edge.cards, "describe", stumble)
        await edge.queued()
        await edge.queued()
        await until(lambda: "Next, after" in words(edge.seen()[1]), "the other card")
        await until(lambda: "Bringing it to life" in words(edge.seen()[0]), "its own card, in the end")
        assert surprised == 3


# -- what wakes a card --------------------------------------------------------------------------------------------


async def test_a_pause_and_its_end_reach_the_waiting_cards_with_nothing_else_happening(start: Start) -> None:
    # with a model that takes minutes, no card wakes because the times on it have passed
    async with start(backend=hanging(), config={"generator": {"variant": "svd-xt"}}) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued(actor=BEN)
        await until(lambda: "Next, after" in words(edge.seen()[1]), "the waiting card")
        await edge.answer(await edge.invoke("admin pause", {"reason": "lunch"}, actor=OLGA), actor=OLGA)
        await until(lambda: "lunch." in words(edge.seen()[1]), "the reason on the card")
        await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        await until(lambda: "Next, after" in words(edge.seen()[1]), "the position again")


async def test_progress_reaches_a_card_with_nothing_else_happening(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=40, step_seconds=0.05, hangs=True))) as edge:
        await edge.queued()
        for step in ("step 1", "step 2", "step 3"):
            await until(partial(_shows, edge, step), f"{step}… on the card")


def _shows(edge: Edge, text: str) -> bool:
    return text in words(edge.seen()[0])


async def test_after_a_restart_each_card_has_one_writer(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        for _ in range(3):
            await edge.queued()
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        await until(lambda: edge.backend.requests, "the first job runs again")
        await until(lambda: "2 clips of yours" in words(edge.seen()[2]), "the cards are written")
        writers = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("card-")]
        assert sorted(writers) == ["card-1", "card-2", "card-3"]


# -- old cards ----------------------------------------------------------------------------------------------------

HOUR_MS = 3_600_000


@pytest.mark.parametrize("hours", [0, 1])
async def test_an_old_card_is_edited_rarely_and_its_last_word_still_comes(
    sandbox: Sandbox, tmp_path: Path, hours: int
) -> None:
    backend = FakeBackend(usual=Act(steps=80, step_seconds=0.01))
    async with running_edge(tmp_path, sandbox, backend=backend, pace=QUICK) as edge:
        edge.services.switches.gate.close(HoldCause.DISK_FULL)
        await edge.queued()
        await until(lambda: "disk is full" in words(edge.seen()[0]), "the first card")
        sandbox.world.clock.advance(hours * 3600)
        edge.clock.ahead_ms = hours * HOUR_MS
        edge.services.switches.gate.open(HoldCause.DISK_FULL)
        await edge.delivered()
        await edge.only_clips()
        edits = sandbox.record.asked(*BY_BOT)
        refused = [exchange for exchange in edits if (exchange.answer or {}).get("code") == 30046]
        assert refused == []
        assert len(edits) <= 3 if hours else len(edits) > 5
