"""Every command and button over real sockets: the real discord.py, the local Discord, everything but the model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.commands.animate import animate
from bot.gate import HoldCause
from bot.job import Job, JobState, Limits, NewJob
from bot.sandbox.faults import Refuse
from bot.sandbox.interaction import State
from bot.sandbox.scene import ADA, BEN, DIRECT_ADA, GENERAL, LOBBY, MIA, NO_FILES, OLGA, PICTURES, READ_ONLY, THREAD
from bot.sandbox.server import Sandbox
from bot.sandbox.world import Upload
from bot.sentences import explain_picture
from generator.clip import BOUNDS, ClipSettings, Format, Framing, Loop, Quality
from generator.errors import BadFrames, PictureError, PictureReason
from generator.recipe import make_recipe, write_recipe
from generator.variants import BUILT_IN
from tests.edge import Edge, buttons, clip_of, picture, png, running_edge, until, words
from tests.fakes import Act, FakeBackend, tiny_clip


class Start(Protocol):
    def __call__(self, **more: Any) -> AbstractAsyncContextManager[Edge]: ...


@pytest.fixture
def start(tmp_path: Path) -> Start:
    @asynccontextmanager
    async def started(**more: Any) -> AsyncIterator[Edge]:
        async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, **more) as edge:
            yield edge
            assert sandbox.unimplemented == []

    return started


def hanging() -> FakeBackend:
    return FakeBackend(usual=Act(steps=1, hangs=True))


# -- /animate ---------------------------------------------------------------------------------------------------


async def test_a_picture_becomes_a_clip_that_mentions_only_its_person(start: Start) -> None:
    async with start() as edge:
        interaction = await edge.animate()
        message = await edge.clip()
        await edge.delivered()
        assert interaction.state is State.ANSWERED
        assert interaction.acknowledged_after < 0.5
        assert edge.world.messages.notified == [(ADA, message["id"])]
        assert message["message_reference"]["message_id"] == interaction.message_id
        attachment = clip_of(message)
        assert attachment
        assert edge.world.attachment_bytes(attachment["id"]) == tiny_clip()
        assert "Demo model" in words(message)
        card = await until(lambda: "here is the clip" in words(edge.seen()[0]) and edge.seen()[0], "a tidy card")
        assert message["id"] in words(card)
        assert card["attachments"] == []


async def test_the_card_shows_the_framed_picture_the_place_and_a_cancel_button(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        second = await edge.queued(actor=BEN)
        card = await until(lambda: "in line" in words(edge.seen()[-1]) and edge.seen()[-1], "a place")
        assert second.card_message_id == int(card["id"])
        assert "Next in line." in words(card)
        assert "<t:" in words(card)
        assert [item["filename"] for item in card["attachments"]] == ["framing.png"]
        assert buttons(card["components"]) == {"Cancel": "vivant:cancel:2"}


async def test_every_option_reaches_the_frozen_settings(start: Start) -> None:
    async with start() as edge:
        await edge.animate(
            motion="wild",
            format="webp",
            quality="fast",
            shape="portrait",
            framing="pad",
            loop="boomerang",
            smooth=True,
            seed=4242,
            noise_augmentation=0.3,
            motion_bucket=33,
            conditioning_fps=9,
            playback_fps=12,
            steps=8,
            frames=6,
            decode_chunk=2,
            guidance=2.5,
        )
        await edge.clip()
        settings = edge.backend.requests[0].settings
        assert settings == ClipSettings(
            variant="demo",
            frames=6,
            motion_bucket=33,
            noise_augmentation=0.3,
            conditioning_fps=9,
            playback_fps=12,
            quality=Quality.FAST,
            steps=8,
            max_guidance=2.5,
            decode_chunk=2,
            seed=4242,
            format=Format.WEBP,
            shape=settings.shape,
            framing=Framing.PAD,
            loop=Loop.BOOMERANG,
            smooth=True,
        )
        assert settings.shape == "portrait"


def test_the_ranges_in_discord_are_the_generators_bounds() -> None:
    names = {"guidance": "max_guidance"}
    ranges = {
        option.name: (option.min_value, option.max_value)
        for option in animate.parameters
        if option.min_value is not None
    }
    assert ranges == {name: BOUNDS[names.get(name, name)] for name in ranges}
    assert len(ranges) == 9


async def test_the_context_menu_takes_the_picture_of_any_message(start: Start) -> None:
    async with start() as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [png()])
        empty = edge.world.post(BEN, PICTURES, "no picture here")
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], "Animate this image")
        await edge.clip()
        refused = await edge.world.invoke_on_message(ADA, PICTURES, empty["id"], "Animate this image")
        assert "no picture" in await edge.answer(refused)


@pytest.mark.parametrize("channel", [GENERAL, THREAD, DIRECT_ADA], ids=["channel", "thread", "direct message"])
async def test_it_works_in_channels_threads_and_direct_messages(start: Start, channel: str) -> None:
    async with start() as edge:
        await edge.animate(channel=channel)
        message = await edge.clip(channel=channel)
        assert "Again" in buttons(message["components"])


async def test_where_the_bot_is_no_member_the_answer_itself_becomes_the_clip(start: Start) -> None:
    async with start() as edge:
        interaction = await edge.animate(channel=LOBBY)
        message = await edge.clip(channel=LOBBY)
        assert message["id"] == interaction.message_id
        assert "here is your clip" in words(message)
        assert (await edge.delivered()).state == "sent"


async def test_where_the_bot_is_no_member_a_long_line_is_refused(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        for _ in range(2):
            await edge.queued(steps=50, frames=50, shape="square")
        await until(lambda: len(edge.backend.requests) == 1, "the first job runs")
        for number in range(230):
            await edge.store.enqueue(_copy(await edge.job(2), number))
        refused = await edge.animate(channel=LOBBY)
        assert "only answer for 15 minutes" in await edge.answer(refused, channel=LOBBY)
        assert len(edge.seen(channel=LOBBY)) == 1


def _copy(job: Job, number: int) -> NewJob:
    return NewJob(key=f"copy-{number}", user_id=number, route=job.route, settings=job.settings, picture=job.picture)


async def test_a_spoilered_picture_gives_a_spoilered_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=Upload("SPOILER_photo.png", "image/png", picture()))
        attachment = clip_of(await edge.clip())
        assert attachment
        assert attachment["filename"].startswith("SPOILER_vivant-")


# -- bad input --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        (Upload("notes.txt", "text/plain", b"hello"), "not a picture"),
        (Upload("empty.png", "image/png", b""), "empty"),
        (Upload("big.png", "image/png", b"x" * (1024 * 1024 + 1)), "limit is 1 MiB"),
    ],
    ids=["not a picture", "empty", "too large"],
)
async def test_what_the_name_and_size_give_away_is_refused_at_once_and_privately(
    start: Start, file: Upload, sentence: str
) -> None:
    async with start(config={"picture": {"max_mib": 1}}) as edge:
        refused = await edge.animate(file=file)
        assert sentence in await edge.answer(refused)
        assert edge.seen(actor=BEN) == []
        assert await edge.store.active_jobs() == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"this is no picture", PictureReason.NOT_A_PICTURE),
        (picture(640, 480)[:-300], PictureReason.CORRUPT),
        (picture(1100, 1000), PictureReason.TOO_MANY_PIXELS),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_only_decoding_tells_is_refused_privately_too(
    start: Start, data: bytes, reason: PictureReason
) -> None:
    async with start(config={"picture": {"max_megapixels": 1}}) as edge:
        refused = await edge.animate(file=Upload("photo.png", "image/png", data))
        answer = await edge.answer(refused)
        assert explain_picture(PictureError(reason, "")).todo in answer
        await until(lambda: edge.seen(actor=BEN) == [], "nothing public is left")
        assert await edge.store.active_jobs() == []
        assert list(edge.spool.folder.iterdir()) == []


async def test_a_picture_that_discord_does_not_hand_over_is_not_queued(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Refuse(404), "GET", "/attachments/**")
        edge.sandbox.faults.add(Refuse(404), "GET", "/ephemeral-attachments/**")
        refused = await edge.animate()
        assert "could not fetch" in await edge.answer(refused)


@pytest.mark.parametrize(("channel", "lack"), [(NO_FILES, "Attach Files"), (READ_ONLY, "Send Messages")])
async def test_a_channel_where_the_clip_could_not_be_posted_is_refused_first(
    start: Start, channel: str, lack: str
) -> None:
    async with start() as edge:
        refused = await edge.animate(channel=channel)
        assert lack in await edge.answer(refused, channel=channel)
        assert edge.seen(actor=BEN, channel=channel) == []


async def test_more_steps_than_the_operator_allows_are_refused(start: Start) -> None:
    async with start(config={"generator": {"variant": "demo", "max_steps": 30}}) as edge:
        refused = await edge.animate(steps=31)
        assert "`steps`" in await edge.answer(refused)


async def test_a_full_line_and_a_full_disk_are_refused_and_keep_what_was_accepted(start: Start) -> None:
    async with start(backend=hanging(), limits=Limits(queued_per_user=1)) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued()
        refused = await edge.animate()
        assert "most for one person" in await edge.answer(refused)
        await until(lambda: len(edge.seen(actor=BEN)) == 2, "nothing public is left")
        edge.spool._min_free_bytes = 2**62
        refused = await edge.animate(actor=BEN)
        assert "disk is nearly full" in await edge.answer(refused, actor=BEN)
        assert len(await edge.store.active_jobs()) == 2


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
        assert "The line is empty." in await edge.answer(done)
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
        name = (await edge.job()).clip
        await until(lambda: not edge.spool.clip_path(str(name)).exists(), "the file is gone")


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
        assert "`3` number 2 in line" in text
        assert "1 being made, 2 waiting" in text
        assert f"1. <@{BEN}>" in text
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
        assert "never reached" in await edge.answer(waiting)
        running = await edge.invoke("cancel", {"job": 1})
        assert "stops within a step" in await edge.answer(running)
        await edge.delivered(1)
        await edge.delivered(2)
        assert edge.backend.cancelled == [1]
        cards = [item for item in edge.seen() if not item["flags"] & 64]
        assert [words(item).splitlines()[0] for item in cards] == ["### Cancelled"] * 2
        assert all(not buttons(item["components"]) for item in cards)
        again = await edge.invoke("cancel", {"job": 1})
        assert "done already" in await edge.answer(again)


async def test_others_cannot_cancel_but_moderators_can(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the job runs")
        refused = await edge.invoke("cancel", {"job": 1}, actor=BEN)
        assert "Only the person who asked" in await edge.answer(refused, actor=BEN)
        assert edge.backend.cancelled == []
        done = await edge.invoke("cancel", {"job": 1}, actor=MIA)
        assert "stops within a step" in await edge.answer(done, actor=MIA)
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
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        question = next(item for item in edge.seen() if item["id"] == asked.message_id)
        assert len(await edge.store.jobs_of(int(ADA))) == 2
        pressed = await edge.world.press(ADA, PICTURES, question["id"], f"vivant:forget:{ADA}")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs_of(int(ADA)) == []
        left = await edge.store.known_files()
        await until(lambda: {path.name for path in edge.spool.folder.iterdir()} <= left, "the files are gone")
        assert len(await edge.store.jobs_of(int(BEN))) == 1


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
        await until(lambda: len(edge.backend.requests) == 2, "the line goes on")


async def test_a_pause_and_the_variant_outlive_the_process(start: Start, tmp_path: Path) -> None:
    async with start() as edge:
        await edge.answer(await edge.invoke("admin pause", {"reason": "later"}, actor=OLGA), actor=OLGA)
        await edge.answer(await edge.invoke("admin variant", {"name": "svd"}, actor=OLGA), actor=OLGA)
    async with start() as edge:
        assert edge.switches.paused == "later"
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
