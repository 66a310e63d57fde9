"""The file that says whether the bot is connected."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from bot.work.heartbeat import HEALTHY_SECONDS, is_healthy, keep_heartbeat


async def test_the_file_is_touched_again_and_again_while_the_bot_is_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.work.heartbeat.HEARTBEAT_SECONDS", 0.005)
    connected, looks, file = [False], 0, tmp_path / "connected"

    def is_connected() -> bool:
        nonlocal looks
        looks += 1
        return connected[0]

    async def looked(times: int) -> None:
        target = looks + times
        async with asyncio.timeout(5):
            while looks < target:
                await asyncio.sleep(0.002)

    beating = asyncio.create_task(keep_heartbeat(tmp_path, is_connected))
    await looked(2)
    assert not file.exists() and not is_healthy(tmp_path)
    connected[0] = True
    for _ in range(2):
        await looked(2)
        assert is_healthy(tmp_path)
        os.utime(file, (0, 0))
        assert not is_healthy(tmp_path)
    connected[0] = False
    await looked(2)
    os.utime(file, (0, 0))
    await looked(2)
    assert not is_healthy(tmp_path)
    beating.cancel()


@pytest.mark.parametrize(("age", "healthy"), [(HEALTHY_SECONDS - 5, True), (HEALTHY_SECONDS + 1, False)])
def test_a_bot_is_healthy_that_was_connected_within_half_a_minute(tmp_path: Path, age: float, healthy: bool) -> None:
    (tmp_path / "connected").touch()
    os.utime(tmp_path / "connected", (time.time() - age,) * 2)
    assert is_healthy(tmp_path) is healthy
