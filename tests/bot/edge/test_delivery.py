"""Exactly one clip, or a dead letter with its reason, under every fault of Discord; over real sockets."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import imageio_ffmpeg
import pytest

from bot.edge.delivery import CUT_SECONDS, ROOM_SECONDS, Poster, is_stall
from bot.edge.http_errors import AttemptResult, Next
from bot.edge.posting import Posting
from bot.queue.database import StoreFull
from bot.queue.deliveries import Deliveries
from bot.queue.job import DeadReason, Delivery, Job
from bot.sandbox.faults import (
    CutUpload,
    Delay,
    Do,
    DropGateway,
    FaultScript,
    LoseReply,
    Refuse,
    Reset,
    Stall,
    banned_by_edge,
    blocked_by_discord,
    blocked_by_edge,
    payload_too_large,
    rate_limited,
    server_error,
)
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, GENERAL, LOBBY, MIA, PICTURES, THREAD
from bot.work.uplink.uploads import NeverBegun
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import POSTS, Edge, clip_of, count_clips, running_edge, until, words
from tests.support.fakes import Act, FakeBackend

MINUTES = 60


def refused(status: int) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="", headers={"Content-Type": "application/json"})
    return discord.HTTPException(response, {"code": 0, "message": ""})


async def require_one_clip(edge: Edge, channel: str = PICTURES) -> None:
    """Assert what every fault must leave true: one clip for the job, told to its person once."""

    async def quiet() -> bool:
        return not await edge.store.deliveries.due()

    await edge.delivered(timeout=30)
    await until(quiet, "nothing left to deliver")
    assert len(edge.clips(channel=channel)) == 1
    assert [person for person, _ in edge.world.messages.notified] == [ADA]


@pytest.mark.parametrize(
    ("error", "seconds", "expected"),
    [
        (TimeoutError(), 0.0, True),
        (NeverBegun(), CUT_SECONDS, False),
        (aiohttp.ConnectionTimeoutError(), CUT_SECONDS, False),
        (ConnectionResetError(), CUT_SECONDS, True),
        (ConnectionResetError(), CUT_SECONDS - 0.1, False),
        (refused(408), 0.0, True),
        (refused(503), CUT_SECONDS, False),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_only_an_upload_that_stood_still_asks_for_a_smaller_clip(
    error: Exception, seconds: float, expected: bool
) -> None:
    assert is_stall(error, seconds) is expected


# -- one clip under every fault ------------------------------------------------------------------------------------

FAULTS: dict[str, list[Any]] = {
    "reply lost by a reset": [LoseReply()],
    "reply lost by a close": [LoseReply(reset=False)],
    "reply lost again and again": [LoseReply()] * 4,
    "rate limited": [rate_limited(0.05)] * 2,
    "rate limited by the edge, without headers": [banned_by_edge()] * 2,
    "500": [server_error(500)],
    "502": [server_error(502)],
    "503": [server_error(503)] * 3,
    "reset before it was accepted": [Reset()] * 2,
    "upload cut": [CutUpload()] * 2,
    "a page of the edge": [blocked_by_edge(403), blocked_by_edge(404), blocked_by_edge(400)],
    "turned away by Discord's network": [blocked_by_discord()] * 2,
    "503, then the reply lost": [server_error(503), LoseReply()],
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_at_the_post_leaves_one_clip(edge: Edge, name: str) -> None:
    for fault in FAULTS[name]:
        edge.sandbox.faults.add(fault, *POSTS)
    await edge.animate()
    await require_one_clip(edge)
    assert edge.sandbox.faults.played
    assert edge.sandbox.unimplemented == []


async def test_a_gateway_that_drops_at_the_command_is_resumed_and_the_clip_comes(edge: Edge) -> None:
    edge.sandbox.faults.add(DropGateway(), "GATEWAY", "INTERACTION_CREATE")
    await edge.animate()
    await require_one_clip(edge)
    assert edge.world.identifies == 1


async def test_a_session_that_is_declared_invalid_is_begun_anew_and_the_clip_comes(edge: Edge) -> None:
    edge.backend.usual = Act(steps=2, step_seconds=0.2)
    await edge.queued()
    edge.sandbox.gateway.invalidate()
    await require_one_clip(edge)


async def test_a_deleted_card_does_not_stop_the_clip(edge: Edge) -> None:
    edge.backend.usual = Act(steps=2, step_seconds=0.2)
    job = await edge.queued()
    edge.world.delete_message(MIA, PICTURES, str(job.card_message_id))
    await require_one_clip(edge)
    await edge.only_clips()


async def test_an_outage_longer_than_the_nonce_window_leaves_one_clip(edge: Edge) -> None:
    await _long_outage(edge)
    await require_one_clip(edge)


async def test_a_clip_that_somebody_deleted_meanwhile_is_not_posted_again(edge: Edge) -> None:
    edge.sandbox.faults.add(LoseReply(), *POSTS)
    edge.sandbox.faults.add(Do(lambda: _delete_clips(edge)), *POSTS, skip=1)
    await edge.animate()
    delivery = await edge.delivered()
    assert edge.clips() == []
    assert delivery.message_id is None


def _delete_clips(edge: Edge) -> None:
    for clip in edge.clips():
        edge.world.delete_message(MIA, PICTURES, clip["id"])


async def _long_outage(edge: Edge) -> None:
    """Lose the reply to an accepted post, and come back ten minutes later."""
    edge.sandbox.faults.add(LoseReply(), *POSTS)
    edge.sandbox.faults.add(Do(lambda: _pass_time(edge, 10 * MINUTES)), *POSTS, skip=1)
    edge.sandbox.faults.add(Reset(), *POSTS, skip=1)
    await edge.animate()


def _pass_time(edge: Edge, seconds: float) -> None:
    edge.world.clock.advance(seconds)
    edge.clock.ahead_ms += int(seconds * 1000)


async def test_a_restart_between_the_post_and_its_answer_leaves_one_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    await _crash_after_posting(sandbox, tmp_path)
    async with running_edge(tmp_path, sandbox) as edge:
        await require_one_clip(edge)
        assert (await edge.delivered()).attempts == 2


async def test_a_restart_long_after_the_post_leaves_one_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    await _crash_after_posting(sandbox, tmp_path)
    async with running_edge(tmp_path, sandbox, ahead_ms=3_600_000) as edge:
        sandbox.world.clock.advance(3600)
        await require_one_clip(edge)


async def test_a_clock_that_was_ahead_at_the_post_leaves_one_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    await _crash_after_posting(sandbox, tmp_path, ahead_ms=10 * MINUTES * 1000)
    sandbox.world.clock.advance(9 * MINUTES)  # past the nonce's window
    async with running_edge(tmp_path, sandbox, ahead_ms=9 * MINUTES * 1000) as edge:
        await require_one_clip(edge)


@pytest.mark.parametrize("behind_seconds", [10 * MINUTES, 9 * MINUTES, 30 * MINUTES])  # with more, the start is paced
async def test_a_clock_that_is_behind_at_the_start_leaves_one_clip(
    sandbox: Sandbox, tmp_path: Path, behind_seconds: int
) -> None:
    """A machine that was resumed: ten minutes have passed, and its clock says that none did, or one, or fewer."""
    await _crash_after_posting(sandbox, tmp_path)
    sandbox.world.clock.advance(10 * MINUTES)
    async with running_edge(tmp_path, sandbox, ahead_ms=(10 * MINUTES - behind_seconds) * 1000) as edge:
        await require_one_clip(edge)


async def test_without_the_look_up_a_clock_that_is_behind_at_the_start_is_a_second_clip(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    await _crash_after_posting(sandbox, tmp_path)
    sandbox.world.clock.advance(10 * MINUTES)
    async with running_edge(tmp_path, sandbox, posting=WithoutLookUp) as edge:
        await edge.delivered(timeout=30)
        assert len(edge.clips()) == 2


async def _crash_after_posting(sandbox: Sandbox, folder: Path, **more: Any) -> None:
    """Stop everything once the post is accepted and its reply withheld."""
    sandbox.faults.add(LoseReply(), *POSTS)
    async with running_edge(folder, sandbox, pause_scale=1000, **more) as edge:
        await edge.animate()
        await until(edge.clips, "an accepted post")


async def test_one_slow_upload_holds_up_no_other_channel(edge: Edge) -> None:
    edge.sandbox.faults.add(Delay(2.0), "POST", f"/channels/{PICTURES}/messages")
    await edge.queued()
    await edge.queued(channel=GENERAL, actor=BEN)
    await edge.delivered(2)
    assert edge.clips() == []
    await edge.delivered(1)


async def test_one_slow_upload_holds_up_no_cancelled_card_in_its_channel(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, backend=FakeBackend(script=[Act()] * 2, usual=Act(hangs=True))) as edge:
        edge.sandbox.faults.add(Stall(60, above_bytes=1_000), *POSTS)
        for _ in range(3):
            await edge.queued()
        await edge.delivered(1, "sending")
        await edge.services.requests.cancel(3)
        await edge.delivered(3)
        still = [await edge.delivered(number, state) for number, state in ((1, "sending"), (2, "pending"))]
        assert [item.attempts for item in still] == [1, 0], "the next clip waits for its turn"


async def test_an_outage_is_waited_out_with_longer_and_longer_rests(edge: Edge) -> None:
    edge.sandbox.faults.add(server_error(503), *POSTS, times=8)
    await edge.animate()
    await require_one_clip(edge)
    longest = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]
    rests = edge.rests[: len(longest)]
    assert all(0.75 * most <= rest <= most for rest, most in zip(rests, longest, strict=True))
    assert edge.world.identifies == 1


async def _storm(folder: Path, jobs: int, seed: int, posting: type[Posting] = Posting) -> tuple[list[int], int]:
    """Return how many clips each job got while faults of all kinds fall at random, and how many fell."""
    async with Sandbox(faults=FaultScript(seed)) as sandbox:
        for fault in (LoseReply(), LoseReply(reset=False), Reset(), CutUpload(), server_error(503), rate_limited(0.02)):
            sandbox.faults.add(fault, *POSTS, times=None, probability=0.1)
        async with running_edge(folder, sandbox, posting=posting) as edge:
            for number in range(jobs):
                await edge.queued(channel=(PICTURES, GENERAL, THREAD)[number % 3])
            for number in range(1, jobs + 1):
                await edge.delivered(number, timeout=60)
            clips = [clip for channel in (PICTURES, GENERAL, THREAD) for clip in edge.clips(channel=channel)]
            counts = count_clips(clips, jobs)
            return counts, len(sandbox.faults.played)


@pytest.mark.parametrize("jobs", [25, pytest.param(500, marks=pytest.mark.soak)])
async def test_faults_at_random_leave_one_clip_each(tmp_path: Path, jobs: int) -> None:
    seed = secrets.randbits(32)
    counts, faults = await _storm(tmp_path, jobs, seed)
    print(f"seed {seed}: {jobs} jobs, {faults} faults, lost {counts.count(0)}, doubled {sum(n > 1 for n in counts)}")
    assert faults > jobs // 4
    assert counts == [1] * jobs


async def test_the_same_storm_without_the_nonce_doubles_clips(tmp_path: Path) -> None:
    counts, _ = await _storm(tmp_path, 25, seed=7, posting=WithoutNonce)
    assert max(counts) > 1


# -- negative controls: what the same check catches -----------------------------------------------------------------


class WithoutNonce(Posting):
    async def send(self, channel: discord.abc.Messageable, job: Job, nonce: str) -> discord.Message:
        return await super().send(channel, job, secrets.token_hex(8))


class WithoutLookUp(Posting):
    async def find(self, channel: discord.PartialMessageable, job: Job, delivery: Delivery) -> discord.Message | None:
        return None


class MarksThenPosts(Poster):
    async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
        await self.store.deliveries.mark_sending(job.id)
        await self.store.deliveries.mark_sent(job.id, None)
        return (await super().attempt(job, delivery))[0], None


async def test_without_the_nonce_a_lost_reply_is_a_second_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add(LoseReply(), *POSTS)
    async with running_edge(tmp_path, sandbox, posting=WithoutNonce) as edge:
        await edge.animate()
        with pytest.raises(AssertionError):
            await require_one_clip(edge)
        assert len(edge.clips()) == 2


async def test_without_the_look_up_a_long_outage_is_a_second_clip(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, posting=WithoutLookUp) as edge:
        await _long_outage(edge)
        with pytest.raises(AssertionError):
            await require_one_clip(edge)
        assert len(edge.clips()) == 2


async def test_marked_before_it_is_posted_a_clip_is_lost(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, poster=MarksThenPosts) as edge:
        sandbox.faults.add(Reset(), *POSTS)
        await edge.animate()
        with pytest.raises(AssertionError):
            await require_one_clip(edge)
        assert edge.clips() == []


class Poisoned(Posting):
    async def post(self, job: Job, delivery: Delivery, now_ms: int) -> str | None:
        if job.id == 1:
            raise ZeroDivisionError("a bug that one job meets")
        return await super().post(job, delivery, now_ms)


class CatchesNothing(Poster):
    async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
        await self.store.deliveries.mark_sending(job.id)
        url = await self.posting.post(job, delivery, self.now_ms())
        await self.store.deliveries.mark_sent(job.id, None)
        return AttemptResult(Next.SENT), url


async def test_one_poisoned_delivery_stops_no_other_and_is_tried_again(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, posting=Poisoned) as edge:
        await edge.queued()
        await until(lambda: len(edge.rests) >= 2, "a second attempt of the poisoned one")
        await edge.queued()
        await edge.delivered(2)
        poisoned = await edge.store.deliveries.of_job(1)
        assert poisoned is not None and poisoned.state in ("pending", "sending")
        assert poisoned.error == "ZeroDivisionError"


async def test_a_delivery_that_meets_nothing_is_not_put_off(
    sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.queued()
        await edge.delivered()
    assert "job=1 sent" in caplog.text
    assert "delivery waits" not in caplog.text


async def test_a_surprise_outside_of_the_attempt_stops_no_other_and_loses_nothing(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.delivery.ROOM_SECONDS", 0.1)
    async with running_edge(tmp_path, sandbox, poster=CatchesNothing, posting=Poisoned) as edge:
        await edge.queued()
        await edge.queued()
        await edge.delivered(2)
        await until(lambda: len(edge.rests) >= 3, "the poisoned one is tried again and again")
        poisoned = await edge.store.deliveries.of_job(1)
        assert poisoned is not None and poisoned.attempts >= 3
        assert len(edge.clips()) == 1


async def test_a_surprise_after_the_post_does_not_post_again(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_card(*given: object, **more: object) -> None:
        raise ZeroDivisionError("a bug in the last card")

    monkeypatch.setattr("bot.edge.delivery.ROOM_SECONDS", 0.1)
    monkeypatch.setattr("bot.edge.delivery.remove_card", broken_card)
    async with running_edge(tmp_path, sandbox) as edge:
        await edge.queued()
        await edge.delivered()
        await until(lambda: edge.rests, "the surprise was met")
        monkeypatch.undo()
        await edge.queued()
        await edge.delivered(2)
        assert len(edge.clips()) == 2


async def test_without_the_catch_all_the_same_poison_stops_the_poster(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.delivery.CONTAINED", ())
    with pytest.raises(ExceptionGroup):
        unguarded: Any = lambda name, loop: loop()  # noqa: E731
        async with running_edge(
            tmp_path, sandbox, poster=CatchesNothing, posting=Poisoned, keep_going=unguarded
        ) as edge:
            await edge.queued()
            await edge.queued()
            with pytest.raises(AssertionError):
                await edge.delivered(2, timeout=1)


# -- other ways, and dead letters -----------------------------------------------------------------------------------


async def test_without_the_right_to_post_the_answer_itself_becomes_the_clip(edge: Edge) -> None:
    _forbid_posting(edge)
    interaction = await edge.animate()
    await edge.delivered()
    [clip] = edge.clips()
    assert clip["id"] == interaction.message_id


async def test_when_no_way_is_left_the_clip_is_kept_and_handed_over_later(edge: Edge) -> None:
    _forbid_posting(edge)
    edge.sandbox.faults.add(Do(lambda: _pass_time(edge, 16 * MINUTES)), *POSTS)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.NO_PERMISSION
    assert edge.clips() == []
    await until(lambda: "/result job:1" in words(edge.seen()), "the card says how to get it")
    handed = await edge.invoke("result", {"job": 1}, channel=GENERAL)
    await edge.answer(handed, channel=GENERAL)
    assert [clip_of(item) is not None for item in edge.seen(channel=GENERAL)] == [True]


def _forbid_posting(edge: Edge) -> None:
    channels = edge.world.channels
    edge.sandbox.faults.add(
        Do(lambda: channels.set_bot_permission(PICTURES, Permission.SEND_MESSAGES, allowed=False)), *POSTS
    )


async def test_a_deleted_channel_gives_a_dead_letter(edge: Edge) -> None:
    edge.sandbox.faults.add(Do(lambda: edge.world.channels.delete_channel(PICTURES)), *POSTS)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.CHANNEL_GONE
    handed = await edge.invoke("result", channel=GENERAL)
    await edge.answer(handed, channel=GENERAL)
    assert len(edge.clips(channel=GENERAL)) == 1


async def test_a_permission_that_was_taken_after_the_clip_got_through_changes_nothing(edge: Edge) -> None:
    edge.sandbox.faults.add(LoseReply(), *POSTS)
    channels = edge.world.channels
    taken = Do(lambda: channels.set_bot_permission(PICTURES, Permission.SEND_MESSAGES, allowed=False))
    edge.sandbox.faults.add(taken, *POSTS, skip=1)
    await edge.animate()
    await require_one_clip(edge)


@pytest.mark.parametrize("locked", [False, True])
async def test_an_archived_thread_is_opened_and_a_locked_ones_channel_takes_the_clip(edge: Edge, locked: bool) -> None:
    archive = Do(lambda: edge.world.channels.archive_thread(THREAD, locked=locked))
    edge.sandbox.faults.add(archive, *POSTS)
    await edge.animate(channel=THREAD)
    await require_one_clip(edge, channel=PICTURES if locked else THREAD)


async def test_where_the_bot_is_no_member_the_answer_dies_with_its_token(edge: Edge) -> None:
    edge.sandbox.faults.add(Do(lambda: _pass_time(edge, 16 * MINUTES)), "PATCH", "/webhooks/**", skip=1)
    await edge.animate(channel=LOBBY)
    assert (await edge.delivered(state="dead", timeout=40)).error == DeadReason.EXPIRED


async def test_a_message_that_automod_turns_down_is_a_dead_letter(edge: Edge) -> None:
    body = '{"message": "Message was blocked by automatic moderation", "code": 200000}'
    edge.sandbox.faults.add(Refuse(400, body, {"Content-Type": "application/json"}), *POSTS, times=None)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.REFUSED


async def test_a_clip_that_was_deleted_from_the_disk_is_a_dead_letter(edge: Edge) -> None:
    edge.sandbox.faults.add(Do(lambda: edge.spool.delete(["1-1.mp4"])), *POSTS)
    edge.sandbox.faults.add(server_error(503), *POSTS)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.CLIP_GONE


class NoisyBackend(FakeBackend):
    """Writes clips that are worth shrinking."""

    async def render(self, request: RenderRequest, on_progress: Any) -> Rendered:
        rendered = await super().render(request, on_progress)
        source = "testsrc2=size=320x180:rate=7:duration=1,noise=alls=40:allf=t"
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i", source]
        clip = ["-pix_fmt", "yuv420p", "-crf", "12", str(request.clip_path)]
        await asyncio.to_thread(subprocess.run, [*command, *clip], check=True)
        return rendered


@pytest.mark.parametrize("times", [1, 0], ids=["too large", "taken"])
async def test_a_clip_too_large_for_its_place_is_made_smaller_and_says_so(
    sandbox: Sandbox, tmp_path: Path, times: int
) -> None:
    sandbox.faults.add(payload_too_large(), *POSTS, times=times)
    async with running_edge(tmp_path, sandbox, backend=NoisyBackend()) as edge:
        await edge.animate()
        await require_one_clip(edge)
        attachment = clip_of(edge.clips()[0])
        assert attachment
        made = (tmp_path / "spool" / "1-1.mp4").stat().st_size
        assert (0 < attachment["size"] <= made / 2) is (times == 1)
        assert ("Made smaller to fit this channel's upload limit." in words(edge.clips()[0])) is (times == 1)


@pytest.mark.parametrize("times", [1, 0], ids=["too large", "taken"])
async def test_an_answer_that_was_too_large_says_that_it_was_made_smaller(
    sandbox: Sandbox, tmp_path: Path, times: int
) -> None:
    sandbox.faults.add(payload_too_large(), "PATCH", "/webhooks/**", skip=1, times=times)
    async with running_edge(tmp_path, sandbox, backend=NoisyBackend()) as edge:
        _forbid_posting(edge)
        await edge.animate()
        clip = await edge.clip()
        assert ("Made smaller to fit this channel's upload limit." in words(clip)) is (times == 1)


async def test_a_clip_too_large_in_every_size_is_a_dead_letter(edge: Edge) -> None:
    edge.sandbox.faults.add(payload_too_large(), *POSTS, times=None)
    await edge.animate()
    assert (await edge.delivered(state="dead")).error == DeadReason.TOO_LARGE


async def test_a_clip_that_is_deleted_between_two_sizes_is_a_dead_letter_at_once(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    async with running_edge(tmp_path, sandbox, backend=NoisyBackend()) as edge:
        sandbox.faults.add(Do(lambda: edge.spool.path("1-1.mp4").unlink()), *POSTS, skip=1)
        sandbox.faults.add(payload_too_large(), *POSTS, times=2)
        await edge.animate()
        assert (await edge.delivered(state="dead")).error == DeadReason.CLIP_GONE
        assert edge.rests == []


class FullDisk:
    """Deliveries in a store whose disk is full for the first two notes that a post arrived."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._refusals = 2

    def __getattr__(self, name: str) -> Any:
        return getattr(self._deliveries, name)

    async def mark_sent(self, job_id: int, message_id: int | None) -> bool:
        if self._refusals:
            self._refusals -= 1
            raise StoreFull("database or disk is full")
        return await self._deliveries.mark_sent(job_id, message_id)


class OnFullDisk(Poster):
    def __init__(self, store: Any, *others: Any, **more: Any) -> None:
        store.deliveries = FullDisk(store.deliveries)
        super().__init__(store, *others, **more)


async def test_a_full_disk_costs_neither_the_poster_nor_a_second_post(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running_edge(tmp_path, sandbox, poster=OnFullDisk) as edge:
        await edge.animate()
        await require_one_clip(edge)
        assert edge.rests.count(ROOM_SECONDS) == 2
