"""The limit on edits of messages that are older than an hour.

Tested in tests/sandbox/world/test_messages.py.
"""

from __future__ import annotations

from collections import deque

from bot.sandbox.rules.clock import Stamps, made_at
from bot.sandbox.rules.errors import too_many_old_edits

EDITS = 3
SECONDS = 20.0
"""Discord does not say how many: bots have met the limit at about three edits a channel in 20 s"""


class OldEdits:
    """Counts the edits of old messages in each channel."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._times: dict[str, deque[float]] = {}

    def check(self, channel_id: str, message_id: str) -> None:
        """Count an edit. Raises Refusal (429, 30046) when the message is old and there were too many lately."""
        now = self._stamps.clock.now()
        if now - made_at(message_id) <= self._stamps.timing.message_old:
            return
        times = self._times.setdefault(channel_id, deque(maxlen=EDITS))
        if len(times) == EDITS and now - times[0] < SECONDS:
            raise too_many_old_edits(round(times[0] + SECONDS - now, 3))
        times.append(now)
