"""The ban of an address that sends too many invalid requests.

Tested in tests/sandbox/rest/test_rate_limits.py.
"""

from __future__ import annotations

from collections import deque

from bot.sandbox.rules.clock import Clock

BAN_AT = 10_000
WINDOW_SECONDS = 600.0
"""both the time in which they are counted and how long a ban lasts here; Discord does not say"""


class InvalidRequests:
    """Counts answers of 401, 403 and 429 in ten minutes, but no 429 of a limit that is shared with others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._times: deque[float] = deque()
        self._banned_until = 0.0
        self.count = 0
        """all of them so far"""

    def is_banned(self) -> bool:
        """Tell whether the network edge answers instead of the API."""
        return self._clock.now() < self._banned_until

    def note(self, status: int, scope: str | None = None) -> None:
        """Count an answer, and begin a ban when it was one too many."""
        if status not in (401, 403, 429) or scope == "shared":
            return
        now = self._clock.now()
        self.count += 1
        self._times.append(now)
        while self._times[0] <= now - WINDOW_SECONDS:
            self._times.popleft()
        if len(self._times) >= BAN_AT:
            self._banned_until = now + WINDOW_SECONDS
