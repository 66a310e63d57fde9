"""What the proxy lets through, and outages."""

from __future__ import annotations

import time

import aiohttp
import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.raw_bot import RawBot

MESSAGES = f"/channels/{PICTURES}/messages"


async def test_an_outage_refuses_everybody_until_it_ends(bot: RawBot, sandbox: Sandbox) -> None:
    socket = await bot.connect()
    await socket.identify(sandbox.token)
    async with sandbox.outage():
        with pytest.raises(ConnectionResetError):
            await socket.receive(op=9)
        for _ in range(3):
            with pytest.raises(aiohttp.ClientError):
                await bot.call("POST", MESSAGES, {"content": "x"})
    assert (await bot.call("POST", MESSAGES, {"content": "x"}))[0] == 200
    assert len(sandbox.world.messages_for(ADA, PICTURES)) == 1


@pytest.mark.parametrize(("uplink", "least"), [(None, 0.0), (1_000_000, 0.3)])
async def test_a_slow_uplink_takes_the_time_that_its_bytes_need(
    bot: RawBot, sandbox: Sandbox, uplink: float | None, least: float
) -> None:
    sandbox.proxy.uplink = uplink
    started = time.monotonic()
    assert (await bot.call("POST", MESSAGES, {}, {"a": bytes(300_000)}))[0] == 200
    assert time.monotonic() - started >= least


async def test_a_foreign_host_is_refused(bot: RawBot, sandbox: Sandbox) -> None:
    with pytest.raises(aiohttp.ClientHttpProxyError, match="501"):
        await bot.fetch("https://example.org/")
    assert sandbox.unimplemented == ["CONNECT example.org:443 through the proxy"]
