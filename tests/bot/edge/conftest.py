"""A local Discord and a bot in it, for the tests of the edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.sandbox.server import Sandbox
from tests.support.edge import Edge, Start, running_edge, starter


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A running local Discord."""
    async with Sandbox() as running:
        yield running


@pytest.fixture
async def edge(sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[Edge]:
    """A bot in it."""
    async with running_edge(tmp_path, sandbox) as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """What starts a local Discord and a bot in it, as often as a test likes, on one data folder."""
    return starter(tmp_path)
