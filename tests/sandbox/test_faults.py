"""The faults, each as a bare client sees it and as discord.py does."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import discord
import pytest

from bot.sandbox.faults import (
    CutUpload,
    Delay,
    Do,
    FaultScript,
    LoseReply,
    Refuse,
    Reset,
    Stall,
    banned_by_edge,
    payload_too_large,
    rate_limited,
    server_error,
)
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.edge import until
from tests.support.raw_bot import RawBot

MESSAGES = f"/channels/{PICTURES}/messages"


def posted(sandbox: Sandbox) -> int:
    return len(sandbox.world.messages_for(ADA, PICTURES))


async def post(bot: RawBot, **more: object) -> int:
    return (await bot.call("POST", MESSAGES, {"content": "x", **more}))[0]


async def test_without_a_fault_every_post_arrives(bot: RawBot, sandbox: Sandbox) -> None:
    assert [await post(bot) for _ in range(3)] == [200, 200, 200]
    assert posted(sandbox) == 3
    assert sandbox.faults.played == []


async def test_a_lost_reply_was_accepted_and_the_nonce_finds_it(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(LoseReply(), "POST", "/channels/*/messages")
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await post(bot, nonce="job-1", enforce_nonce=True)
    assert caught.value.errno == errno.ECONNRESET
    assert posted(sandbox) == 1
    assert await post(bot, nonce="job-1", enforce_nonce=True) == 200
    assert posted(sandbox) == 1
    assert [played.action for played in sandbox.faults.played] == [LoseReply()]


async def test_the_nonce_of_a_message_that_was_deleted_is_refused_and_brings_no_second_one(
    bot: RawBot, sandbox: Sandbox
) -> None:
    _, message = await bot.call("POST", MESSAGES, {"content": "x", "nonce": "job-1", "enforce_nonce": True})
    await bot.call("DELETE", f"{MESSAGES}/{message['id']}")
    status, refusal = await bot.call("POST", MESSAGES, {"content": "x", "nonce": "job-1", "enforce_nonce": True})
    assert (status, refusal["code"], posted(sandbox)) == (404, 10008, 0)
    sandbox.world.clock.advance(10 * 60)
    assert await post(bot, nonce="job-1", enforce_nonce=True) == 200


async def test_a_lost_reply_may_also_be_a_plain_close(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(LoseReply(reset=False), "POST", "/channels/*/messages")
    with pytest.raises(aiohttp.ClientConnectionError) as caught:
        await post(bot)
    assert getattr(caught.value, "errno", None) != errno.ECONNRESET
    assert posted(sandbox) == 1


async def test_a_reset_before_leaves_nothing(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(Reset(), "POST", "/channels/*/messages")
    with pytest.raises(aiohttp.ClientOSError) as caught:
        await post(bot)
    assert caught.value.errno == errno.ECONNRESET
    assert posted(sandbox) == 0
    assert await post(bot) == 200


async def test_an_upload_is_cut_in_its_middle(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(CutUpload(after_bytes=100_000), "POST", "/channels/*/messages")
    with pytest.raises(aiohttp.ClientConnectionError):
        await bot.call("POST", MESSAGES, {}, {"clip.mp4": bytes(5_000_000)})
    assert posted(sandbox) == 0


async def test_only_the_chosen_requests_are_refused(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(server_error(503), "POST", "/channels/*/messages", times=2, skip=1)
    assert [await post(bot) for _ in range(4)] == [200, 503, 503, 200]
    sandbox.faults.add(server_error(500), "GET", "/users/**")
    assert (await bot.call("GET", f"/channels/{PICTURES}"))[0] == 200
    assert (await bot.call("GET", "/users/@me"))[0] == 500
    assert (await bot.call("GET", "/users/@me"))[0] == 200
    sandbox.faults.add(payload_too_large(), "POST")
    assert (await bot.call("POST", MESSAGES, {"content": "x"}))[1]["code"] == 40005
    assert posted(sandbox) == 2


async def test_a_delay_delays(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(Delay(0.2), "GET")
    started = time.monotonic()
    await bot.call("GET", "/users/@me")
    assert time.monotonic() - started >= 0.2


async def test_a_large_upload_stalls_until_it_is_cut_and_a_small_one_passes(bot: RawBot, sandbox: Sandbox) -> None:
    sandbox.faults.add(Stall(0.1, above_bytes=100_000), "POST", times=None)
    started = time.monotonic()
    with pytest.raises(aiohttp.ClientError):
        await bot.call("POST", MESSAGES, {}, {"a": bytes(200_000)})
    assert time.monotonic() - started >= 0.1
    assert posted(sandbox) == 0
    assert (await bot.call("POST", MESSAGES, {}, {"a": bytes(1_000)}))[0] == 200


async def test_the_world_changes_just_before_a_request(bot: RawBot, sandbox: Sandbox) -> None:
    channels = sandbox.world.channels
    sandbox.faults.add(
        Do(lambda: channels.set_bot_permission(PICTURES, Permission.ATTACH_FILES, allowed=False)),
        "POST",
        "/channels/**",
    )
    sandbox.faults.add(Do(lambda: channels.delete_channel(PICTURES)), "POST", "/channels/**", skip=1)
    assert (await bot.call("POST", MESSAGES, {}, {"a": b"x"}))[1]["code"] == 50013
    assert (await bot.call("POST", MESSAGES, {"content": "x"}))[1]["code"] == 10003


async def test_a_request_waits_for_a_change_that_takes_time(bot: RawBot, sandbox: Sandbox) -> None:
    changed = asyncio.Event()
    sandbox.faults.add(Do(changed.wait), "POST", "/channels/**")
    posting = asyncio.create_task(post(bot))
    await until(lambda: sandbox.faults.played, "the request is there")
    assert await post(bot) == 200, "the negative control: nothing holds up another one"
    assert not posting.done() and posted(sandbox) == 1
    changed.set()
    assert await posting == 200


async def test_the_cdn_fails_too(bot: RawBot, sandbox: Sandbox) -> None:
    message = sandbox.world.post(ADA, PICTURES, "", [Upload("a.png", "image/png", b"x")])
    url = message["attachments"][0]["url"]
    sandbox.faults.add(server_error(502), "GET", "/attachments/**")
    assert [(await bot.fetch(url))[0] for _ in range(2)] == [502, 200]


def test_the_seed_alone_decides_what_a_probability_chooses() -> None:
    def play(seed: int) -> list[int]:
        script = FaultScript(seed)
        script.add(LoseReply(), "POST", "/channels/**", times=None, probability=0.05)
        return [number for number in range(1000) if script.choose("POST", "/channels/1/messages")]

    assert play(1) == play(1) != play(2)
    assert 20 < len(play(1)) < 100


def test_patterns_take_one_segment_or_many() -> None:
    script = FaultScript()
    script.add(Delay(1), "POST", "/channels/*/messages", times=None)
    script.add(Delay(2), "*", "/webhooks/**", times=None)
    assert script.choose("POST", "/channels/1/messages") == [Delay(1)]
    assert script.choose("POST", "/channels/1/messages/2") == []
    assert script.choose("GET", "/channels/1/messages") == []
    assert script.choose("PATCH", "/webhooks/1/token/messages/@original") == [Delay(2)]
    rule = script.add(Refuse(418), "DELETE")
    script.remove(rule)
    assert script.choose("DELETE", "/anything") == []


@pytest.fixture
async def library(sandbox: Sandbox) -> AsyncIterator[discord.Client]:
    """A logged-in discord.py client, without a gateway."""
    connector = aiohttp.TCPConnector(ssl=sandbox.client_tls())
    client = discord.Client(intents=discord.Intents.none(), proxy=sandbox.proxy_url, connector=connector)
    await client.login(sandbox.token)
    yield client
    await client.close()


async def send(library: discord.Client) -> discord.Message:
    return await library.get_partial_messageable(int(PICTURES)).send("x", nonce="job-1")


async def test_discord_py_waits_for_a_429_with_via_and_gives_up_on_one_without(
    library: discord.Client, sandbox: Sandbox
) -> None:
    sandbox.faults.add(rate_limited(0.2), "POST", "/channels/**")
    started = time.monotonic()
    await send(library)
    assert time.monotonic() - started >= 0.2
    sandbox.faults.add(banned_by_edge(), "POST", "/channels/**")
    with pytest.raises(discord.HTTPException) as caught:
        await send(library)
    assert caught.value.status == 429
    assert posted(sandbox) == 1


async def test_discord_py_does_not_retry_503_nor_a_reset_on_linux(library: discord.Client, sandbox: Sandbox) -> None:
    sandbox.faults.add(server_error(503), "POST", "/channels/**")
    with pytest.raises(discord.DiscordServerError):
        await send(library)
    sandbox.faults.add(LoseReply(), "POST", "/channels/**")
    with pytest.raises(OSError, match="reset by peer"):
        await send(library)
    await send(library)
    assert posted(sandbox) == 1


@asynccontextmanager
async def listening(sandbox: Sandbox) -> AsyncIterator[asyncio.Queue[int]]:
    """Run discord.py with its gateway. The queue gets the ids of the interactions that it receives."""
    heard: asyncio.Queue[int] = asyncio.Queue()

    class Client(discord.AutoShardedClient):
        async def on_interaction(self, interaction: discord.Interaction) -> None:
            await heard.put(interaction.id)

    connector = aiohttp.TCPConnector(ssl=sandbox.client_tls())
    intents = discord.Intents(guilds=True)
    client = Client(intents=intents, proxy=sandbox.proxy_url, connector=connector, guild_ready_timeout=0.1)
    sandbox.world.commands.overwrite(None, [{"name": "ping", "description": "x"}])
    async with client, asyncio.timeout(20):
        running = asyncio.create_task(client.start(sandbox.token))
        await client.wait_until_ready()
        yield heard
        await client.close()
        await running


INTERRUPTIONS: dict[str, Callable[[Sandbox], None]] = {
    "a drop": lambda sandbox: sandbox.gateway.drop(),
    "a reset": lambda sandbox: sandbox.proxy.cut_all(),
    "op 7": lambda sandbox: sandbox.gateway.ask_to_reconnect(),
}


@pytest.mark.parametrize("interrupt", INTERRUPTIONS.values(), ids=INTERRUPTIONS.keys())
async def test_discord_py_resumes_and_hears_the_command_it_missed(
    sandbox: Sandbox, interrupt: Callable[[Sandbox], None]
) -> None:
    async with listening(sandbox) as heard:
        interrupt(sandbox)
        interaction = await sandbox.world.invoke(ADA, PICTURES, "ping")
        assert await heard.get() == int(interaction.id)
        assert (sandbox.world.identifies, sandbox.gateway.resumes) == (1, 1)


async def test_discord_py_identifies_again_after_an_invalid_session(sandbox: Sandbox) -> None:
    async with listening(sandbox) as heard:
        sandbox.gateway.invalidate()
        async with asyncio.timeout(20):
            while sandbox.world.identifies < 2:
                await asyncio.sleep(0.01)
        interaction = await sandbox.world.invoke(ADA, PICTURES, "ping")
        assert await heard.get() == int(interaction.id)
        assert sandbox.gateway.resumes == 0
