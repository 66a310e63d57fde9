"""Requests that Discord refuses are counted over everything the bot does, and slowed long before a ban."""

from __future__ import annotations

import time
from pathlib import Path

import discord
import pytest

from bot.edge.connection import invalid_requests
from bot.edge.connection.invalid_requests import SLOW_FROM, WINDOW_SECONDS, InvalidRequests
from bot.sandbox.rest.invalid_requests import BAN_AT
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import PICTURES
from tests.support.edge import running_edge


class Time:
    """A clock that moves only while somebody pauses."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def pause(self, seconds: float) -> None:
        self.now += seconds


async def _refused_in_a_day(slowed: bool) -> int:
    """Send requests that are all refused, as fast as they may go. Return the most in any ten minutes."""
    clock = Time()
    invalid = InvalidRequests(clock, clock.pause)
    most = 0
    end = clock.now + 24 * 3600
    while clock.now < end and most < 2 * BAN_AT:
        if slowed:
            await invalid.wait_turn("/api/v10/channels/1/messages")
        invalid.note(403, None)
        most = max(most, invalid.count)
        clock.now += 0.02
    return most


async def test_a_day_of_refusals_stays_far_from_the_ban_and_without_the_brake_it_would_not() -> None:
    assert await _refused_in_a_day(slowed=True) < BAN_AT / 5
    assert await _refused_in_a_day(slowed=False) > BAN_AT


async def test_a_first_answer_never_waits_and_neither_does_anything_after_ten_quiet_minutes() -> None:
    clock = Time()
    invalid = InvalidRequests(clock, clock.pause)
    for _ in range(SLOW_FROM):
        invalid.note(401, None)
    before = clock.now
    await invalid.wait_turn("/api/v10/interactions/1/token/callback")
    assert clock.now == before
    for _ in range(3):
        await invalid.wait_turn("/api/v10/channels/1/messages")
    assert clock.now > before
    clock.now = before = before + WINDOW_SECONDS + 1
    await invalid.wait_turn("/api/v10/channels/1/messages")
    assert (clock.now, invalid.count) == (before, 0)


@pytest.mark.parametrize(
    ("status", "scope", "counts"),
    [
        (401, None, 1),
        (403, None, 1),
        (429, None, 1),
        (429, "user", 1),
        (429, "shared", 0),
        (404, None, 0),
        (500, None, 0),
    ],
)
def test_only_what_discord_calls_invalid_is_counted(status: int, scope: str | None, counts: int) -> None:
    invalid = InvalidRequests()
    invalid.note(status, scope)
    assert invalid.count == counts


async def test_the_client_waits_for_its_turn_whatever_it_asks_for(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invalid_requests, "SLOW_FROM", 3)
    monkeypatch.setattr(invalid_requests, "REST_SECONDS", 0.2)
    async with running_edge(tmp_path, sandbox) as edge:
        sandbox.world.channels.remove_bot(sandbox.world.directory.channels[PICTURES]["guild_id"])
        channel = edge.client.get_partial_messageable(int(PICTURES))
        started = time.monotonic()
        for _ in range(6):
            with pytest.raises((discord.Forbidden, discord.NotFound)):
                await channel.send("x")
        assert edge.client.invalid_requests.count == sandbox.invalid_requests.count == 6
        assert time.monotonic() - started > 0.35
