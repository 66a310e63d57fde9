"""Starts while Discord is down, limits or has changed its mind about the token."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import discord
import pytest

from bot.app import Parts, StartError, run_bot
from bot.config import Config
from bot.edge.connection import starting
from bot.edge.connection.starting import asked_rest, wait_for_discord
from bot.sandbox.faults import (
    Action,
    Refuse,
    Reset,
    banned_by_edge,
    blocked_by_discord,
    blocked_by_edge,
    rate_limited,
    server_error,
)
from bot.sandbox.server import Sandbox
from tests.support.edge import until
from tests.support.fakes import FakeBackend

JSON = {"Content-Type": "application/json"}
ANSWERS: dict[str, Action] = {
    "1015 page": banned_by_edge(),
    "429 without headers": Refuse(429, '{"message": "slow down", "retry_after": 3, "global": false}', JSON),
    "429 without a time": Refuse(429, '{"message": "slow down"}', JSON | {"Via": "1.1 google"}),
    "long limit": rate_limited(100),
    "503": server_error(503),
    "403 page": blocked_by_edge(403),
    "404 page": blocked_by_edge(404),
    "turned away": blocked_by_discord(),
    "408": Refuse(408, "", {"Content-Type": "text/plain"}),
    "page of a proxy": Refuse(200, "<html>please log in</html>", {"Content-Type": "text/html"}),
    "reset": Reset(),
}
STEPS = {
    "login": ("GET", "/users/@me"),
    "application": ("GET", "/oauth2/applications/@me"),
    "commands": ("PUT", "/applications/*/commands"),
    "gateway": ("GET", "/gateway/bot"),
}


@dataclass
class Run:
    """A bot that is being run, and how long it rested."""

    task: asyncio.Task[None]
    rests: list[float] = field(default_factory=list)


@contextlib.asynccontextmanager
async def running(sandbox: Sandbox, folder: Path) -> AsyncIterator[Run]:
    """Run the whole bot as `python -m bot run` does, but for the model and the length of its rests."""
    rests: list[float] = []

    async def pause(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(0)

    parts = Parts(
        backend=lambda config, *, gpu, on_state: FakeBackend(),
        connector=lambda: aiohttp.TCPConnector(ssl=sandbox.client_tls()),
        pause=pause,
    )
    values: dict[str, Any] = {"generator": {"variant": "demo"}, "retention": {"min_free_mib": 1}}
    config = Config(token=sandbox.token, data_dir=folder, proxy=sandbox.proxy_url, **values)
    task = asyncio.create_task(run_bot(config, parts))
    try:
        yield Run(task, rests)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("step", STEPS)
async def test_whatever_discord_answers_at_a_start_the_bot_waits_and_comes_up(
    sandbox: Sandbox, tmp_path: Path, step: str, answer: str
) -> None:
    sandbox.faults.add(ANSWERS[answer], *STEPS[step], times=2)
    async with running(sandbox, tmp_path) as run:
        online = asyncio.create_task(sandbox.gateway.online.wait())
        await asyncio.wait({run.task, online}, timeout=15, return_when=asyncio.FIRST_COMPLETED)
        assert not run.task.done(), run.task.result()
        assert online.done()
        assert len(sandbox.faults.played) == 2
        assert run.rests, "aiohttp repeats only a request that met a reset"
        if answer == "long limit":
            assert run.rests == [100, 100]


async def test_a_start_without_the_waiting_ends_the_bot(sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.faults.add(banned_by_edge(), "GET", "/gateway/bot")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(starting, "NETWORK_ERRORS", ())
        patch.setattr(discord, "GatewayNotFound", OverflowError)
        async with running(sandbox, tmp_path) as run:
            with pytest.raises((ExceptionGroup, discord.DiscordException)):
                await asyncio.wait_for(run.task, 15)


async def test_a_token_reset_while_the_bot_runs_ends_it_with_a_sentence(sandbox: Sandbox, tmp_path: Path) -> None:
    async with running(sandbox, tmp_path) as run:
        await sandbox.gateway.online.wait()
        sandbox.gateway.reset_token()
        with pytest.raises(StartError, match="refuses the token"):
            await asyncio.wait_for(run.task, 15)


@pytest.mark.parametrize("step", STEPS)
async def test_a_token_refused_at_any_step_of_the_start_ends_it_with_a_sentence(
    sandbox: Sandbox, tmp_path: Path, step: str
) -> None:
    sandbox.faults.add(Refuse(401, '{"message": "401: Unauthorized", "code": 0}', JSON), *STEPS[step], times=None)
    async with running(sandbox, tmp_path) as run:
        with pytest.raises(StartError, match="refuses the token"):
            await asyncio.wait_for(run.task, 15)
        assert run.rests == []


@pytest.mark.parametrize("code", [4012, 4013, 4014])
async def test_a_version_that_discord_no_longer_takes_is_told_so(sandbox: Sandbox, tmp_path: Path, code: int) -> None:
    async with running(sandbox, tmp_path) as run:
        await sandbox.gateway.online.wait()
        sandbox.gateway.drop(code)
        with pytest.raises(StartError, match="Update"):
            await asyncio.wait_for(run.task, 15)


async def test_a_token_reset_exits_78_with_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        environment = {
            "VIVANT_CONFIG": os.devnull,
            "VIVANT_DATA_DIR": str(tmp_path),
            "VIVANT_GENERATOR__VARIANT": "demo",
            "VIVANT_LOG_LEVEL": "ERROR",
        }
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "run"),
            env=os.environ | environment | sandbox.environment(),
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
        sandbox.gateway.reset_token()
        _, said = await asyncio.wait_for(bot.communicate(), 30)
        assert bot.returncode == 78
        assert b"refuses the token" in said
        assert b"Traceback" not in said


async def test_a_day_whose_starts_are_used_up_is_waited_out(sandbox: Sandbox, tmp_path: Path) -> None:
    starts = sandbox.world.session_starts
    starts.enforced, starts.total = True, 1
    starts.take(0)
    async with running(sandbox, tmp_path) as run:
        await until(lambda: run.rests, "a rest")
        assert run.rests[0] > 23 * 3600
        sandbox.world.clock.advance(24 * 3600 + 1)
        await asyncio.wait_for(sandbox.gateway.online.wait(), 15)
        assert starts.used == 1


def response(status: int, **headers: str) -> discord.HTTPException:
    answer: Any = SimpleNamespace(status=status, reason="", headers=headers)
    return discord.HTTPException(answer, "")


def test_what_discord_asks_for_is_heeded_and_no_more() -> None:
    assert asked_rest(response(429, **{"Retry-After": "90"})) == 90
    assert asked_rest(response(429, **{"Retry-After": "999999"})) == 3600
    assert asked_rest(response(503)) == asked_rest(OSError()) == 0
    assert asked_rest(response(400)) is None
    with pytest.raises(discord.LoginFailure):
        asked_rest(response(401))


async def test_rests_grow_to_a_minute() -> None:
    rests: list[float] = []
    tries = 0

    async def request() -> str:
        nonlocal tries
        tries += 1
        if tries < 10:
            raise ConnectionResetError
        return "up"

    async def pause(seconds: float) -> None:
        rests.append(seconds)

    assert await wait_for_discord(request, pause) == "up"
    assert rests == [1, 2, 4, 8, 16, 32, 60, 60, 60]
