"""Time that a test can move, and the time-based ids that Discord makes from it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

DISCORD_EPOCH_MS = 1_420_070_400_000


class Clock:
    """Seconds since 1970 that run with the machine's clock plus whatever `advance` added."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def now(self) -> float:
        """Return the present moment in this Discord."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let time pass at once; timers of the machine itself do not notice."""
        self._ahead += seconds

    def timestamp(self) -> str:
        """Return the present moment as Discord writes it."""
        return datetime.fromtimestamp(self.now(), UTC).isoformat()


class Snowflakes:
    """Ids that rise with time; a client reads an object's creation time out of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._backdated = 0

    def next(self) -> str:
        """Return an id of this moment, above every earlier one."""
        now_ms = int(self._clock.now() * 1000) - DISCORD_EPOCH_MS
        self._last = max(now_ms << 22, self._last + 1)
        return str(self._last)

    def backdated(self, age_seconds: float) -> str:
        """Return an id that looks `age_seconds` old."""
        self._backdated += 1
        then_ms = int((self._clock.now() - age_seconds) * 1000) - DISCORD_EPOCH_MS
        return str((then_ms << 22) + (self._backdated & 0x3FFFFF))


def created_at(snowflake: str) -> float:
    """Return the moment an id was made, in seconds since 1970."""
    return ((int(snowflake) >> 22) + DISCORD_EPOCH_MS) / 1000


@dataclass
class Timing:
    """Discord's deadlines in seconds; a test may shorten them at any time."""

    acknowledge: float = 3.0
    token_life: float = 15 * 60.0
    nonce_memory: float = 5 * 60.0
    """the documentation says "the past few minutes" """
    link_life: float = 24 * 3600.0
    heartbeat_interval: float = 41.25


@dataclass(frozen=True, slots=True)
class Stamps:
    """What new things are stamped with: time, ids, and how long each lasts."""

    clock: Clock
    snowflakes: Snowflakes
    timing: Timing
