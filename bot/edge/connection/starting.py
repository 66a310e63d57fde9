"""Waits for Discord at a start: whatever a failing server or a limit answers, only a refused token ends the bot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import discord

from bot.edge.http_errors import NETWORK_ERRORS, passes
from bot.work.supervise import damage_in

T = TypeVar("T")

log = logging.getLogger(__name__)

Pause = Callable[[float], Awaitable[object]]

FIRST_REST_SECONDS = 1.0
LONGEST_REST_SECONDS = 60.0
LONGEST_ASKED_SECONDS = 3600.0
"""what Discord may ask for at most: a ban by its network edge lasts about an hour"""
NOT_DISCORD = (KeyError, TypeError, ValueError)
"""what discord.py raises over an answer that is not Discord's: a page of a proxy, a 429 without a time"""
UNSUPPORTED = frozenset({4012, 4013, 4014})
"""close codes that another start meets again: an old API version, intents that the application may not use"""
TOKEN_REFUSED_TEXT = (
    "Discord refuses the token. Reset it on the application's Bot page, and put the new one into config.toml or "
    "VIVANT_TOKEN."
)
UNSUPPORTED_TEXT = "Discord refuses the connection of this version for good. Update Vivant, discord.py with it."


async def wait_for_discord(request: Callable[[], Awaitable[T]], pause: Pause = asyncio.sleep) -> T:
    """Repeat a request until Discord answers it. Raises discord.LoginFailure, or what is no matter of waiting."""
    rest_seconds = FIRST_REST_SECONDS
    while True:
        try:
            return await request()
        except discord.LoginFailure:
            raise
        except (*NETWORK_ERRORS, discord.GatewayNotFound, *NOT_DISCORD, RecursionError) as error:
            # RecursionError: discord.py repeats a shard's first connection by recursion, for an hour and a half.
            asked = asked_rest(error)
            if asked is None:
                raise
            log.warning(
                "Discord cannot be reached (%s); again in %g s",
                _describe(error),
                max(rest_seconds, asked),
                exc_info=error if isinstance(error, NOT_DISCORD) else None,
            )
        await pause(max(rest_seconds, asked))
        rest_seconds = min(2 * rest_seconds, LONGEST_REST_SECONDS)


def asked_rest(error: Exception) -> float | None:
    """Return how many seconds an error asks to wait at least; None when waiting will not help.

    Raises discord.LoginFailure when the token is refused.
    """
    if isinstance(error, discord.GatewayNotFound) and isinstance(error.__cause__, discord.HTTPException):
        error = error.__cause__
    if isinstance(error, discord.RateLimited):
        return min(error.retry_after, LONGEST_ASKED_SECONDS)
    if not isinstance(error, discord.HTTPException):
        return 0.0
    if error.status == 401:
        raise discord.LoginFailure("Discord refuses the token") from error
    if not passes(error):
        return None
    header = getattr(error.response, "headers", {}).get("Retry-After", "")
    return min(float(header), LONGEST_ASKED_SECONDS) if header.isdigit() else 0.0


def _describe(error: Exception) -> str:
    cause = error.__cause__ if isinstance(error, discord.GatewayNotFound) and error.__cause__ else error
    status = f" {cause.status}" if isinstance(cause, discord.HTTPException) else ""
    return f"{type(cause).__name__}{status}"


class Unsupported(Exception):
    """Discord closed the gateway for a reason that another start meets again."""


def explain_close(error: discord.ConnectionClosed | discord.PrivilegedIntentsRequired) -> Exception:
    """Return what the end of the gateway means: the token is refused, this version is too old, or just an end."""
    code = error.code if isinstance(error, discord.ConnectionClosed) else 4014
    if code == 4004:
        return discord.LoginFailure("Discord refuses the token")
    return Unsupported(f"close code {code}") if code in UNSUPPORTED else error


def why_it_ended(error: BaseException) -> str | None:
    """Return the sentence for an error after which no other start helps, or None."""
    if damage := damage_in(error):
        return str(damage)
    for kind, sentence in ((discord.LoginFailure, TOKEN_REFUSED_TEXT), (Unsupported, UNSUPPORTED_TEXT)):
        if isinstance(error, kind) or (isinstance(error, BaseExceptionGroup) and error.subgroup(kind)):
            return sentence
    return None
