"""A slow uplink: what moves goes on, what stands still is tried alone, then smaller, then given up; real sockets."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import discord
import pytest

from bot.edge.delivery import CUT_SECONDS, is_stall
from bot.edge.posting import Posting
from bot.queue.job import DeadReason, Delivery, Job
from bot.queue.spool import Spool
from bot.sandbox.faults import Delay, Refuse, Stall
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import DIRECT_ADA, GENERAL, PICTURES
from bot.work.uplink.uploads import MOST_STALLS, NeverBegun, UploadSlots, budget_after, ends_when_still, open_socket
from generator.clip import Format
from generator.errors import EncodingFailed, RenderCrashed
from generator.protocol import Rendered, RenderRequest
from tests.support.edge import POSTS, clip_of, running_edge, until, words
from tests.support.fakes import Act, FakeBackend

CLIP_BYTES = 1_200_000


class LargeClips(FakeBackend):
    """Writes clips of CLIP_BYTES."""

    clip_bytes = CLIP_BYTES

    async def render(self, request: RenderRequest, on_progress: Any) -> Rendered:
        rendered = await super().render(request, on_progress)
        request.clip_path.write_bytes(os.urandom(self.clip_bytes))
        return rendered


async def cut_off(source: Path, target: Path, _format: Format, max_bytes: int) -> None:
    """Shrink a clip at no cost."""
    target.write_bytes(source.read_bytes()[:max_bytes])


async def refuse(_source: Path, _target: Path, _format: Format, max_bytes: int) -> None:
    raise EncodingFailed("nothing fits", why="budget", max_bytes=max_bytes)


class Impatient(Posting):
    """Gives an upload that stands still a moment only."""

    still_seconds = 0.3

    def __init__(self, client: discord.Client, spool: Spool, _shrink: object) -> None:
        super().__init__(client, spool, cut_off)


class Calm(Impatient):
    still_seconds = 30.0


class Unshrinkable(Impatient):
    still_seconds = 0.1

    def __init__(self, client: discord.Client, spool: Spool, _shrink: object) -> None:
        Posting.__init__(self, client, spool, refuse)


def started(folder: Path, sandbox: Sandbox, posting: type[Posting] = Impatient, **more: Any) -> Any:
    connector = partial(aiohttp.TCPConnector, ssl=sandbox.client_tls(), socket_factory=open_socket)
    backend = more.pop("backend", LargeClips(usual=Act(steps=1)))
    more = {"pause_scale": 0.001} | more
    return running_edge(folder, sandbox, backend=backend, posting=posting, connector=connector, **more)


# -- an upload that moves --------------------------------------------------------------------------------------------


class Patient(Impatient):
    still_seconds = 0.6  # longer than the buffers on the way take: TLS alone holds back half a MiB


class LargerClips(LargeClips):
    clip_bytes = 4_000_000


async def test_a_slow_upload_that_moves_arrives_at_the_first_attempt_whatever_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiohttp.client.DEFAULT_TIMEOUT", aiohttp.ClientTimeout(total=1.0))  # its own limit, of 5 min
    async with Sandbox() as sandbox:
        sandbox.proxy.uplink = 2_500_000
        async with started(tmp_path, sandbox, Patient, backend=LargerClips(usual=Act(steps=1))) as edge:
            await edge.animate()
            await edge.delivered()
            [upload] = sandbox.record.asked("POST", "/channels/{channel_id}/messages")
            attachment = clip_of(await edge.clip())
            assert attachment and attachment["size"] == LargerClips.clip_bytes
            assert upload.seconds > 2 * Patient.still_seconds
            assert edge.rests == []


async def test_only_what_stands_still_is_ended() -> None:
    begun = asyncio.get_running_loop().time()
    async with ends_when_still(0.1) as moved:
        for _ in range(8):
            moved()
            await asyncio.sleep(0.03)
    assert asyncio.get_running_loop().time() - begun > 0.2
    with pytest.raises(TimeoutError) as stood:
        async with ends_when_still(0.02) as moved:
            moved()
            await asyncio.Event().wait()
    assert not isinstance(stood.value, NeverBegun)
    with pytest.raises(NeverBegun):
        async with ends_when_still(0.02):
            await asyncio.Event().wait()
    moved()  # a read that ends after all: nothing is left to extend
    await asyncio.sleep(0)


# -- an upload that stands still -------------------------------------------------------------------------------------


async def test_a_clip_that_is_too_much_for_the_uplink_is_sent_smaller_with_a_note(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, started(tmp_path, sandbox) as edge:
        sandbox.faults.add(Stall(0.5, above_bytes=CLIP_BYTES // 3), *POSTS, times=None)
        await edge.animate()
        clip = await edge.clip()
        assert (await edge.delivered()).attempts >= 5  # more where this machine needs long to connect
        attachment = clip_of(clip)
        assert attachment and attachment["size"] == CLIP_BYTES // 4
        assert "Made smaller because the larger one could not be sent." in words(clip)


async def test_where_only_the_answer_can_be_edited_the_uplink_counts_as_well(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, started(tmp_path, sandbox) as edge:
        thread = edge.world.channels.open_thread(PICTURES, "only us", [edge.world.actor("Ada")], private=True)
        sandbox.faults.add(Stall(0.5, above_bytes=CLIP_BYTES // 3), "PATCH", "/webhooks/**", times=None)
        await edge.animate(channel=thread)
        clip = await edge.clip(channel=thread)
        assert "Made smaller because the larger one could not be sent." in words(clip)


@pytest.mark.parametrize("fault", [Stall(0.2), Refuse(408)], ids=["stands still", "request time-out"])
async def test_a_clip_that_no_upload_brings_through_is_a_dead_letter(tmp_path: Path, fault: Stall | Refuse) -> None:
    async with Sandbox() as sandbox, started(tmp_path, sandbox, Unshrinkable) as edge:
        sandbox.faults.add(fault, *POSTS, times=None)
        await edge.animate()
        dead = await edge.delivered(state="dead")
        assert dead.error == DeadReason.TOO_SLOW
        assert dead.attempts >= MOST_STALLS  # more where this machine needs long to connect
        await until(lambda: "/result job:1" in words(edge.seen()), "the card says how to get it")
        assert edge.clips() == []


class Hangs(Impatient):
    """Never comes back, as a shrinking child or a request might."""

    async def post(self, job: Job, delivery: Delivery, now_ms: int) -> str | None:
        await asyncio.Event().wait()
        return None


async def test_an_attempt_that_never_ends_is_ended_and_given_up_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.edge.delivery.SEND_SECONDS", 0.02)
    async with Sandbox() as sandbox, started(tmp_path, sandbox, Hangs) as edge:
        await edge.animate()
        assert (await edge.delivered(state="dead")).attempts == MOST_STALLS


async def test_an_outage_is_no_slow_uplink(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, started(tmp_path, sandbox, Calm) as edge:
        sandbox.faults.add(Refuse(503), *POSTS, times=MOST_STALLS + 1)
        await edge.animate()
        attachment = clip_of(await edge.clip())
        assert attachment and attachment["size"] == CLIP_BYTES


@pytest.mark.parametrize(
    ("error", "seconds", "stall"),
    [
        (TimeoutError(), 1.0, True),
        (aiohttp.SocketTimeoutError(), 1.0, True),
        (aiohttp.ConnectionTimeoutError(), 30.0, False),
        (NeverBegun(), 180.0, False),
        (ConnectionResetError(), 1.0, False),
        (ConnectionResetError(), CUT_SECONDS, True),
        (aiohttp.ServerDisconnectedError(), CUT_SECONDS, True),
    ],
)
def test_an_attempt_counts_as_a_stall_when_its_upload_was_on_its_way(
    error: Exception, seconds: float, stall: bool
) -> None:
    assert is_stall(error, seconds) is stall


def test_two_tries_are_made_at_each_size() -> None:
    assert [budget_after(stalls, 800) for stalls in range(MOST_STALLS)] == [800, 800, 400, 400, 200, 200, 100, 100]


# -- fewer at once ---------------------------------------------------------------------------------------------------


async def test_after_one_stood_still_uploads_run_alone_and_then_one_more_with_each_that_arrives() -> None:
    slots, running, most = UploadSlots(3), 0, []

    async def upload() -> None:
        nonlocal running
        async with slots:
            running += 1
            most.append(running)
            await asyncio.sleep(0)
            running -= 1

    async def wave() -> int:
        most.clear()
        await asyncio.gather(*(upload() for _ in range(6)))
        return max(most)

    assert await wave() == 3
    slots.narrow()
    assert await wave() == 1
    slots.widen()
    assert await wave() == 2
    for _ in range(5):
        slots.widen()
    assert await wave() == 3


class Counted(Impatient):
    """Notes how many posts are under way at once."""

    running = 0
    most = 0

    async def send(self, channel: discord.abc.Messageable, job: Job, nonce: str) -> discord.Message:
        type(self).running += 1
        type(self).most = max(self.most, self.running)
        try:
            return await super().send(channel, job, nonce)
        finally:
            type(self).running -= 1


@pytest.mark.parametrize("stalls", [True, False])
async def test_an_upload_that_stood_still_lets_the_others_wait_for_their_turn(tmp_path: Path, stalls: bool) -> None:
    class Own(Counted):
        pass

    async with Sandbox() as sandbox, started(tmp_path, sandbox, Own, pause_scale=1000) as edge:
        if stalls:
            sandbox.faults.add(Stall(0.5), *POSTS)
        await edge.animate()
        await until(lambda: edge.rests if stalls else edge.clips(), "the first one's end")
        sandbox.faults.add(Delay(0.2), *POSTS, times=2)
        await asyncio.gather(*(edge.animate(channel=channel) for channel in (GENERAL, DIRECT_ADA)))
        await edge.delivered(2)
        await edge.delivered(3)
        assert (Own.most == 1) is stalls


async def test_what_has_no_file_waits_for_no_upload(tmp_path: Path) -> None:
    backend = LargeClips(script=[Act(steps=1), Act(steps=1), Act(error=RenderCrashed("no"))])
    more: dict[str, Any] = {"backend": backend, "config": {"queue": {"max_attempts": 1}}, "pause_scale": 1000}
    async with Sandbox() as sandbox, started(tmp_path, sandbox, Calm, **more) as edge:
        sandbox.faults.add(Refuse(408), *POSTS)
        await edge.animate()
        await until(lambda: edge.rests, "the first one's end")
        slow = sandbox.faults.add(Delay(1.5), "POST", f"/channels/{DIRECT_ADA}/messages")
        await edge.animate(channel=DIRECT_ADA)
        await until(lambda: slow.times == 0, "an upload in the only slot")
        await edge.animate(channel=GENERAL)
        await edge.delivered(3)
        assert edge.clips(channel=DIRECT_ADA) == []
