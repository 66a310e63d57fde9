"""A running local Discord, a bare bot beside it, and the bot's commands registered there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import VIVANT
from tests.support.interactions import COMMANDS
from tests.support.raw_bot import RawBot


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[RawBot]:
    async with RawBot(sandbox) as raw:
        yield raw


@pytest.fixture
async def ready(sandbox: Sandbox, bot: RawBot) -> Sandbox:
    status, _ = await bot.call("PUT", f"/applications/{VIVANT}/commands", COMMANDS)
    assert status == 200
    return sandbox
