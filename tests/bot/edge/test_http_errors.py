"""What each refusal of Discord means, and when to try again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord
import pytest

from bot.edge.http_errors import DELETED, CardNext, Next, classify, classify_card, passes, wait_ms
from bot.queue.deliveries import LONGEST_WAIT_MS
from bot.queue.job import DeadReason


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


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionResetError(104, "reset"), "ConnectionResetError"),
        (discord.RateLimited(400.0), "RateLimited"),
        (refusal(503), "HTTPException 503"),
        (refusal(408), "HTTPException 408"),
        (refusal(500), "HTTPException 500"),
        (refusal(499), DeadReason.REFUSED),
        (page(403), "Forbidden 403"),
        (refusal(401), "the bot token is not accepted"),
        (refusal(413), DeadReason.TOO_LARGE),
        (refusal(400, 40005), DeadReason.TOO_LARGE),
        *((refusal(400, code), DeadReason.THREAD_CLOSED) for code in (50083, 160005, 160006, 160007)),
        (refusal(404, 10008), DELETED),
        (refusal(404, 10003), DeadReason.CHANNEL_GONE),
        (refusal(403, 50013), DeadReason.NO_PERMISSION),
        (refusal(403, 200000), DeadReason.REFUSED),
        (refusal(400, 50035), DeadReason.REFUSED),
    ],
    ids=lambda value: str(getattr(value, "code", value)),
)
def test_each_refusal_has_its_reason(error: Exception, reason: str) -> None:
    assert classify(error).reason == reason


@pytest.mark.parametrize(
    ("error", "of_status", "says_nothing"),
    [
        (page(400, "text/plain"), 400, True),
        (page(413), 413, False),
        (page(400, "application/json"), 400, False),
        (refusal(400, 0), 400, False),
        (_refused(400, {"code": 5, "message": ""}, "text/html"), 400, False),
    ],
)
def test_only_a_page_without_a_code_says_nothing_about_the_request(
    error: discord.HTTPException, of_status: int, says_nothing: bool
) -> None:
    assert (error.status, passes(error)) == (of_status, says_nothing)


@pytest.mark.parametrize(
    ("error", "by_token", "by_bot", "by_bot_without_preview"),
    [
        (refusal(401), CardNext.BOT_TOKEN, CardNext.LATER, CardNext.LATER),
        (refusal(403), CardNext.BOT_TOKEN, CardNext.WITHOUT_PREVIEW, CardNext.GIVE_UP),
        (refusal(404), CardNext.BOT_TOKEN, CardNext.GIVE_UP, CardNext.GIVE_UP),
        (refusal(400), CardNext.WITHOUT_PREVIEW, CardNext.WITHOUT_PREVIEW, CardNext.GIVE_UP),
        (refusal(413), CardNext.WITHOUT_PREVIEW, CardNext.WITHOUT_PREVIEW, CardNext.GIVE_UP),
        (refusal(405), CardNext.GIVE_UP, CardNext.GIVE_UP, CardNext.GIVE_UP),
        (refusal(429), CardNext.LATER, CardNext.LATER, CardNext.LATER),
        (TimeoutError(), CardNext.LATER, CardNext.LATER, CardNext.LATER),
        (FileNotFoundError(), CardNext.WITHOUT_PREVIEW, CardNext.WITHOUT_PREVIEW, CardNext.LATER),
    ],
    ids=lambda value: str(getattr(value, "status", value)),
)
def test_a_card_that_is_refused_is_written_in_another_way_as_long_as_there_is_one(
    error: Exception, by_token: CardNext, by_bot: CardNext, by_bot_without_preview: CardNext
) -> None:
    assert classify_card(error, uses_token=True, has_preview=True) is by_token
    assert classify_card(error, uses_token=False, has_preview=True) is by_bot
    assert classify_card(error, uses_token=False, has_preview=False) is by_bot_without_preview


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
    assert wait_ms(3, 0.5) == 7000
    assert [wait_ms(attempts, 0.0) for attempts in (8, 9, 20, 21)] == [256_000, *[LONGEST_WAIT_MS] * 3]
