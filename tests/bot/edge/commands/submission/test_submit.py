"""What is refused, when and how: privately, and with nothing left behind."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from bot.queue.database import StoreFull, fetch
from bot.queue.job import (
    Job,
    JobState,
    Limits,
    NewJob,
    PictureReleased,
    QueuePosition,
    Route,
    wall_clock_ms,
)
from bot.queue.jobs import Jobs
from bot.queue.store import JobStore
from bot.sandbox.faults import Refuse
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.standard import ADA, BEN, LOBBY, MIA, MODERATOR_ROLE, NO_FILES, OLGA, PICTURES
from bot.texts.explanations import explain_full, explain_picture
from bot.texts.replies import no_room_text, picture_gone_text
from generator.errors import PictureError, PictureReason
from generator.picture.intake import PictureChild, Prepared
from generator.variants import BUILT_IN
from tests.support.edge import Edge, Start, buttons, hanging, picture, until, words
from tests.support.fakes import Act, FakeBackend


async def test_a_larger_share_comes_earlier_with_every_way_to_ask(start: Start) -> None:
    backend = FakeBackend(script=[Act()], usual=Act(hangs=True))
    async with start(backend=backend, config={"queue": {"role_weights": {MODERATOR_ROLE: 10_000}}}) as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.queued()
        await until(lambda: len(backend.requests) == 2, "something runs for ever")
        for actor in (BEN, BEN, MIA, MIA):
            await edge.queued(actor=actor)
        await edge.world.press(MIA, PICTURES, clip["id"], buttons(clip["components"])["Again"])

        async def order() -> list[int]:
            return [job.user_id for job in await edge.store.jobs.waiting(25)]

        async def all_there() -> bool:
            return len(await order()) == 5

        await until(all_there, "five jobs wait")
        assert await order() == [int(actor) for actor in (MIA, MIA, MIA, BEN, BEN)]


async def test_without_a_weight_people_take_turns(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "something runs for ever")
        for actor in (BEN, BEN, MIA, MIA):
            await edge.queued(actor=actor)
        order = [job.user_id for job in await edge.store.jobs.waiting(25)]
        assert order == [int(actor) for actor in (BEN, MIA, BEN, MIA)]


class ClaimedAtOnce(Jobs):
    """Lets a worker claim each job before anybody asks for its position."""

    async def enqueue(self, new: NewJob) -> Job:
        job = await super().enqueue(new)

        async def is_claimed() -> bool:
            found = await self.get(job.id)
            return found is not None and found.state is not JobState.QUEUED

        await until(is_claimed, "a claim")
        return job


class ClaimedBetween(ClaimedAtOnce):
    """Tells a position that was true a moment before the claim."""

    async def position(self, job_id: int) -> QueuePosition | None:
        return QueuePosition(position=1, waiting=1, eta_low_ms=3_600_000, eta_high_ms=7_200_000)


@pytest.mark.parametrize("jobs", [ClaimedAtOnce, ClaimedBetween])
async def test_where_the_bot_is_no_member_a_job_that_is_claimed_at_once_is_made(start: Start, jobs: type[Jobs]) -> None:
    async with start() as edge:
        store = JobStore(edge.store.database, Limits(), BUILT_IN, wall_clock_ms)
        # the events of the store that the workers wait at, around other questions
        watched = jobs(store.database, edge.store.deliveries, Limits(), BUILT_IN, wall_clock_ms)
        vars(watched).update(vars(edge.store.jobs))
        store.jobs = watched
        edge.client.services = replace(edge.services, store=store)
        await edge.animate(channel=LOBBY)
        message = await edge.clip(channel=LOBBY)
        assert "here is your clip" in words(message)
        await edge.answer(await edge.invoke("help", channel=LOBBY), channel=LOBBY)
        assert "wrong on my side" not in words(edge.seen(channel=LOBBY))


async def test_where_the_bot_is_no_member_a_long_queue_is_refused(start: Start) -> None:
    async with start(
        backend=hanging(), config={"generator": {"variant": "svd"}, "queue": {"max_queued_per_server": 0}}
    ) as edge:
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
        thread = edge.world.channels.open_thread(PICTURES, "only us", [ADA], private=True)
        refused = await edge.animate(channel=thread)
        assert "mention me in it" in await edge.answer(refused, channel=thread)


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
        await require_refused_at_once(edge, sentence, file=file)
        assert await edge.store.jobs.active() == []


async def require_refused_at_once(edge: Edge, sentence: str, **request: Any) -> None:
    """Ask for a clip, and require that the first thing anybody saw of the bot was the sentence, in private."""
    channel = request.get("channel", PICTURES)
    with edge.world.subscribe() as events:
        refused = await edge.animate(**request)
        assert sentence in await edge.answer(refused, channel=channel)
        edge.world.post(ADA, channel, "the end")
        shown = []
        async for event in events:
            if event["t"].startswith("MESSAGE_"):
                if event["d"].get("content") == "the end":
                    break
                shown.append(event)
    assert [(event["t"], event["visible_to"]) for event in shown] == [("MESSAGE_CREATE", ADA)]
    assert sentence in words(shown[0]["d"])


async def test_everything_that_can_be_refused_from_memory_is_refused_at_once_and_privately(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start(config={"generator": {"variant": "demo", "max_steps": 30}}) as edge:
        await require_refused_at_once(edge, "no motion `banana`", motion="banana")
        await require_refused_at_once(edge, "400 frames", frames=50, playback_fps=3, smooth=True)
        await require_refused_at_once(edge, "Attach Files", channel=NO_FILES)
        await edge.answer(await edge.invoke("admin pause", {"reason": "lunch"}, actor=OLGA), actor=OLGA)
        await require_refused_at_once(edge, "lunch.")
        await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        monkeypatch.setattr(edge.spool, "free_bytes", lambda: 0)
        await require_refused_at_once(edge, "disk is nearly full")


async def test_a_refusal_that_begins_in_public_would_be_noticed(start: Start) -> None:
    async with start() as edge:
        with pytest.raises(AssertionError):
            await require_refused_at_once(edge, "not a picture", file=Upload("a.png", "image/png", b"no picture"))


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"this is no picture", PictureError(PictureReason.NOT_A_PICTURE, "")),
        (picture(640, 480)[:-300], PictureError(PictureReason.CORRUPT, "", what="cut-short")),
        (picture(1100, 1000), PictureError(PictureReason.TOO_MANY_PIXELS, "")),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_what_only_decoding_tells_is_refused_privately_too(
    start: Start, data: bytes, error: PictureError
) -> None:
    async with start(config={"picture": {"max_megapixels": 1}}) as edge:
        refused = await edge.animate(file=Upload("photo.png", "image/png", data))
        answer = await edge.answer(refused)
        assert explain_picture(error).todo in answer
        await until(lambda: edge.seen(actor=BEN) == [], "nothing public is left")
        assert await edge.store.jobs.active() == []
        assert list(edge.spool.folder.iterdir()) == []


async def test_a_picture_that_discord_does_not_hand_over_is_not_queued(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Refuse(404), "GET", "/attachments/**")
        edge.sandbox.faults.add(Refuse(404), "GET", "/ephemeral-attachments/**")
        refused = await edge.animate()
        assert "could not fetch" in await edge.answer(refused)


async def test_a_model_of_one_step_refuses_more_at_once_and_says_that_its_qualities_are_alike(start: Start) -> None:
    async with start(config={"generator": {"variant": "demo"}}) as edge:
        await edge.animate(quality="quality", seed=7)
        best = await edge.clip()
        await edge.animate(seed=7)
        usual = await edge.clip(count=2)
        assert [request.settings.steps for request in edge.backend.requests] == [1, 1]
        assert ["its qualities are all alike" in words(clip) for clip in (best, usual)] == [True, False]


async def test_another_clip_that_finds_no_place_is_refused_at_once_and_privately_too(start: Start) -> None:
    backend = FakeBackend(script=[Act(steps=1)], usual=Act(steps=1, hangs=True))
    async with start(backend=backend, config={"queue": {"max_queued_per_user": 1}}) as edge:
        await edge.animate()
        again = buttons((await edge.clip())["components"])["Again"]
        await edge.queued()
        await until(lambda: len(backend.requests) == 2, "the second job runs")
        await edge.queued()
        pressed = await edge.world.press(ADA, PICTURES, edge.clips()[0]["id"], again)
        assert explain_full("user", 1) in await edge.answer(pressed)
        assert pressed.ephemeral
        taken = await edge.world.press(BEN, PICTURES, edge.clips()[0]["id"], again)
        assert not (await taken.acknowledged()).ephemeral, "the negative control: Ben has a place"


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
        assert explain_full("user", 1) in await edge.answer(refused)
        await until(lambda: len(edge.seen(actor=BEN)) == 2, "nothing public is left")
        assert len(list(edge.spool.folder.iterdir())) == 2
        monkeypatch.setattr(edge.spool, "free_bytes", lambda: 0)
        refused = await edge.animate(actor=BEN)
        assert "disk is nearly full" in await edge.answer(refused, actor=BEN)
        assert len(await edge.store.jobs.active()) == 2


async def test_what_fills_up_while_the_picture_comes_is_refused_with_its_limit(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look before the download finds room, as it does when somebody else is a moment earlier."""

    async def finds_room(*_: object) -> None: ...

    limits = {"max_queued_per_user": 3, "max_queued_per_server": 2}
    async with start(backend=hanging(), config={"queue": limits}) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the first job runs")
        monkeypatch.setattr(edge.store.jobs, "refuse_when_full", finds_room)
        for _ in range(2):
            await edge.queued()
        assert explain_full("guild", 2) in await edge.answer(await edge.animate())
        await edge.store.jobs.enqueue(replace(_copy(await edge.job(2), 1), user_id=int(ADA), route=NOWHERE))
        assert explain_full("user", 3) in await edge.answer(await edge.animate())
        assert len(await edge.store.jobs.active()) == 4
        await until(lambda: len(edge.seen(actor=BEN)) == 3, "nothing public is left")
        await until(lambda: len(list(edge.spool.folder.iterdir())) == 3, "no picture is left")


NOWHERE = Route(application_id=1, channel_id=2)


@pytest.mark.parametrize(
    ("error", "sentence"), [(StoreFull("no room"), no_room_text()), (PictureReleased("gone"), picture_gone_text())]
)
async def test_what_the_queue_does_not_take_in_the_end_leaves_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    async def refuse(new: NewJob) -> Job:
        raise error

    async with start() as edge:
        monkeypatch.setattr(edge.store.jobs, "enqueue", refuse)
        assert sentence in await edge.answer(await edge.animate())
        await until(lambda: edge.seen(actor=BEN) == [], "nothing public is left")
        assert list(edge.spool.folder.iterdir()) == []


async def test_a_queue_that_does_not_tell_in_time_whether_it_is_full_takes_the_request(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again before it accepts; Discord's three seconds pass meanwhile."""

    async def tells_nothing(*_: object) -> None:
        await asyncio.Event().wait()

    async with start() as edge:
        monkeypatch.setattr(edge.store.jobs, "refuse_when_full", tells_nothing)
        await edge.animate()
        await edge.clip()


async def test_another_clip_of_a_variant_that_is_no_longer_there_is_made_by_the_present_one(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.store.database.write(fetch, "update job set settings = json_set(settings, '$.variant', 'gone')")
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await edge.delivered(2)
        before, after = (await edge.job(1)).settings, (await edge.job(2)).settings
        assert (before.variant, after) == ("gone", replace(before, variant="demo", seed=after.seed))


async def test_a_picture_says_itself_what_is_told_beside_its_clip(start: Start) -> None:
    image = Image.new("RGBA", (320, 180), (40, 90, 160, 100))
    image.save(data := io.BytesIO(), "PNG")
    async with start(backend=hanging()) as edge:
        plain = await edge.queued()
        seen_through = await edge.queued(file=Upload("a.png", "image/png", data.getvalue()))
        assert [note.kind for note in seen_through.notes if note not in plain.notes] == ["flattened"]
        assert [job.notes for job in (plain, seen_through)] == [(await edge.job(number)).notes for number in (1, 2)]


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
        await edge.animate(frames=8, loop="none")
        clip = await edge.clip()
        monkeypatch.setattr("generator.clip.MOST_WRITTEN", 7)
        refused = await edge.world.press(BEN, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        assert "8 frames; the most is 7" in await edge.answer(refused, actor=BEN)
        assert len(edge.backend.requests) == 1
