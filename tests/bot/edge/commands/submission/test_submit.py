"""What is refused, when and how: privately, and with nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from bot.queue.job import Job, NewJob
from bot.sandbox.faults import Refuse
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, BEN, LOBBY, PICTURES
from bot.texts.explanations import explain_picture
from generator.errors import PictureError, PictureReason
from generator.picture.intake import PictureChild, Prepared
from tests.support.edge import Start, buttons, hanging, picture, until, words


async def test_where_the_bot_is_no_member_a_long_queue_is_refused(start: Start) -> None:
    async with start(backend=hanging(), config={"queue": {"max_queued_per_server": 0}}) as edge:
        for _ in range(2):
            await edge.queued(steps=50, frames=50, shape="square")
        await until(lambda: len(edge.backend.requests) == 1, "the first job runs")
        for number in range(600):
            await edge.store.jobs.enqueue(_copy(await edge.job(2), number))
        before = len(await edge.store.jobs.active())
        refused = await edge.animate(channel=LOBBY)
        assert "only answer for 15 minutes" in await edge.answer(refused, channel=LOBBY)
        assert len(await edge.store.jobs.active()) == before
        assert await edge.store.deliveries.due() == [], "nobody is to be told that it was cancelled"
        await until(lambda: len(edge.seen(channel=LOBBY)) == 1, "nothing public is left")


def _copy(job: Job, number: int) -> NewJob:
    return NewJob(key=f"copy-{number}", user_id=number, route=job.route, settings=job.settings, picture=job.picture)


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
        assert await edge.store.jobs.active() == []


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
        assert await edge.store.jobs.active() == []
        assert list(edge.spool.folder.iterdir()) == []


async def test_a_picture_that_discord_does_not_hand_over_is_not_queued(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Refuse(404), "GET", "/attachments/**")
        edge.sandbox.faults.add(Refuse(404), "GET", "/ephemeral-attachments/**")
        refused = await edge.animate()
        assert "could not fetch" in await edge.answer(refused)


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


async def test_a_full_queue_and_a_full_disk_are_refused_and_keep_what_was_accepted(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(backend=hanging(), config={"queue": {"max_queued_per_user": 1}}) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        await edge.queued()
        refused = await edge.animate()
        assert "most for one person" in await edge.answer(refused)
        await until(lambda: len(edge.seen(actor=BEN)) == 2, "nothing public is left")
        assert len(list(edge.spool.folder.iterdir())) == 2
        monkeypatch.setattr(edge.spool, "free_bytes", lambda: 0)
        refused = await edge.animate(actor=BEN)
        assert "disk is nearly full" in await edge.answer(refused, actor=BEN)
        assert len(await edge.store.jobs.active()) == 2


async def test_options_that_together_make_too_much_are_refused_at_the_form(start: Start) -> None:
    async with start() as edge:
        much: dict[str, Any] = {"frames": 50, "loop": "boomerang", "playback_fps": 1}
        for options, says in ((much | {"smooth": True}, "2,352 frames"), (much, "98 seconds")):
            assert says in await edge.answer(await edge.animate(**options))
        assert not await edge.store.jobs.of_user(int(ADA))
        await edge.animate(**much | {"playback_fps": 7, "smooth": True})
        await edge.clip()


async def test_another_clip_of_what_was_accepted_before_there_was_a_limit_is_refused(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start() as edge:
        await edge.animate(frames=8)
        clip = await edge.clip()
        monkeypatch.setattr("generator.clip.MOST_WRITTEN", 7)
        refused = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        assert "8 frames; the most is 7" in await edge.answer(refused, actor=BEN)
        assert len(edge.backend.requests) == 1
