"""Every command and button over real sockets: the real discord.py, the local Discord, everything but the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.queue.job import JobState
from bot.sandbox.faults import LoseReply, Reset
from bot.sandbox.interaction import State
from bot.sandbox.scene import ADA, BEN, DIRECT_ADA, MIA, OLGA, PICTURES
from bot.sandbox.server import Sandbox
from bot.sandbox.world import Upload
from bot.work.gate import HoldCause
from generator.clip import ClipSettings, Format
from generator.errors import BadFrames
from generator.variants import BUILT_IN
from generator.video.recipe import make_recipe, write_recipe
from tests.support.edge import Edge, Start, buttons, hanging, running_edge, starter, until, words
from tests.support.fakes import Act, FakeBackend, tiny_clip
from tests.support.jobs import new_job

POSTS = ("POST", "/channels/*/messages")


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return starter(tmp_path)


async def test_a_server_that_is_not_allowed_is_refused(start: Start) -> None:
    async with start(config={"allowed_guilds": [1]}) as edge:
        refused = await edge.animate()
        assert "do not work in this server" in await edge.answer(refused)
        await edge.animate(actor=OLGA)
        await edge.clip()


async def test_a_command_that_came_too_late_leaves_no_job(start: Start) -> None:
    async with start() as edge:
        edge.world.timing.acknowledge = 0.0
        interaction = await edge.animate()
        assert interaction.state is State.FAILED
        edge.world.timing.acknowledge = 3.0
        done = await edge.invoke("queue")
        assert "The queue is empty." in await edge.answer(done)
        assert await edge.store.active_jobs() == []


class BrokenStore:
    async def active_jobs(self) -> None:
        raise ZeroDivisionError("a secret")


async def test_a_bug_in_a_command_gives_a_plain_sentence_and_no_token_in_the_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async with start() as edge:
        edge.client.services = replace(edge.services, store=BrokenStore())
        broken = await edge.invoke("queue")
        assert "went wrong on my side" in await edge.answer(broken)
        assert f"interaction={broken.id}" in caplog.text
        assert broken.token not in caplog.text


# -- what happens to a job ----------------------------------------------------------------------------------------


async def test_a_failed_render_is_told_with_what_to_do_and_can_be_tried_again(start: Start) -> None:
    script = [Act(error=BadFrames("NaN in latents", kind="nan"))]
    async with start(backend=FakeBackend(script=script)) as edge:
        await edge.animate()
        await edge.delivered()
        told = edge.seen()[-1]
        assert words(told).startswith(f"<@{ADA}> The model's numbers broke down")
        assert "latents" not in words(told)
        await edge.world.press(BEN, PICTURES, told["id"], buttons(told["components"])["Again"])
        await edge.clip()
        first, second = edge.backend.requests
        assert first.settings.seed != second.settings.seed
        assert (await edge.job(2)).user_id == int(BEN)


async def test_progress_is_shown_while_a_clip_is_made(start: Start) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=12, step_seconds=0.05))) as edge:
        await edge.animate()
        await until(lambda: "step" in words(edge.seen()[0]), "a step on the card")
        await edge.clip()


async def test_the_buttons_make_variations(start: Start) -> None:
    async with start() as edge:
        await edge.animate(seed=5, motion_bucket=240)
        clip = await edge.clip()
        found = buttons(clip["components"])
        for number, label in enumerate(("Again", "More motion", "Less motion"), 2):
            await edge.world.press(ADA, PICTURES, clip["id"], found[label])
            await edge.clip(count=number)
        _, again, more, less = (request.settings for request in edge.backend.requests)
        assert (again.motion_bucket, again.seed != 5) == (240, True)
        assert (more.motion_bucket, more.seed) == (255, 5)
        assert (less.motion_bucket, less.seed) == (190, 5)


async def test_a_variation_that_would_be_the_same_clip_is_refused_privately(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.animate(motion_bucket=255, seed=5)
        clip = await edge.clip()
        found = buttons(clip["components"])
        refused = await edge.world.press(ADA, PICTURES, clip["id"], found["More motion"])
        assert "cannot go any further" in await edge.answer(refused)
        await edge.world.press(ADA, PICTURES, clip["id"], found["Less motion"])
        await until(lambda: len(edge.backend.requests) == 2, "less motion is being made")
        twice = await edge.world.press(ADA, PICTURES, clip["id"], found["Less motion"])
        assert "in the queue already" in await edge.answer(twice)
        assert len(await edge.store.jobs_of(int(ADA))) == 2


async def test_a_variation_of_a_picture_that_is_gone_is_refused_privately(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        edge.spool.delete([(await edge.job()).picture])
        refused = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        assert "no longer kept" in await edge.answer(refused, actor=BEN)


async def test_only_the_requester_and_moderators_delete_a_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        delete = buttons(clip["components"])["Delete"]
        refused = await edge.world.press(BEN, PICTURES, clip["id"], delete)
        assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
        assert len(edge.clips()) == 1
        await edge.world.press(MIA, PICTURES, clip["id"], delete)
        await until(lambda: not edge.clips(), "the clip is gone")
        await until(lambda: not list(edge.spool.folder.glob("*.mp4")), "the file is gone")
        await until(lambda: "The clip was deleted" in words(edge.seen()[0]), "the card says so")
        assert "no such clip" in await edge.answer(await edge.invoke("result"))


async def test_a_clip_deleted_before_its_arrival_was_known_of_is_not_posted_again(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *POSTS, times=1)
        await edge.queued()
        clip = await edge.clip()
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await edge.delivered()
        await until(lambda: "The clip was deleted" in words(edge.seen()[0]), "the card says so")
        assert not edge.clips()


async def test_a_clip_that_a_moderator_removed_in_the_same_moment_leaves_no_waiting_card(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(LoseReply(), *POSTS, times=1)
        await edge.queued()
        clip = await edge.clip()
        edge.world.messages.delete(edge.world.places.channel(PICTURES), clip["id"])
        await edge.delivered()
        await until(lambda: not buttons(edge.seen()[0]["components"]), "no Cancel on the card")


async def test_a_late_card_edit_does_not_bring_a_deleted_clip_back(start: Start) -> None:
    async with start(pause_scale=2.0) as edge:
        edge.sandbox.faults.add(Reset(), "PATCH", "/channels/*/messages/*", times=None)
        await edge.queued()
        clip = await edge.clip()
        await until(lambda: edge.rests, "the card's last edit failed and rests")
        edge.sandbox.faults.clear()
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await until(lambda: "was deleted" in words(edge.seen()[0]), "the card says so")
        await until(lambda: "deliver-1" not in {task.get_name() for task in asyncio.all_tasks()}, "the delivery's end")
        assert "was deleted" in words(edge.seen()[0])


async def test_a_button_from_an_earlier_database_does_not_reach_the_job_of_the_same_number(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path / "one", sandbox) as edge:
        await edge.queued()
        old = await edge.clip()
        await edge.delivered()
    async with running_edge(tmp_path / "two", sandbox) as edge:
        await edge.queued(channel=DIRECT_ADA)
        await edge.delivered()
        for label in ("Again", "Recipe"):
            pressed = await edge.world.press(BEN, PICTURES, old["id"], buttons(old["components"])[label])
            assert "before my records" in await edge.answer(pressed, actor=BEN)
        assert await edge.store.jobs_of(int(BEN)) == []
        await edge.world.press(ADA, PICTURES, old["id"], buttons(old["components"])["Delete"])
        await until(lambda: old["id"] not in {item["id"] for item in edge.seen()}, "the old clip is gone")
        assert (await edge.job()).clip, "the new job keeps its own"


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


async def test_the_recipe_button_and_command_give_every_setting(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.animate(seed=77)
        clip = await edge.clip()
        pressed = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Recipe"])
        assert "77" in await edge.answer(pressed, actor=BEN)
        path = tmp_path / "made.mp4"
        path.write_bytes(tiny_clip())
        write_recipe(path, Format.MP4, make_recipe(ClipSettings(seed=4711), BUILT_IN["demo"]))
        file = Upload("made.mp4", "video/mp4", path.read_bytes())
        read = await edge.invoke("recipe", files={"clip": file})
        assert "4711" in await edge.answer(read)
        foreign = await edge.invoke("recipe", files={"clip": Upload("a.mp4", "video/mp4", tiny_clip())})
        assert "no recipe" in await edge.answer(foreign)
        assert "Which clip?" in await edge.answer(await edge.invoke("recipe"))
        assert "77" in await edge.answer(await edge.invoke("recipe", {"job": 1}))
        assert "no job 99" in await edge.answer(await edge.invoke("recipe", {"job": 99}))


# -- /queue, /cancel, /result -------------------------------------------------------------------------------------


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
        again = await edge.invoke("cancel", {"job": 1})
        assert "over already" in await edge.answer(again)


async def test_others_cannot_cancel_but_moderators_can(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the job runs")
        refused = await edge.invoke("cancel", {"job": 1}, actor=BEN)
        assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
        assert edge.backend.cancelled == []
        done = await edge.invoke("cancel", {"job": 1}, actor=MIA)
        assert "stops within moments" in await edge.answer(done, actor=MIA)
        none = await edge.invoke("cancel", {"job": 99}, actor=MIA)
        assert "no job 99" in await edge.answer(none, actor=MIA)


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


# -- /help, /privacy, /forget-me ----------------------------------------------------------------------------------


async def test_help_and_privacy_answer_privately(start: Start) -> None:
    async with start(config={"privacy_url": "https://example.org/p"}) as edge:
        assert "/animate" in await edge.answer(await edge.invoke("help"))
        text = await edge.answer(await edge.invoke("privacy"))
        assert "https://example.org/p" in text
        assert "24 hours" in text
        assert edge.seen(actor=BEN) == []


async def test_forget_me_asks_first_then_deletes_rows_and_files(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.queued()
        await edge.clip()
        await edge.delivered()
        await edge.queued()
        await edge.queued(actor=BEN)
        edge.spool.clip_path("1-1-8388608.mp4").write_bytes(b"a smaller copy")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        question = next(item for item in edge.seen() if item["id"] == asked.message_id)
        assert len(await edge.store.jobs_of(int(ADA))) == 2
        pressed = await edge.world.press(ADA, PICTURES, question["id"], f"vivant:forget:{ADA}:")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs_of(int(ADA)) == []
        card = next(item for item in edge.seen() if "Cancelled" in words(item))
        assert not buttons(card["components"])
        assert card["attachments"] == [], "the picture is gone from the card"
        left = await edge.store.known_files()
        await until(lambda: {path.name for path in edge.spool.folder.iterdir()} <= left, "the files are gone")
        assert len(await edge.store.jobs_of(int(BEN))) == 1


async def test_forget_me_closes_the_card_of_a_clip_that_could_not_be_posted_yet(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Reset(), *POSTS, times=None)
        await edge.queued()
        await until(lambda: edge.rests, "a failed post")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        pressed = await edge.world.press(ADA, PICTURES, asked.message_id, f"vivant:forget:{ADA}:")
        await edge.answer(pressed)
        card = edge.seen()[0]
        assert "Cancelled" in words(card)
        assert (card["attachments"], buttons(card["components"])) == ([], {})


async def test_privacy_and_forget_me_work_where_the_bot_does_not(start: Start) -> None:
    async with start(backend=hanging(), config={"allowed_guilds": [1]}) as edge:
        await edge.store.enqueue(new_job(int(ADA)))
        assert "do not work in this server" in await edge.answer(await edge.invoke("help"))
        assert "24 hours" in await edge.answer(await edge.invoke("privacy"))
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        pressed = await edge.world.press(ADA, PICTURES, asked.message_id, f"vivant:forget:{ADA}:")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs_of(int(ADA)) == []


# -- /admin -------------------------------------------------------------------------------------------------------


async def test_pause_refuses_new_pictures_keeps_the_line_and_tells_the_reason(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued(actor=BEN)
        paused = await edge.invoke("admin pause", {"reason": "new model coming."}, actor=OLGA)
        assert "Paused: new model coming." in await edge.answer(paused, actor=OLGA)
        refused = await edge.animate()
        assert "paused: new model coming." in await edge.answer(refused)
        await until(lambda: "new model coming." in words(edge.seen(actor=MIA)[1]), "the reason on the waiting card")
        await edge.invoke("cancel", {"job": 1})
        await edge.delivered(1)
        assert (await edge.job(2)).state is JobState.QUEUED
        await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        await until(lambda: len(edge.backend.requests) == 2, "the queue goes on")


async def test_a_pause_and_the_variant_outlive_the_process(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.answer(await edge.invoke("admin pause", {"reason": "later"}, actor=OLGA), actor=OLGA)
        await edge.answer(await edge.invoke("admin variant", {"name": "svd"}, actor=OLGA), actor=OLGA)
    async with start() as edge:
        assert edge.switches.paused == "later."
        assert edge.switches.variant.name == "svd"
        assert edge.switches.gate.hold and edge.switches.gate.hold.cause is HoldCause.PAUSED


async def test_the_variant_is_shown_offered_and_switched_by_owners_only(start: Start) -> None:
    async with start(config={"admins": [int(BEN)]}) as edge:
        shown = await edge.answer(await edge.invoke("admin variant", actor=OLGA), actor=OLGA)
        assert "▸ **demo**" in shown
        offered = await edge.world.autocomplete(OLGA, PICTURES, "admin variant", {"name": "svd"}, "name")
        assert [choice["value"] for choice in offered] == ["svd", "svd-xt"]
        wrong = await edge.invoke("admin variant", {"name": "sdxl"}, actor=OLGA)
        assert "no variant called sdxl" in await edge.answer(wrong, actor=OLGA)
        switched = await edge.answer(await edge.invoke("admin variant", {"name": "svd"}, actor=OLGA), actor=OLGA)
        assert "Stability AI Community License" in switched
        await edge.animate()
        await edge.clip()
        assert edge.backend.requests[0].settings.variant == "svd"
        assert "Demo model" not in words(edge.clips()[0])


async def test_the_server_side_check_holds_also_for_people_whom_discord_lets_through(start: Start) -> None:
    async with start(config={"owners": [int(MIA)], "admins": [int(BEN)]}) as edge:
        _grant_everybody(edge)
        refused = await edge.invoke("admin pause", {"reason": "ha"})
        assert "Only the people who run this bot" in await edge.answer(refused)
        assert edge.switches.paused is None
        refused = await edge.invoke("admin variant", {"name": "svd"}, actor=BEN)
        assert "Only the bot's owners" in await edge.answer(refused, actor=BEN)
        status = await edge.invoke("admin status", actor=BEN)
        assert "Variant **demo**" in await edge.answer(status, actor=BEN)
        switched = await edge.invoke("admin variant", {"name": "svd"}, actor=MIA)
        assert "svd" in await edge.answer(switched, actor=MIA)


def _grant_everybody(edge: Edge) -> None:
    for role in edge.world.scene.guilds[next(iter(edge.world.scene.guilds))]["roles"]:
        role["permissions"] = str(int(role["permissions"]) | 1 << 5)  # Manage Server


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
        await asyncio.sleep(0)
