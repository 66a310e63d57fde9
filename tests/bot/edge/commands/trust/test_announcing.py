"""/admin announce and a bot that dies in the middle of it: each server is told at most once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.faults import Do
from bot.sandbox.rules.permissions import Permission
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import BEN, BOT_ROLE, ELSEWHERE, GENERAL, LOBBY, MIA, OLGA, TABLEAUX, VIVANT
from bot.texts.safety.operators import announcement_text
from tests.support.edge import Edge, running_edge, until, words

TEXT = "New model tonight."
SERVERS = {TABLEAUX: GENERAL, ELSEWHERE: LOBBY}


def posted(edge: Edge) -> list[int]:
    """Return how often each server was told."""
    seen = (edge.seen(actor=BEN, channel=channel) for channel in SERVERS.values())
    return [[words(item) for item in items].count(announcement_text(TEXT)) for items in seen]


async def take(sandbox: Sandbox, channel: str) -> None:
    """Let Discord take the bot's message as it was sent; discord.py itself sends one at a time in a channel."""
    url, headers = f"https://discord.com/api/v10/channels/{channel}/messages", {"Authorization": f"Bot {sandbox.token}"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=sandbox.client_tls())) as session:
        message = {"content": announcement_text(TEXT)}
        async with session.post(url, headers=headers, json=message, proxy=sandbox.proxy_url) as response:
            assert response.status == 200


async def died_while_posting(folder: Path, sandbox: Sandbox, *, arrived: bool) -> list[int]:
    """Let a bot die while it posts in the second of two servers; `arrived` tells whether Discord took that post."""
    world = sandbox.world
    here = world.directory.members[TABLEAUX, VIVANT]
    world.directory.members[ELSEWHERE, VIVANT] = here | {"roles": []}
    reached = asyncio.Event()
    async with running_edge(folder, sandbox) as edge:
        for guild, channel in SERVERS.items():
            await edge.store.servers.change(int(guild), int(MIA), {"log_channel": int(channel)})

        async def die() -> None:
            if arrived:
                (channel,) = [channel for told, channel in zip(posted(edge), SERVERS.values(), strict=True) if not told]
                await take(sandbox, channel)
            reached.set()
            await asyncio.Event().wait()

        sandbox.faults.add(Do(die), "POST", "/channels/*/messages", skip=1)
        await edge.invoke("admin announce", {"text": TEXT}, actor=OLGA)
        await asyncio.wait_for(reached.wait(), 10)
        return posted(edge)


async def finished(edge: Edge) -> bool:
    return await edge.store.settings.get("announcement") is None


@pytest.mark.parametrize("arrived", [False, True])
async def test_an_announcement_goes_on_after_a_death_and_reaches_each_server_once(
    sandbox: Sandbox, tmp_path: Path, arrived: bool
) -> None:
    before = await died_while_posting(tmp_path, sandbox, arrived=arrived)
    assert sorted(before) == [int(arrived), 1], "the negative control: nothing else posts it"
    async with running_edge(tmp_path, sandbox) as edge:
        await until(lambda: finished(edge), "it went on")
        assert posted(edge) == [1, 1]
    async with running_edge(tmp_path, sandbox) as edge:
        await until(lambda: edge.client.ready_seconds, "another start")
        assert posted(edge) == [1, 1]


async def test_a_server_whose_history_cannot_be_read_is_told_at_most_once(sandbox: Sandbox, tmp_path: Path) -> None:
    await died_while_posting(tmp_path, sandbox, arrived=True)
    for guild in SERVERS:
        for role in sandbox.world.directory.guilds[guild]["roles"]:
            if role["id"] in (BOT_ROLE, guild):
                role["permissions"] = str(int(role["permissions"]) & ~int(Permission.READ_MESSAGE_HISTORY))
    async with running_edge(tmp_path, sandbox) as edge:
        await until(lambda: finished(edge), "it went on")
        assert max(posted(edge)) <= 1
