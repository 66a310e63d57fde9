"""/forget-me: nothing of the person is left or appears afterwards, whatever is being done for them when they press."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bot.edge.posting import Posting
from bot.queue.job import Job, NewJob
from bot.queue.jobs import Jobs
from bot.sandbox.faults import Delay, Do, LoseReply, Refuse, Reset, payload_too_large
from bot.sandbox.rules.message_bodies import Flag
from bot.sandbox.server import Sandbox
from bot.sandbox.world.messages import Origin
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, LOBBY, MIA, OLGA, PICTURES, TABLEAUX, THREAD
from bot.work.ongoing import Ongoing
from generator.picture.intake import PictureChild, Prepared
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import POSTS, Edge, Start, buttons, hanging, png, running_edge, until, words
from tests.support.fakes import Act, FakeBackend

FORGOTTEN = "know nothing about you"


async def press_forget(edge: Edge, action: str = "forget", *, channel: str = PICTURES) -> Any:
    """Have Ada forgotten with one of the two buttons; return the interaction of the press."""
    asked = await edge.invoke("forget-me", channel=channel)
    await edge.answer(asked, channel=channel)
    return await edge.world.press(ADA, channel, str(asked.message_id), f"vivant:{action}:{ADA}:")


async def told(edge: Edge, pressed: Any, sentence: str = FORGOTTEN, *, channel: str = PICTURES) -> str:
    """Wait until the answer to a press says this, and return it."""

    async def answered() -> str | None:
        text = await edge.answer(pressed, channel=channel)
        return text if sentence in text else None

    return str(await until(answered, sentence))


async def nothing_is_left(edge: Edge, *, channel: str = PICTURES) -> None:
    """Assert that there is no row, no file, no clip and no unfinished answer of Ada's."""
    assert await edge.store.jobs.of_user(int(ADA)) == []
    assert sorted(path.name for path in edge.spool.folder.iterdir()) == []
    seen = [item for item in edge.seen(channel=channel) if not item["flags"] & Flag.EPHEMERAL]
    assert [words(item) for item in seen if item["flags"] & Flag.LOADING] == []
    assert [item["attachments"] for item in seen if item["attachments"]] == []


# -- while a request is being taken ---------------------------------------------------------------------------------


class Framing(PictureChild):
    """Frames the picture, and then is slow to say so."""

    framed = 0

    async def prepare(self, *request: Any) -> Prepared:
        prepared = await super().prepare(*request)
        Framing.framed += 1
        await asyncio.Event().wait()
        return prepared


def slow_enqueue(monkeypatch: pytest.MonkeyPatch, *, before: bool) -> asyncio.Event:
    """Stop each request just before or just after its row is written; the event says that one is there."""
    there, enqueue = asyncio.Event(), Jobs.enqueue

    async def slow(self: Jobs, new: NewJob) -> Job:
        job = None if before else await enqueue(self, new)
        there.set()
        await asyncio.Event().wait()
        assert job is not None
        return job

    monkeypatch.setattr(Jobs, "enqueue", slow)
    return there


async def test_while_the_picture_is_downloaded(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        edge.sandbox.faults.add(Delay(60), "GET", "/attachments/**")
        edge.sandbox.faults.add(Delay(60), "GET", "/ephemeral-attachments/**")
        await edge.animate()
        await until(lambda: edge.sandbox.faults.played, "the download has begun")
        await told(edge, await press_forget(edge))
        await nothing_is_left(edge)


async def test_while_the_picture_is_framed(start: Start) -> None:
    Framing.framed = 0
    async with start(backend=hanging(), pictures=Framing) as edge:
        await edge.animate()
        await until(lambda: Framing.framed, "the picture is framed")
        assert list(edge.spool.folder.iterdir()), "the negative control: something is there"
        await told(edge, await press_forget(edge))
        await nothing_is_left(edge)


@pytest.mark.parametrize("before", [True, False], ids=["before its row is written", "after it"])
async def test_while_the_request_is_enqueued(start: Start, monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    there = slow_enqueue(monkeypatch, before=before)
    async with start(backend=hanging()) as edge:
        await edge.animate()
        await until(there.is_set, "the request is about to be enqueued")
        await told(edge, await press_forget(edge))
        await nothing_is_left(edge)


async def test_without_the_interruption_the_request_would_appear_afterwards(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the three tests above."""
    monkeypatch.setattr(Ongoing, "take", lambda *_: None)
    async with start(backend=hanging()) as edge:
        edge.sandbox.faults.add(Delay(0.5), "GET", "/attachments/**")
        edge.sandbox.faults.add(Delay(0.5), "GET", "/ephemeral-attachments/**")
        await edge.animate()
        await until(lambda: edge.sandbox.faults.played, "the download has begun")
        await told(edge, await press_forget(edge))
        await until(lambda: edge.store.jobs.of_user(int(ADA)), "a row of somebody forgotten")


async def test_a_variation_that_is_being_taken(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        there = slow_enqueue(monkeypatch, before=False)
        await edge.world.press(ADA, PICTURES, clip["id"], buttons(clip["components"])["Again"])
        await until(there.is_set, "the variation is enqueued")
        await told(edge, await press_forget(edge))
        assert await edge.store.jobs.of_user(int(ADA)) == []
        assert list(edge.spool.folder.iterdir()) == []
        assert not [item for item in edge.seen() if item["flags"] & Flag.LOADING]


async def test_a_picture_that_was_chosen_of_several(start: Start) -> None:
    Framing.framed = 0
    async with start(backend=hanging(), pictures=Framing) as edge:
        posted = edge.world.post(BEN, PICTURES, "look", [png("first.png"), png("second.png")])
        await edge.answer(await edge.world.invoke_on_message(ADA, PICTURES, posted["id"], "Animate this image"))
        question = next(item for item in edge.seen() if "Which one" in words(item))
        await edge.world.press(ADA, PICTURES, question["id"], buttons(question["components"])["1. first.png"])
        await until(lambda: Framing.framed, "the picture is framed")
        assert list(edge.spool.folder.iterdir()), "the negative control: something is there"
        await told(edge, await press_forget(edge))
        assert await edge.store.jobs.of_user(int(ADA)) == []
        assert list(edge.spool.folder.iterdir()) == []
        assert not [item for item in edge.seen() if item["flags"] & Flag.LOADING]


async def test_other_people_s_requests_go_on(start: Start) -> None:
    async with start(backend=hanging()) as edge:
        edge.sandbox.faults.add(Delay(0.3), "GET", "/attachments/**")
        edge.sandbox.faults.add(Delay(0.3), "GET", "/ephemeral-attachments/**")
        await edge.animate(actor=BEN)
        await until(lambda: edge.sandbox.faults.played, "the download has begun")
        await told(edge, await press_forget(edge))
        [job] = await until(lambda: edge.store.jobs.of_user(int(BEN)), "Ben's job")
        assert edge.spool.path(job.picture).is_file()


async def test_a_server_that_removes_the_bot_while_a_picture_is_framed(start: Start) -> None:
    Framing.framed = 0
    async with start(backend=hanging(), pictures=Framing) as edge:
        await edge.animate()
        await until(lambda: Framing.framed, "the picture is framed")
        edge.world.channels.remove_bot(TABLEAUX)
        await until(lambda: not list(edge.spool.folder.iterdir()), "no picture")
        assert await edge.store.jobs.of_user(int(ADA)) == []


# -- while a clip is being rendered ---------------------------------------------------------------------------------


class EndsAnyway(FakeBackend):
    """Publishes a clip although its render was cancelled, and leaves half of another file, as a killed child does."""

    async def render(self, request: RenderRequest, on_progress: Callable[..., None]) -> Rendered:
        try:
            return await super().render(request, on_progress)
        except asyncio.CancelledError:
            request.clip_path.write_bytes(b"a clip")
            request.clip_path.with_name(f".{request.clip_path.name}.part").write_bytes(b"half a clip")
            raise


async def test_while_the_clip_is_encoded(start: Start) -> None:
    async with start(backend=EndsAnyway(usual=Act(hangs=True))) as edge:
        await edge.queued()
        await until(lambda: edge.backend.requests, "the job runs")
        await told(edge, await press_forget(edge))
        assert edge.backend.cancelled == [1]
        await nothing_is_left(edge)


async def test_between_a_claim_and_its_render(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    claimed, go_on, claim = asyncio.Event(), asyncio.Event(), Jobs.claim

    async def slow(self: Jobs) -> Job | None:
        if (job := await claim(self)) is not None:
            claimed.set()
            await go_on.wait()
        return job

    monkeypatch.setattr(Jobs, "claim", slow)
    async with start() as edge:
        await edge.queued()
        await until(claimed.is_set, "the job is claimed")
        await told(edge, await press_forget(edge))
        go_on.set()
        await edge.queued(actor=BEN)
        await edge.clip()
        assert [request.job for request in edge.backend.requests] == [2], "the forgotten one is not rendered"


# -- while it is being posted ---------------------------------------------------------------------------------------

WHERE = [PICTURES, THREAD, DIRECT_ADA, LOBBY]


@pytest.mark.parametrize("channel", WHERE, ids=["channel", "thread", "direct message", "where it is no member"])
@pytest.mark.parametrize("loses_reply", [False, True], ids=["", "and the reply is lost"])
async def test_while_the_clip_is_posted(start: Start, channel: str, loses_reply: bool) -> None:
    async with start(backend=FakeBackend(usual=Act(steps=1, step_seconds=0.05))) as edge:
        posts = ("PATCH", "/webhooks/*/*/messages/*") if channel == LOBBY else POSTS
        await edge.queued(channel=channel)
        edge.sandbox.faults.add(Delay(0.4), *posts, times=None)
        if loses_reply:
            edge.sandbox.faults.add(LoseReply(), *posts, times=None)
        await edge.delivered(state="sending")
        assert FORGOTTEN in await told(edge, await press_forget(edge, channel=channel), channel=channel)
        edge.sandbox.faults.clear()
        await nothing_is_left(edge, channel=channel)


async def test_without_taking_it_down_the_clip_would_stay(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(Posting, "remove", nothing)
    async with start() as edge:
        edge.sandbox.faults.add(Delay(0.4), *POSTS)
        await edge.queued()
        await edge.delivered(state="sending")
        await told(edge, await press_forget(edge))
        assert edge.clips()


async def test_while_the_clip_is_made_smaller(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow_shrink(source: Path, target: Path, *_: object) -> None:
        begun.set()
        await go_on.wait()
        target.write_bytes(b"a smaller clip")

    monkeypatch.setattr("generator.video.shrink.shrink", slow_shrink)
    monkeypatch.setattr("bot.work.uplink.clip_sizes.SHRINK_TO", (100,))
    async with start() as edge:
        edge.sandbox.faults.add(payload_too_large(), *POSTS)
        await edge.queued()
        await until(begun.is_set, "it is made smaller")
        pressed = await press_forget(edge)

        async def forgotten() -> bool:
            return not await edge.store.jobs.of_user(int(ADA))

        await until(forgotten, "the row is gone at once")
        go_on.set()
        await told(edge, pressed)
        await nothing_is_left(edge)
        assert len([item for item in edge.sandbox.faults.played if item.method == "POST"]) == 1, "no second post"


async def test_a_post_that_takes_longer_than_forgetting_waits_is_deleted_when_it_arrives(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.work.requests.PATIENCE_SECONDS", 0.05)
    async with start() as edge:
        edge.sandbox.faults.add(Delay(0.5), *POSTS)
        await edge.queued()
        await edge.delivered(state="sending")
        await told(edge, await press_forget(edge))
        await until(lambda: "deliver-1" not in {task.get_name() for task in asyncio.all_tasks()}, "the post's end")
        assert [item.status for item in edge.sandbox.record.exchanges if item.method == "DELETE"] == [204], (
            "it had arrived"
        )
        await nothing_is_left(edge)


# -- what was posted before -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", WHERE, ids=["channel", "thread", "direct message", "where it is no member"])
async def test_the_posts_can_be_deleted_too(start: Start, channel: str) -> None:
    async with start() as edge:
        await edge.animate(channel=channel)
        await edge.clip(channel=channel)
        await edge.delivered()
        text = await told(edge, await press_forget(edge, "erase", channel=channel), "deleted.", channel=channel)
        assert "could not" not in text
        assert [words(item) for item in edge.seen(channel=channel) if not item["flags"] & Flag.EPHEMERAL] == []
        await nothing_is_left(edge, channel=channel)


async def test_posts_stay_unless_one_wants_them_deleted(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.clip()
        await edge.delivered()
        await told(edge, await press_forget(edge))
        assert len(edge.clips()) == 1


async def test_who_wants_posts_deleted_that_are_no_longer_known_is_told_so(start: Start) -> None:
    async with start() as edge:
        await edge.animate()
        await edge.clip()
        await edge.delivered()
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        forgotten = await edge.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:forget:{ADA}:")
        assert "no posts" not in await told(edge, forgotten)
        too_late = await edge.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:erase:{ADA}:")
        assert "Delete button" in await told(edge, too_late, "I know of no posts of yours")
        assert len(edge.clips()) == 1


async def test_only_one_s_own_posts_are_deleted_and_what_could_not_be_is_said(start: Start) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN)
        await edge.clip()
        for count in (2, 3):
            await edge.animate()
            await edge.clip(count=count)
            await edge.delivered(count)
        kept_clip = edge.clips()[-1]
        edge.sandbox.faults.add(Refuse(403), "DELETE", f"/channels/*/messages/{kept_clip['id']}")
        text = await told(edge, await press_forget(edge, "erase"), "could not be deleted")
        assert "3 messages in Discord are deleted. 1 could not" in text
        assert [words(item).split()[0] for item in edge.clips()] == [f"<@{BEN}>", f"<@{ADA}>"]


@pytest.mark.parametrize("archived", [True, False], ids=["archived", "locked alone"])
async def test_a_thread_s_clip_that_was_posted_into_the_channel_above_is_deleted_there(
    start: Start, archived: bool
) -> None:
    async with start() as edge:
        await edge.animate(actor=BEN)
        await edge.delivered()
        channels = edge.world.channels
        close = partial(channels.archive_thread if archived else channels.lock_thread, THREAD)
        edge.sandbox.faults.add(Do(close), *POSTS)
        await edge.animate(channel=THREAD)
        await edge.delivered(2)
        assert len(edge.clips()) == 2, "the negative control: it is there"
        text = await told(edge, await press_forget(edge, "erase"), " deleted.")
        assert [words(item).split()[0] for item in edge.clips()] == [f"<@{BEN}>"]
        gone = "1 message in Discord is deleted. 1 could not" if archived else "2 messages in Discord are deleted."
        assert gone in text, "in an archived thread the card stays"


async def test_a_post_that_only_a_dead_token_could_delete_is_said_to_be_left(start: Start) -> None:
    async with start() as edge:
        await edge.animate(channel=LOBBY)
        clip = await edge.clip(channel=LOBBY)
        await edge.delivered()
        sql = "update job set route = json_set(route, '$.token_expires_ms', 1)"
        await edge.store.database.write(lambda db: db.execute(sql).fetchall())
        text = await told(edge, await press_forget(edge, "erase", channel=LOBBY), "could not", channel=LOBBY)
        assert "0 messages in Discord are deleted. 1 could not be deleted: use the Delete button" in text
        await edge.world.press(ADA, LOBBY, clip["id"], buttons(clip["components"])["Delete"])
        await until(lambda: not edge.clips(channel=LOBBY), "the button deletes it")


@pytest.mark.parametrize("channel", WHERE, ids=["channel", "thread", "direct message", "where it is no member"])
async def test_delete_still_works_for_whom_the_post_mentions(start: Start, channel: str) -> None:
    async with start() as edge:
        await edge.animate(channel=channel)
        clip = await edge.clip(channel=channel)
        await edge.delivered()
        await told(edge, await press_forget(edge, channel=channel), channel=channel)
        delete = buttons(clip["components"])["Delete"]
        if channel not in (DIRECT_ADA, LOBBY):
            refused = await edge.world.press(BEN, channel, clip["id"], delete)
            assert "Only the person who asked" in await edge.answer(refused, actor=BEN, channel=channel)
        await edge.world.press(ADA, channel, clip["id"], delete)
        await until(lambda: not edge.clips(channel=channel), "the clip is gone")


@pytest.mark.parametrize("actor", [MIA, OLGA], ids=["moderator", "operator"])
async def test_a_clip_of_somebody_forgotten_can_be_deleted_by_moderators(start: Start, actor: str) -> None:
    async with start() as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
        await told(edge, await press_forget(edge))
        await edge.world.press(actor, PICTURES, clip["id"], buttons(clip["components"])["Delete"])
        await until(lambda: not edge.clips(), "the clip is gone")


async def test_delete_works_also_where_the_bot_no_longer_serves(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.animate()
        clip = await edge.clip()
        await edge.delivered()
    async with running_edge(tmp_path, sandbox, config={"allowed_guilds": [1]}) as edge:
        found = buttons(clip["components"])
        refused = await edge.world.press(ADA, PICTURES, clip["id"], found["Again"])
        assert "do not work in this server" in await edge.answer(refused), "the negative control"
        await edge.world.press(ADA, PICTURES, clip["id"], found["Delete"])
        await until(lambda: not edge.clips(), "the clip is gone")
        await until(lambda: not list(edge.spool.folder.glob("*.mp4")), "the file is gone")


@pytest.mark.parametrize("action", ["forget", "erase"])
async def test_only_one_oneself_can_have_oneself_forgotten(start: Start, action: str) -> None:
    async with start(backend=hanging()) as edge:
        await edge.queued()
        channel = edge.world.channels.get(PICTURES)
        row = {"type": 1, "components": [{"type": 2, "style": 4, "label": "x", "custom_id": f"vivant:{action}:{ADA}:"}]}
        public = edge.world.messages.create(
            channel, {"content": "x", "components": [row]}, {}, Origin(edge.world.directory.bot)
        )
        pressed = await edge.world.press(BEN, PICTURES, public["id"], f"vivant:{action}:{ADA}:")
        assert "Only the person" in await edge.answer(pressed, actor=BEN)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 1


# -- all of it ------------------------------------------------------------------------------------------------------


async def test_forget_me_asks_first_then_deletes_rows_and_files(start: Start) -> None:
    async with start(backend=FakeBackend(script=[Act()], usual=Act(hangs=True))) as edge:
        await edge.queued()
        await edge.clip()
        await edge.delivered()
        await edge.queued()
        await edge.queued(actor=BEN)
        edge.spool.path("1-1-8388608.mp4").write_bytes(b"a smaller copy")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        question = next(item for item in edge.seen() if item["id"] == asked.message_id)
        assert len(await edge.store.jobs.of_user(int(ADA))) == 2
        pressed = await edge.world.press(ADA, PICTURES, question["id"], f"vivant:forget:{ADA}:")
        assert "know nothing about you" in await edge.answer(pressed)
        assert await edge.store.jobs.of_user(int(ADA)) == []
        card = next(item for item in edge.seen() if "Cancelled" in words(item))
        assert not buttons(card["components"])
        assert card["attachments"] == [], "the picture is gone from the card"
        left = await edge.store.retention.known_files()
        await until(lambda: {path.name for path in edge.spool.folder.iterdir()} <= left, "the files are gone")
        assert len(await edge.store.jobs.of_user(int(BEN))) == 1


async def test_forget_me_closes_the_card_of_a_clip_that_could_not_be_posted_yet(start: Start) -> None:
    async with start() as edge:
        edge.sandbox.faults.add(Reset(), *POSTS, times=None)
        await edge.queued()
        await until(lambda: edge.rests, "a failed post")
        asked = await edge.invoke("forget-me")
        await edge.answer(asked)
        pressed = await edge.world.press(ADA, PICTURES, str(asked.message_id), f"vivant:forget:{ADA}:")
        await edge.answer(pressed)
        card = edge.seen()[0]
        assert "Cancelled" in words(card)
        assert (card["attachments"], buttons(card["components"])) == ([], {})
