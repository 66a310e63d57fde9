"""The whole sandbox with an unmodified discord.py bot in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox, SandboxUnavailable
from bot.sandbox.world.interactions import Interaction, State
from bot.sandbox.world.standard import ADA, BEN, PICTURES
from tests.support.openapi import discord_description
from tests.support.raw_bot import RawBot


@asynccontextmanager
async def ping_bot(sandbox: Sandbox) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.ping_bot",
        sandbox.proxy_url,
        sandbox.token,
        env=os.environ | sandbox.environment(),
        cwd=Path(__file__).parents[2],
    )
    try:
        async with asyncio.timeout(20):
            await sandbox.gateway.online.wait()
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ping(sandbox: Sandbox, actor_id: str = ADA) -> Interaction:
    """Invoke /ping and wait until the bot has posted that it is done."""
    with sandbox.world.subscribe() as events:
        picture = Upload("a.png", "image/png", b"picture")
        interaction = await sandbox.world.invoke(actor_id, PICTURES, "ping", {"count": 3}, {"picture": picture})
        async with asyncio.timeout(10):
            async for event in events:
                if event["t"] == "MESSAGE_CREATE" and event["d"]["content"].startswith("done"):
                    break
    return interaction


async def test_a_bot_process_gets_its_command_and_answers_with_the_picture_once() -> None:
    async with Sandbox() as sandbox, ping_bot(sandbox):
        interaction = await ping(sandbox)
        nonce_replies = sandbox.record.asked("POST", "/channels/{channel_id}/messages")
        async with asyncio.timeout(5):
            while len(nonce_replies) < 2:
                await asyncio.sleep(0.01)
                nonce_replies = sandbox.record.asked("POST", "/channels/{channel_id}/messages")
        answer, done = sandbox.world.messages_for(BEN, PICTURES)
        assert interaction.state is State.ANSWERED
        assert answer["content"] == "pong 3"
        assert sandbox.world.attachment_bytes(answer["attachments"][0]["id"]) == b"picture"
        assert sandbox.world.messages.notified == [(ADA, done["id"])]
        assert [reply.answer["id"] for reply in nonce_replies] == [done["id"], done["id"]]
        assert sandbox.unimplemented == []


async def test_every_exchange_of_a_discord_py_bot_fits_discords_description() -> None:
    description = discord_description()
    async with Sandbox() as sandbox, ping_bot(sandbox):
        await ping(sandbox)
        exchanges = list(sandbox.record.exchanges)
        assert len(exchanges) >= 7
        assert [text for exchange in exchanges for text in description.problems(exchange)] == []


async def test_a_killed_bot_comes_back_to_a_world_that_kept_its_messages() -> None:
    async with Sandbox() as sandbox:
        async with ping_bot(sandbox) as process:
            await ping(sandbox)
            process.send_signal(signal.SIGKILL)
            await process.wait()
            async with asyncio.timeout(5):
                while sandbox.gateway.online.is_set():
                    await asyncio.sleep(0.01)
        before = len(sandbox.world.messages_for(ADA, PICTURES))
        async with ping_bot(sandbox):
            await ping(sandbox, BEN)
        assert len(sandbox.world.messages_for(ADA, PICTURES)) == before + 2
        assert sandbox.world.identifies == 2


async def test_what_is_not_implemented_is_answered_with_501_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async with Sandbox() as sandbox, RawBot(sandbox) as bot:
        status, body = await bot.call("POST", f"/channels/{PICTURES}/polls", {"what": 1})
        assert status == 501
        assert f"POST discord.com/api/v10/channels/{PICTURES}/polls" in body["message"]
        assert sandbox.unimplemented == [f"POST discord.com/api/v10/channels/{PICTURES}/polls"]
        assert "not implemented" in caplog.text


async def test_a_wrong_token_is_refused() -> None:
    async with Sandbox() as sandbox, RawBot(sandbox) as bot:
        assert await bot.call("GET", "/users/@me", token="wrong") == (401, {"message": "401: Unauthorized", "code": 0})


def test_without_trustme_the_sandbox_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(SandboxUnavailable, match=r"pip install 'vivant\[demo\]'"):
        Sandbox()
