"""The rate limits that Discord states in headers."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.raw_bot import RawBot

MESSAGES = f"/channels/{PICTURES}/messages"


async def test_buckets_refuse_the_sixth_request_and_a_library_that_reads_headers_never_meets_that() -> None:
    async with Sandbox(rate_limits=True) as limited, RawBot(limited) as raw:
        assert [(await raw.call("POST", MESSAGES, {"content": "x"}))[0] for _ in range(6)] == [200] * 5 + [429]
        limited.world.clock.advance(5)
        limited.record.exchanges.clear()
        connector = aiohttp.TCPConnector(ssl=limited.client_tls())
        async with discord.Client(
            intents=discord.Intents.none(), proxy=limited.proxy_url, connector=connector
        ) as client:
            await client.login(limited.token)
            channel = client.get_partial_messageable(int(PICTURES))
            sending = asyncio.gather(*(channel.send("x") for _ in range(8)))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(sending, 0.5)
            assert len(limited.world.messages_for(ADA, PICTURES)) == 10
        assert {exchange.status for exchange in limited.record.exchanges} == {200}
