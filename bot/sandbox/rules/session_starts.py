"""How often bots may identify: a number a day, and a few at once.

Tested in tests/sandbox/gateway/test_gateway.py.
"""

from __future__ import annotations

from enum import StrEnum

from bot.sandbox.rules.clock import Clock
from bot.sandbox.rules.payloads import Json

DAY_SECONDS = 24 * 3600.0
AT_ONCE_SECONDS = 5.0
"""in which `max_concurrency` shards may identify"""


class Answer(StrEnum):
    """What an IDENTIFY meets."""

    ACCEPTED = "accepted"
    TOO_SOON = "too-soon"
    """another shard of the same key identified less than five seconds ago: op 9"""
    USED_UP = "used-up"
    """one more than a day allows: every session ends, and the token is reset"""


class SessionStarts:
    """Counts IDENTIFYs. It refuses only where `enforced`: most tests start bots faster than Discord allows."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.enforced = False
        self.total = 1000
        self.max_concurrency = 1
        self.used = 0
        self._resets_at = 0.0
        self._latest: dict[int, float] = {}
        """the rate limit key -> when a shard with it identified"""

    def take(self, shard_id: int) -> Answer:
        """Count an IDENTIFY and say what becomes of it."""
        self._begin_day()
        now, key = self._clock.now(), shard_id % self.max_concurrency
        if self.enforced and self.used >= self.total:
            return Answer.USED_UP
        if self.enforced and now - self._latest.get(key, 0.0) < AT_ONCE_SECONDS:
            return Answer.TOO_SOON
        self._latest[key] = now
        self.used += 1
        return Answer.ACCEPTED

    def describe(self) -> Json:
        """Return the session_start_limit of GET /gateway/bot."""
        self._begin_day()
        left = max(self.total - self.used, 0)
        reset_after = max(0, round((self._resets_at - self._clock.now()) * 1000))
        return {
            "total": self.total,
            "remaining": left,
            "reset_after": reset_after,
            "max_concurrency": self.max_concurrency,
        }

    def _begin_day(self) -> None:
        if self._clock.now() >= self._resets_at:
            self.used, self._resets_at = 0, self._clock.now() + DAY_SECONDS
