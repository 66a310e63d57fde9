"""A clock that tests can move, the ids that Discord makes from the time, and Discord's deadlines.

Tested in tests/sandbox/world/test_interactions.py and tests/sandbox/world/test_messages.py.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000


class Clock:
    """The machine's clock, plus the seconds that `advance` added."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the time in this Discord, in seconds since 1970."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Move the clock forward; timers of the event loop are not moved."""
        self._ahead += seconds

    def timestamp(self) -> str:
        """Return the time in this Discord as ISO 8601."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat()


class Snowflakes:
    """Ids that grow with time: a client reads an object's creation time from its id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._backdated = 0

    def next(self) -> str:
        """Return an id for now that is larger than every earlier one."""
        now_ms = int(self._clock.now() * 1000) - DISCORD_EPOCH_MS
        self._last = max(now_ms << 22, self._last + 1)
        return str(self._last)

    def backdated(self, age_seconds: float) -> str:
        """Return an id that looks `age_seconds` old."""
        self._backdated += 1
        then_ms = int((self._clock.now() - age_seconds) * 1000) - DISCORD_EPOCH_MS
        return str((then_ms << 22) + (self._backdated & 0x3FFFFF))


@dataclass
class Timing:
    """Discord's deadlines in seconds; a test may shorten them at any time."""

    acknowledge: float = 3.0
    token_life: float = 15 * 60.0
    nonce_memory: float = 5 * 60.0
    """the documentation says "the past few minutes" """
    link_life: float = 24 * 3600.0
    message_old: float = 3600.0
    """the age from which a message's edits are limited (30046)"""
    heartbeat_interval: float = 41.25


def made_at(snowflake: str) -> float:
    """Return when an id was made, in seconds since 1970."""
    return ((int(snowflake) >> 22) + DISCORD_EPOCH_MS) / 1000


@dataclass(frozen=True, slots=True)
class Stamps:
    """What new objects need: the time, ids, and Discord's deadlines."""

    clock: Clock
    snowflakes: Snowflakes
    timing: Timing
