"""What each refusal of Discord means, and when to try again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.http_errors import Next, classify, wait_ms
from bot.queue.deliveries import LONGEST_WAIT_MS


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="")
    kind = {403: discord.Forbidden, 404: discord.NotFound}.get(status, discord.HTTPException)
    return kind(response, {"code": code, "message": ""})


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(104, "reset"), Next.LATER),
        (TimeoutError(), Next.LATER),
        (discord.RateLimited(400.0), Next.LATER),
        (refusal(429), Next.LATER),
        (refusal(503), Next.LATER),
        (refusal(401), Next.LATER),
        (refusal(413), Next.SHRINK),
        (refusal(400, 40005), Next.SHRINK),
        (refusal(400, 50083), Next.PARENT),
        (refusal(404, 10003), Next.ELSEWHERE),
        (refusal(403, 50001), Next.ELSEWHERE),
        (refusal(403, 50013), Next.ELSEWHERE),
        (refusal(404, 10008), Next.SENT),
        (refusal(400, 200000), Next.DEAD),
        (refusal(400, 50035), Next.DEAD),
    ],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_each_refusal_has_its_consequence(error: Exception, expected: Next) -> None:
    assert classify(error).next is expected


def test_rests_grow_to_five_minutes_and_stay_there() -> None:
    assert [wait_ms(attempts, 0.0) for attempts in (0, 1, 2)] == [1000, 2000, 4000]
    assert wait_ms(10**6, 0.0) == LONGEST_WAIT_MS
    assert wait_ms(3, 1.0) == 6000
