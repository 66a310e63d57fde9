"""A running sandbox with a bare bot beside it, for the tests of the sandbox itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.sandbox.server import Sandbox
from tests.support.raw_bot import RawBot


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def bot(sandbox: Sandbox) -> AsyncIterator[RawBot]:
    async with RawBot(sandbox) as raw:
        yield raw
