"""What a failed request to Discord means, and when to try again. Pure functions over discord.py's exceptions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import aiohttp
import discord

from bot.queue.deliveries import LONGEST_WAIT_MS
from bot.queue.job import DeadReason

NETWORK_ERRORS = (OSError, aiohttp.ClientError, TimeoutError, discord.HTTPException, discord.RateLimited)
"""what a request to Discord may raise; discord.py itself retries neither ECONNRESET nor a lost server on Linux"""

FIRST_WAIT_MS = 1_000


class Next(StrEnum):
    """What to do after an attempt."""

    LATER = "later"
    """nothing is known about the attempt, or Discord asks for patience"""
    SHRINK = "shrink"
    PARENT = "parent"
    """a thread that is locked: its channel may still take the message"""
    ELSEWHERE = "elsewhere"
    """this channel is closed to us"""
    SENT = "sent"
    """it had arrived before"""
    DEAD = "dead"


DELETED = "deleted"
"""the reason when a post arrived and has been deleted since"""


CLOSED_THREAD = frozenset({50083, 160005, 160006, 160007})
"""archived and locked, locked alone, or archived where the server has no room for one more active thread"""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What to do next, and why."""

    next: Next
    reason: str = ""


BLOCKED = 40333
"""Discord's code when its own network turns requests away for a while, with status 403"""


def passes(error: Exception) -> bool:
    """Tell whether an error says nothing about the request itself: it will pass, and the request may be repeated.

    Discord refuses in JSON. A text or a page comes from a proxy, or from the network in front of it.
    """
    if not isinstance(error, discord.HTTPException) or error.status in (408, 429) or error.status >= 500:
        return True
    kind = getattr(error.response, "headers", {}).get("Content-Type", "")
    is_page = error.code == 0 and kind.startswith("text/")
    return error.code == BLOCKED or (is_page and error.status != 413)


def classify(error: Exception) -> AttemptResult:
    """Return what an attempt's error means for the next step. The codes are Discord's documented JSON error codes."""
    if not isinstance(error, discord.HTTPException) or passes(error):
        return AttemptResult(Next.LATER, _name(error))
    if error.status == 413 or error.code == 40005:
        return AttemptResult(Next.SHRINK, DeadReason.TOO_LARGE)
    if error.status == 401:
        return AttemptResult(Next.LATER, "the bot token is not accepted")
    if error.code in CLOSED_THREAD:
        return AttemptResult(Next.PARENT, DeadReason.THREAD_CLOSED)
    if error.code == 10008:  # the nonce matched a message that has been deleted since
        return AttemptResult(Next.SENT, DELETED)
    if error.status == 404:
        return AttemptResult(Next.ELSEWHERE, DeadReason.CHANNEL_GONE)
    if error.status == 403 and error.code != 200000:  # 200000: AutoMod
        return AttemptResult(Next.ELSEWHERE, DeadReason.NO_PERMISSION)
    return AttemptResult(Next.DEAD, DeadReason.REFUSED)


class CardNext(StrEnum):
    """What to do after a write of a status card failed."""

    LATER = "later"
    BOT_TOKEN = "bot-token"
    """the interaction's token is dead, or was never good for this message"""
    WITHOUT_PREVIEW = "without-preview"
    GIVE_UP = "give-up"


def classify_card(error: Exception, *, uses_token: bool, has_preview: bool) -> CardNext:
    """Return what an error at a card means; `uses_token` says that the write went by the interaction's token.

    A request that Discord refuses for good is never repeated as it was: it counts towards a ban of this address.
    """
    if isinstance(error, FileNotFoundError) and has_preview:
        return CardNext.WITHOUT_PREVIEW  # the picture has been deleted meanwhile
    if not isinstance(error, discord.HTTPException) or passes(error):
        return CardNext.LATER
    if uses_token and error.status in (401, 403, 404):
        return CardNext.BOT_TOKEN
    if error.status == 401:
        return CardNext.LATER
    if has_preview and error.status in (400, 403, 413):
        return CardNext.WITHOUT_PREVIEW
    return CardNext.GIVE_UP


def _name(error: Exception) -> str:
    status = f" {error.status}" if isinstance(error, discord.HTTPException) else ""
    return f"{type(error).__name__}{status}"


def wait_ms(attempts: int, jitter: float) -> int:
    """Return the pause before the next attempt: 1 s, doubling to 5 min.

    It is shortened by up to 25 % as `jitter` goes from 0 to 1.
    """
    longest: int = min(FIRST_WAIT_MS * 2 ** min(attempts, 20), LONGEST_WAIT_MS)
    return round(longest * (1 - 0.25 * jitter))
