"""Starting the bot: what is refused with a sentence, swept, and ended."""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.app import Parts, StartError, run_bot
from bot.config import Config
from bot.sandbox.demo import running_bot
from bot.sandbox.server import Sandbox
from generator.backend.local_backend import LocalBackend
from tests.support.jobs import new_job, opened


async def test_a_second_bot_on_the_same_data_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, running_bot(sandbox, tmp_path):
        await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
        environment = os.environ | sandbox.environment() | {"VIVANT_DATA_DIR": str(tmp_path)}
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"), env=environment, stderr=asyncio.subprocess.PIPE
        )
        _, said = await asyncio.wait_for(second.communicate(), 30)
        assert second.returncode == 78
        assert b"another" in said.lower()
        assert b"Traceback" not in said


async def test_a_running_bots_data_is_open_to_nobody_else(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True, mode=0o755)
    async with opened(data) as store:  # as an earlier version wrote it
        picture = (await store.jobs.enqueue(new_job())).picture
    (data / "spool" / picture).touch(0o644)
    before = os.umask(0o022)  # the usual one, whatever this machine's is
    try:
        async with Sandbox() as sandbox, running_bot(sandbox, data):
            await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
            modes = {path: path.stat().st_mode & 0o777 for path in (data, *data.rglob("*"))}
    finally:
        os.umask(before)
    assert {"vivant.db", "vivant.db-wal", "lock", picture} <= {path.name for path in modes}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


STARTED = """
import ctypes, os, resource, sys
import bot.app, bot.__main__
async def report(config):
    core, _ = resource.getrlimit(resource.RLIMIT_CORE)
    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), core == 0, oct(os.umask(0)))
bot.app.run_bot = report
bot.__main__.app(["run"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's measure")
def test_the_bot_hides_its_memory_from_other_processes_of_its_account(tmp_path: Path) -> None:
    environment = os.environ | {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-c", STARTED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["0", "True", "0o77"]
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 1, "the negative control: this process"


async def test_a_loop_that_ends_by_itself_ends_the_bot(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        environment = {"VIVANT_CONFIG": os.devnull, "VIVANT_DATA_DIR": str(tmp_path)}
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.support.kill_bot", "leaves"),
            env=os.environ | environment | sandbox.environment(),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(bot.communicate(), 30)
    assert bot.returncode == 1
    assert b"one of the bot's loops ended by itself" in said


class Enough(Exception):
    """Ends a test's bot."""


async def test_files_that_no_row_names_are_swept_at_the_start_whatever_their_age(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        kept = (await store.jobs.enqueue(new_job())).picture
    spool = tmp_path / "spool"
    spool.mkdir()
    for name in (kept, "picture-of-nobody.png", ".7-1.mp4.part"):
        (spool / name).touch()

    def no_backend(*args: Any, **options: Any) -> LocalBackend:
        raise Enough

    with pytest.raises(Enough):
        await run_bot(Config(token="x", data_dir=tmp_path), Parts(backend=no_backend))
    assert [path.name for path in spool.iterdir()] == [kept]


async def test_a_metrics_port_that_is_taken_is_told_with_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=rf"Port {port} .*metrics_port"):
            await run_bot(Config(token="x", data_dir=tmp_path, metrics_port=port))


@pytest.mark.parametrize("module", ["bot.app", "bot.edge.client", "bot.doctor", "bot.__main__", "bot.sandbox.demo"])
def test_the_bot_imports_no_torch(module: str) -> None:
    check = (
        f"import sys, {module}; print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
