"""What each refusal of Discord means, and when to try again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.http_errors import CardNext, Next, classify, classify_card, wait_ms
from bot.queue.deliveries import LONGEST_WAIT_MS


def refusal(status: int, code: int = 0) -> discord.HTTPException:
    return _refused(status, {"code": code, "message": ""}, "application/json")


def page(status: int, kind: str = "text/html; charset=UTF-8") -> discord.HTTPException:
    return _refused(status, "<html>", kind)


def _refused(status: int, body: Any, kind: str) -> discord.HTTPException:
    response: Any = SimpleNamespace(status=status, reason="", headers={"Content-Type": kind})
    error = {403: discord.Forbidden, 404: discord.NotFound}.get(status, discord.HTTPException)
    return error(response, body)


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
        (page(413), Next.SHRINK),
        (refusal(400, 40005), Next.SHRINK),
        (page(403), Next.LATER),
        (page(403, "text/plain"), Next.LATER),
        (page(404), Next.LATER),
        (page(400), Next.LATER),
        (refusal(403, 40333), Next.LATER),
        (refusal(403), Next.ELSEWHERE),
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


@pytest.mark.parametrize("uses_token", [True, False])
@pytest.mark.parametrize(
    ("error", "is_final"),
    [(page(403), False), (page(404), False), (refusal(408), False), (refusal(403, 40333), False), (refusal(403), True)],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_a_card_is_written_again_after_what_says_nothing_about_it(
    error: Exception, is_final: bool, uses_token: bool
) -> None:
    step = classify_card(error, uses_token=uses_token, has_preview=True)
    assert (step is not CardNext.LATER) is is_final


def test_rests_grow_to_five_minutes_and_stay_there() -> None:
    assert [wait_ms(attempts, 0.0) for attempts in (0, 1, 2)] == [1000, 2000, 4000]
    assert wait_ms(10**6, 0.0) == LONGEST_WAIT_MS
    assert wait_ms(3, 1.0) == 6000
