"""How many cards to ask an autoscaler for: by how many jobs there are and how long they take. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

COOL_DOWN_SECONDS = 600.0
"""a rented machine loads for minutes: it is kept so long after the queue needed it last"""
WAIT_SECONDS = 300.0
"""what the last in the queue shall wait at most, as far as there are cards to rent"""


@dataclass(slots=True)
class Demand:
    """What is asked for. `most` 0: nothing is ever rented."""

    most: int
    cool_down_seconds: float = COOL_DOWN_SECONDS
    wanted: int = 0
    _needed_at: float = -math.inf

    def update(self, *, jobs: int, work_seconds: float, now: float) -> int:
        """Return how many cards to ask for in all.

        `jobs` wait or run, and would keep one card busy for `work_seconds`. What is asked for rises at once, and falls
        when less was needed for the whole cool-down.
        """
        needed = min(max(self.most, 0), jobs, math.ceil(work_seconds / WAIT_SECONDS))
        if needed >= self.wanted or now - self._needed_at >= self.cool_down_seconds:
            self.wanted, self._needed_at = needed, now
        return self.wanted
