"""The page's button that kills the demo's GPU process, against real processes in place of the bot's."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import psutil
import pytest

from bot.sandbox.page.gpu_process import GpuProcess
from bot.sandbox.rules.errors import NotPossible

# A bot in small: it starts a child that is named like the GPU process, and another whenever that one dies.
BOT = """
import subprocess, sys
while True:
    command = [sys.executable, "-c", "import time; time.sleep(600)", *sys.argv[1:]]
    subprocess.Popen(command).wait()
"""


@pytest.fixture
async def bot(request: pytest.FixtureRequest) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BOT, request.param)
    yield process
    children = psutil.Process(process.pid).children()
    process.kill()
    for child in children:
        child.kill()
    await process.wait()


async def child_of(bot: asyncio.subprocess.Process) -> psutil.Process:
    while not (children := psutil.Process(bot.pid).children()):
        await asyncio.sleep(0.01)
    return children[0]


@pytest.mark.parametrize("bot", ["generator.executor"], indirect=True)
async def test_the_gpu_process_is_killed_and_the_one_after_it_is_named(bot: asyncio.subprocess.Process) -> None:
    gpu = GpuProcess()
    gpu.bot_pid = bot.pid
    first = await child_of(bot)
    recovery = await gpu.kill()
    assert recovery.old_pid == first.pid
    assert recovery.new_pid == (await child_of(bot)).pid != first.pid
    assert not psutil.pid_exists(first.pid)
    assert 0 < recovery.seconds < 30


@pytest.mark.parametrize("bot", ["generator.picture.intake"], indirect=True)
async def test_no_other_process_is_ever_killed(bot: asyncio.subprocess.Process) -> None:
    gpu = GpuProcess()
    assert not gpu.can_be_killed
    with pytest.raises(NotPossible):
        await gpu.kill()
    gpu.bot_pid = bot.pid
    other = await child_of(bot)
    with pytest.raises(NotPossible, match="no GPU process"):
        await gpu.kill()
    assert other.is_running()
