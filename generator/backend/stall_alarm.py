"""Tells the backend when its child has been silent for too long. Knows the event loop's clock, but no process.

Tested in tests/generator/backend/test_stalls.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from generator.backend.in_flight import Deadline, InFlightRequests
from generator.backend.stalls import StallLimits

_LATE_SECONDS = 1.0
"""an alarm that rings this late was held up: this process itself was stopped"""


class StallAlarm:
    """Calls `on_stall` with the first deadline that passes. It is off until `watch_start`."""

    def __init__(self, limits: StallLimits, in_flight: InFlightRequests, on_stall: Callable[[Deadline], None]) -> None:
        self._limits = limits
        self._in_flight = in_flight
        self._on_stall = on_stall
        self._is_on = False
        self._timer: asyncio.TimerHandle | None = None
        self._getting_ready: Deadline | None = None
        """until the child can take a request: when its start or its load counts as stalled"""

    def watch_start(self) -> None:
        """Begin to count the silence of a child that has just been started."""
        self._is_on = True
        self._in_flight.count_silence_from(asyncio.get_running_loop().time())
        self._expect_ready_within("start", self._limits.start_seconds)

    def watch_load(self) -> None:
        """Count the silence of a load; each event about it begins the count anew."""
        self._expect_ready_within("load", self._limits.load_seconds)

    def watch_requests(self) -> None:
        """Count the silence of the requests from now on: the child can take them."""
        self._getting_ready = None
        self._in_flight.count_silence_from(asyncio.get_running_loop().time())

    def turn_off(self) -> None:
        """Count nothing any more: the child is gone."""
        self._is_on, self._getting_ready = False, None
        self.update()

    def update(self) -> None:
        """Ring at the earliest deadline there is now. Call it after each event and each change of the requests."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._is_on:
            return
        deadlines = [self._getting_ready] if self._getting_ready else list(self._in_flight.deadlines())
        if deadlines:
            earliest = min(deadlines, key=lambda deadline: deadline.due)
            self._timer = asyncio.get_running_loop().call_at(earliest.due, self._ring, earliest)

    def _expect_ready_within(self, what: str, seconds: float) -> None:
        self._getting_ready = Deadline(asyncio.get_running_loop().time() + seconds, what)

    def _ring(self, deadline: Deadline) -> None:
        now = asyncio.get_running_loop().time()
        if now - deadline.due <= _LATE_SECONDS:
            self._on_stall(deadline)
            return
        # The child may have said something meanwhile, which is read first.
        self._in_flight.count_silence_from(now)
        if self._getting_ready:
            self._expect_ready_within(deadline.what, self._limits.start_seconds)
        self.update()
