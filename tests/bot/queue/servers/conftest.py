"""A store with its clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.queue.job import Limits
from bot.queue.store import JobStore
from tests.support.jobs import Clock, opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[JobStore]:
    async with opened(tmp_path, Limits(queued_per_user=50), clock) as store:
        yield store
