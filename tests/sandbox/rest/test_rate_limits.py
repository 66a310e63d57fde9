"""The rate limits that Discord states in headers."""

from __future__ import annotations

import asyncio

import aiohttp
import discord
import pytest

from bot.sandbox.rest.invalid_requests import BAN_AT
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES
from tests.support.raw_bot import RawBot

MESSAGES = f"/channels/{PICTURES}/messages"


async def test_ten_thousand_invalid_requests_in_ten_minutes_are_a_ban(sandbox: Sandbox, bot: RawBot) -> None:
    for _ in range(BAN_AT - 1):
        sandbox.invalid_requests.note(403)
    assert (await bot.call("GET", "/users/@me", token="wrong"))[0] == 401
    assert await bot.call("GET", "/users/@me") == (429, None), "a page of the network edge"
    sandbox.world.clock.advance(601)
    assert (await bot.call("GET", "/users/@me"))[0] == 200
    assert sandbox.invalid_requests.count >= BAN_AT


async def test_invalid_requests_that_are_spread_out_and_limits_shared_with_others_are_no_ban(
    sandbox: Sandbox, bot: RawBot
) -> None:
    for _ in range(4):
        for _ in range(BAN_AT // 3):
            sandbox.invalid_requests.note(403)
        sandbox.world.clock.advance(601)
    for _ in range(BAN_AT):
        sandbox.invalid_requests.note(429, "shared")
        sandbox.invalid_requests.note(404)
    assert (await bot.call("GET", "/users/@me"))[0] == 200


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
