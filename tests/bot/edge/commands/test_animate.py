"""/animate over real sockets: what a picture becomes, and every kind of bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.config import MIB
from bot.edge.commands.animate import animate
from bot.queue.job import Job, NewJob
from bot.sandbox.faults import Refuse
from bot.sandbox.interaction import State
from bot.sandbox.scene import ADA, BEN, DIRECT_ADA, GENERAL, LOBBY, NO_FILES, PICTURES, READ_ONLY, TABLEAUX, THREAD
from bot.sandbox.world import Upload
from bot.texts.explanations import explain_picture
from generator.clip import BOUNDS, ClipSettings, Format, Framing, Loop, Quality
from generator.errors import PictureError, PictureReason
from generator.picture.intake import PictureChild, Prepared
from tests.support.edge import Start, buttons, clip_of, hanging, picture, png, starter, until, words
from tests.support.fakes import tiny_clip


@pytest.fixture
def start(tmp_path: Path) -> Start:
    return starter(tmp_path)


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
        card = await until(lambda: "in the queue" in words(edge.seen()[-1]) and edge.seen()[-1], "a position")
        assert second.card_message_id == int(card["id"])
        assert "Next in the queue." in words(card)
        assert "<t:" in words(card)
        assert [item["filename"] for item in card["attachments"]] == ["framing.png"]
        assert buttons(card["components"]) == {"Cancel": f"vivant:cancel:2:{second.key}"}


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
        posted = edge.world.post(BEN, PICTURES, "look", [png(), png("other.png")])
        empty = edge.world.post(BEN, PICTURES, "no picture here")
        await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], "Animate this image")
        assert "this is its first" in words(await edge.clip())
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


async def test_where_the_bot_is_no_member_a_long_queue_is_refused(start: Start) -> None:
    async with start(backend=hanging(), config={"queue": {"max_queued_per_server": 0}}) as edge:
        for _ in range(2):
            await edge.queued(steps=50, frames=50, shape="square")
        await until(lambda: len(edge.backend.requests) == 1, "the first job runs")
        for number in range(600):
            await edge.store.enqueue(_copy(await edge.job(2), number))
        before = len(await edge.store.active_jobs())
        refused = await edge.animate(channel=LOBBY)
        assert "only answer for 15 minutes" in await edge.answer(refused, channel=LOBBY)
        assert len(await edge.store.active_jobs()) == before
        assert await edge.store.due_deliveries() == [], "nobody is to be told that it was cancelled"
        await until(lambda: len(edge.seen(channel=LOBBY)) == 1, "nothing public is left")


def _copy(job: Job, number: int) -> NewJob:
    return NewJob(key=f"copy-{number}", user_id=number, route=job.route, settings=job.settings, picture=job.picture)


async def test_the_card_of_a_spoilered_picture_shows_it_covered(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued(file=Upload("SPOILER_photo.png", "image/png", picture()))
        card = await until(lambda: edge.seen()[0]["components"] and edge.seen()[0], "the card")
        preview = card["components"][0]["components"][0]["accessory"]
        assert preview["spoiler"]
        assert preview["media"]["url"].partition("?")[0].endswith("/SPOILER_framing.png")


async def test_a_spoilered_picture_gives_a_spoilered_clip(start: Start) -> None:
    async with start() as edge:
        await edge.animate(file=Upload("SPOILER_photo.png", "image/png", picture()))
        attachment = clip_of(await edge.clip())
        assert attachment
        assert attachment["filename"].startswith("SPOILER_vivant-")


@pytest.mark.parametrize(("stated", "used"), [(5 * MIB, 5 * MIB), (500 * MIB, 10 * MIB)], ids=["small", "Nitro"])
async def test_a_clip_is_made_for_what_the_bot_itself_may_post_there(start: Start, stated: int, used: int) -> None:
    async with start() as edge:
        edge.world.places.set_upload_limit(TABLEAUX, stated)
        await edge.animate()
        await edge.clip()
        assert edge.backend.requests[0].max_bytes == used


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


class Stumbling(PictureChild):
    """Keeps the picture, then falls over a bug."""

    async def prepare(self, *request: Any) -> Prepared:
        await super().prepare(*request)
        raise RuntimeError("a bug")


async def test_a_bug_before_the_job_is_accepted_leaves_no_picture_behind(start: Start) -> None:
    async with start(pictures=Stumbling) as edge:
        await edge.animate()
        await until(lambda: "went wrong on my side" in words(edge.seen()), "a sentence")
        assert list(edge.spool.folder.iterdir()) == []


async def test_a_full_queue_and_a_full_disk_are_refused_and_keep_what_was_accepted(start: Start) -> None:
    async with start(backend=hanging(), config={"queue": {"max_queued_per_user": 1}}) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued()
        refused = await edge.animate()
        assert "most for one person" in await edge.answer(refused)
        await until(lambda: len(edge.seen(actor=BEN)) == 2, "nothing public is left")
        assert len(list(edge.spool.folder.iterdir())) == 2
        edge.spool._min_free_bytes = 2**62
        refused = await edge.animate(actor=BEN)
        assert "disk is nearly full" in await edge.answer(refused, actor=BEN)
        assert len(await edge.store.active_jobs()) == 2
