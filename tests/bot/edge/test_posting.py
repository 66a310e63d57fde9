"""Where and how a clip is posted: as one new message, in threads of every kind, and never where others would see it.

The faults of Discord under which one clip must come are in test_delivery.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import discord
import pytest

from bot.edge.card_edits import remove_card
from bot.edge.connection.posts import LOOK_BEFORE_MS, clip_name, search_from
from bot.edge.posting import Posting, needs_look_up
from bot.queue.job import DeadReason, Delivery, DeliveryState, Job, JobState, Route
from bot.sandbox.faults import Do, LoseReply, Refuse
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.directory import ANNOUNCEMENT, FORUM, MEDIA
from bot.sandbox.world.standard import ADA, GENERAL, PICTURES, THREAD, VIVANT
from generator.clip import ClipSettings, Format
from generator.errors import RenderCrashed
from tests.support.edge import POSTS, Edge, hanging, running_edge, until, words
from tests.support.fakes import Act, FakeBackend


def test_names_and_nonces_are_what_discord_takes() -> None:
    assert clip_name("0539f79b-17", Format.GIF) == "vivant-0539f79b-17.gif"


def job_with(card: int | None, key: str) -> Job:
    return Job(
        id=1,
        key=key,
        user_id=7,
        route=Route(application_id=1, channel_id=2),
        settings=ClipSettings(),
        picture="p.png",
        state=JobState.RENDERED,
        attempt=1,
        card_message_id=card,
    )


def at(ms: int) -> int:
    """Return the smallest id that Discord gives at a time."""
    return (ms - discord.utils.DISCORD_EPOCH) << 22


NOW_MS = 1_800_000_000_000
TOO_EARLY = at(NOW_MS - LOOK_BEFORE_MS)


@pytest.mark.parametrize(
    ("card", "key", "starts"),
    [
        (at(NOW_MS - 3_600_000), "1", [TOO_EARLY, at(NOW_MS - 3_600_000)]),  # asked an hour before: or a clock ahead
        (at(NOW_MS + 3_600_000), "1", [at(NOW_MS + 3_600_000)]),  # the clock was behind at the first attempt
        (None, str(at(NOW_MS + 3_600_000)), [at(NOW_MS + 3_600_000)]),
        (None, "no-id", [TOO_EARLY]),
        (TOO_EARLY, "1", [TOO_EARLY]),
        (TOO_EARLY - 1, "1", [TOO_EARLY, TOO_EARLY - 1]),
        (None, "5", [TOO_EARLY, 5]),
        (0, "0", [TOO_EARLY]),
    ],
)
def test_the_history_is_searched_from_the_first_attempt_and_from_discords_own_times(
    card: int | None, key: str, starts: list[int]
) -> None:
    delivery = Delivery(job_id=1, state=DeliveryState.PENDING, nonce="a-1", first_attempt_ms=NOW_MS)
    assert search_from(job_with(card, key), delivery) == starts


def test_before_any_attempt_the_history_is_searched_from_the_request() -> None:
    delivery = Delivery(job_id=1, state=DeliveryState.PENDING, nonce="a-1")
    assert search_from(job_with(at(NOW_MS), "1"), delivery) == [at(NOW_MS)]
    assert search_from(job_with(None, "no-id"), delivery) == [0]
    assert needs_look_up(replace(delivery, may_have_arrived=True, first_attempt_age_ms=0), NOW_MS)


@pytest.mark.parametrize(
    ("wall", "elapsed", "look"),
    [
        (0, 0, False),
        (100, 100, False),
        (108, 108, False),  # 0.6 of the window
        (109, 0, True),
        (0, 109, True),
        (110, 110, True),
        (10**6, 10**6, True),
        (-5, 1, True),  # the clock was set back
        (-(10**6), 10**6, True),
        (10**6, 1, True),  # the machine was paused, and told the time afterwards
        (1, 110, True),  # the clock was set back by as much as has passed
        (1, None, True),  # another process tried first
    ],
)
def test_the_history_is_searched_unless_every_clock_says_that_the_nonce_is_fresh(
    wall: int, elapsed: int | None, look: bool
) -> None:
    delivery = Delivery(
        job_id=1,
        state=DeliveryState.PENDING,
        nonce="a-1",
        may_have_arrived=True,
        first_attempt_ms=NOW_MS - wall * 1000,
        first_attempt_age_ms=None if elapsed is None else elapsed * 1000,
    )
    assert needs_look_up(delivery, NOW_MS) is look
    assert not needs_look_up(replace(delivery, may_have_arrived=False), NOW_MS)


# -- without Read Message History -----------------------------------------------------------------------------------


def take_history(edge: Edge) -> None:
    edge.world.channels.set_bot_permission(PICTURES, Permission.READ_MESSAGE_HISTORY, allowed=False)


def posts(edge: Edge) -> list[Json]:
    return [item.body for item in edge.sandbox.record.asked("POST", "/channels/{channel_id}/messages")]


@pytest.mark.parametrize("readable", [True, False])
async def test_a_clip_is_one_new_message_that_notifies_its_person_alone(edge: Edge, readable: bool) -> None:
    if not readable:
        take_history(edge)
    await edge.animate()
    [clip] = await edge.only_clips()
    assert "message_reference" not in clip, "the card, which it could reply to, is gone"
    assert [person for person, _ in edge.world.messages.notified] == [ADA]
    assert len(posts(edge)) == 1
    assert posts(edge)[0]["allowed_mentions"] == {"parse": [], "users": [int(ADA)]}


async def test_the_card_of_a_clip_in_another_channel_stays_and_leads_there(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=hanging()) as edge:
        job = await edge.queued(channel=THREAD)
        await until(lambda: words(edge.card(job)), "a card")
        await edge.cards.finish(job.id)
        url = f"https://discord.com/channels/1/{PICTURES}/3"
        settled = replace(job, state=JobState.RENDERED)
        await remove_card(edge.client, settled, url, now_ms=edge.clock())
        assert url in words(edge.card(job))
        own = f"https://discord.com/channels/1/{THREAD}/{job.card_message_id}"
        await remove_card(edge.client, settled, own, now_ms=edge.clock())
        assert edge.card(job), "a card that is the answer itself is not touched"
        await remove_card(edge.client, settled, f"https://discord.com/channels/1/{THREAD}/3", now_ms=edge.clock())
        assert str(job.card_message_id) not in {item["id"] for item in edge.seen(channel=THREAD)}


async def test_any_other_fault_of_the_message_is_no_reason_to_post_again(edge: Edge) -> None:
    body = json.dumps({"code": 50035, "message": "Invalid Form Body", "errors": {"content": {"_errors": []}}})
    refusal = edge.sandbox.faults.add(Refuse(400, body, {"Content-Type": "application/json"}), *POSTS, times=2)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.REFUSED
    assert refusal.times == 1


async def test_a_failure_is_told_without_the_history_too(sandbox: Sandbox, tmp_path: Path) -> None:
    backend = FakeBackend(usual=Act(error=RenderCrashed("no")))
    async with running_edge(tmp_path, sandbox, backend=backend, config={"queue": {"max_attempts": 1}}) as edge:
        sandbox.faults.add(Do(lambda: take_history(edge)), *POSTS)
        await edge.animate()
        await edge.delivered()
        assert f"<@{ADA}>" in words(edge.seen()[-1])


# -- threads that are closed ----------------------------------------------------------------------------------------


def private_thread(edge: Edge, *people: str) -> str:
    return edge.world.channels.open_thread(PICTURES, "only us", [ADA, *people], private=True)


def closed(edge: Edge, thread: str, how: str) -> Do:
    channels = edge.world.channels
    if how == "locked":
        return Do(lambda: channels.lock_thread(thread))
    return Do(lambda: channels.archive_thread(thread, locked=how == "archived and locked"))


@pytest.mark.parametrize(
    ("how", "where"), [("archived", "thread"), ("archived and locked", "parent"), ("locked", "parent")]
)
@pytest.mark.parametrize("kind", ["text", "announcement"])
async def test_a_public_threads_channel_takes_the_clip_when_the_thread_is_locked(
    sandbox: Sandbox, tmp_path: Path, how: str, where: str, kind: str
) -> None:
    thread = THREAD
    if kind == "announcement":
        sandbox.world.directory.channels[PICTURES]["type"] = ANNOUNCEMENT
        thread = sandbox.world.channels.open_thread(PICTURES, "about it")
    async with running_edge(tmp_path, sandbox) as edge:
        sandbox.faults.add(closed(edge, thread, how), *POSTS)
        await edge.animate(channel=thread)
        await edge.delivered()
        assert [len(edge.clips(channel=channel)) for channel in (thread, PICTURES)] == (
            [1, 0] if where == "thread" else [0, 1]
        )


async def test_a_private_threads_clip_never_leaves_it(edge: Edge) -> None:
    thread = private_thread(edge, VIVANT)
    edge.backend.usual = Act(steps=2, step_seconds=0.2)
    await edge.queued(channel=thread)
    edge.world.channels.lock_thread(thread)
    await until(lambda: "Bringing it to life" in words(edge.seen(channel=thread)), "a card that moves on")
    await edge.delivered()
    assert len(edge.clips(channel=thread)) == 1  # in the interaction's answer
    assert edge.seen(channel=PICTURES) == []


async def test_a_private_threads_clip_that_nothing_takes_is_a_dead_letter_and_stays_out_of_the_channel(
    edge: Edge,
) -> None:
    thread = private_thread(edge, VIVANT)
    edge.sandbox.faults.add(closed(edge, thread, "archived and locked"), *POSTS)
    await edge.animate(channel=thread)
    assert (await edge.delivered(state="dead")).error == DeadReason.THREAD_CLOSED
    assert edge.seen(channel=PICTURES) == []
    handed = await edge.invoke("result", {"job": 1}, channel=GENERAL)
    await edge.answer(handed, channel=GENERAL)
    assert len(edge.clips(channel=GENERAL)) == 1


@pytest.mark.parametrize("kind", [FORUM, MEDIA])
@pytest.mark.parametrize("code", [50083, 160005, 160006, 160007])
async def test_a_closed_post_of_a_forum_is_answered_by_the_open_interaction(
    sandbox: Sandbox, tmp_path: Path, kind: int, code: int
) -> None:
    sandbox.world.directory.channels[PICTURES]["type"] = kind
    refusal = Refuse(400, f'{{"message": "closed", "code": {code}}}', {"Content-Type": "application/json"})
    sandbox.faults.add(refusal, *POSTS, times=None)
    async with running_edge(tmp_path, sandbox) as edge:
        interaction = await edge.animate(channel=THREAD)
        await edge.delivered()
        [clip] = edge.clips(channel=THREAD)
        assert clip["id"] == interaction.message_id
        asked = sandbox.record.asked("POST", "/channels/{channel_id}/messages")
        assert {item.path for item in asked} <= {f"/channels/{THREAD}/messages"}


async def test_a_forum_post_that_is_open_takes_its_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.world.directory.channels[PICTURES]["type"] = FORUM
    async with running_edge(tmp_path, sandbox) as edge:
        interaction = await edge.animate(channel=THREAD)
        clip = await edge.clip(channel=THREAD)
        assert clip["id"] != interaction.message_id


class WithoutMemory(Posting):
    """Neither repeats a nonce nor looks up what arrived."""

    attempts = 0

    async def send(self, channel: discord.abc.Messageable, job: Job, nonce: str) -> discord.Message:
        self.attempts += 1
        return await super().send(channel, job, f"{nonce}-{self.attempts}")

    async def find(self, channel: discord.PartialMessageable, job: Job, delivery: Delivery) -> discord.Message | None:
        return None


class WithoutNonce(WithoutMemory):
    """Only the look-up can tell that a clip arrived."""

    async def find(self, channel: discord.PartialMessageable, job: Job, delivery: Delivery) -> discord.Message | None:
        async for message in channel.history():
            if any(item.filename.startswith("vivant-") for item in message.attachments):
                return message
        return None


def lock_at_second_post(edge: Edge) -> None:
    edge.sandbox.faults.add(LoseReply(), *POSTS)
    edge.sandbox.faults.add(closed(edge, THREAD, "archived and locked"), *POSTS, skip=1)


def close_the_parent_after_a_lost_reply(edge: Edge) -> None:
    """The clip arrives in the parent, its reply is lost, and then the parent takes no more posts."""
    channels = edge.world.channels
    edge.sandbox.faults.add(closed(edge, THREAD, "locked"), *POSTS)
    edge.sandbox.faults.add(LoseReply(), "POST", f"/channels/{PICTURES}/messages")
    shut = Do(lambda: channels.set_bot_permission(PICTURES, Permission.SEND_MESSAGES, allowed=False))
    edge.sandbox.faults.add(shut, "POST", f"/channels/{PICTURES}/messages", skip=1)


@pytest.mark.parametrize("script", [lock_at_second_post, close_the_parent_after_a_lost_reply])
@pytest.mark.parametrize(("posting", "count"), [(WithoutNonce, 1), (WithoutMemory, 2)])
async def test_a_locked_thread_and_a_lost_reply_leave_one_clip(
    sandbox: Sandbox, tmp_path: Path, script: Callable[[Edge], None], posting: type[Posting], count: int
) -> None:
    async with running_edge(tmp_path, sandbox, posting=posting) as edge:
        script(edge)
        await edge.animate(channel=THREAD)

        async def settled() -> bool:
            delivery = await edge.store.deliveries.of_job(1)
            return delivery is not None and delivery.state in ("sent", "dead")

        await until(settled, "an end of the delivery")
        clips = [clip for channel in (THREAD, PICTURES) for clip in edge.clips(channel=channel)]
        assert len(clips) == count


# -- threads that the bot is not in ---------------------------------------------------------------------------------


async def test_in_a_private_thread_without_the_bot_card_and_clip_are_the_interactions_answer(edge: Edge) -> None:
    thread = private_thread(edge)
    edge.backend.usual = Act(steps=2, step_seconds=0.2)
    interaction = await edge.animate(channel=thread)
    await until(lambda: "Bringing it to life" in words(edge.seen(channel=thread)), "a card that moves on")
    await edge.delivered()
    [clip] = edge.clips(channel=thread)
    assert clip["id"] == interaction.message_id
    assert edge.seen(channel=PICTURES) == []
    assert edge.sandbox.record.asked("POST", "/channels/{channel_id}/messages") == []


async def test_the_bot_posts_in_a_private_thread_once_it_is_added(edge: Edge) -> None:
    thread = private_thread(edge)
    edge.world.channels.add_to_thread(thread, VIVANT)
    await until(lambda: edge.client.get_channel(int(thread)), "the thread at the bot")
    interaction = await edge.animate(channel=thread)
    clip = await edge.clip(channel=thread)
    assert clip["id"] != interaction.message_id


@pytest.mark.parametrize("when", ["before it is asked", "while it works"])
async def test_a_bot_that_is_put_out_of_a_private_thread_still_answers(edge: Edge, when: str) -> None:
    thread, channels = private_thread(edge, VIVANT), edge.world.channels
    known = await until(lambda: edge.client.get_channel(int(thread)), "the thread at the bot")
    edge.backend.usual = Act(steps=3, step_seconds=0.2)
    if when == "before it is asked":
        channels.remove_from_thread(thread, VIVANT)
        await until(lambda: known.me is None, "the bot hears of it")
    interaction = await edge.animate(channel=thread)
    await until(lambda: "Your clip comes" in words(edge.seen(channel=thread)) or edge.backend.requests, "a card")
    if when == "while it works":
        channels.remove_from_thread(thread, VIVANT)
    await until(lambda: "Bringing it to life" in words(edge.seen(channel=thread)), "a card that moves on")
    await edge.delivered()
    [clip] = edge.clips(channel=thread)
    assert clip["id"] == interaction.message_id
