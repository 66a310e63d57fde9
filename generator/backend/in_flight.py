"""The requests that are in a child: where each is, how it ends, and when silence about it means a stall."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from generator.backend.stalls import StallLimits, StepTimes, cancel_limit, silence_limit
from generator.errors import ExecutorLost, RenderError
from generator.protocol import Phase, Progress, Rendered, RenderRequest, progress_from_wire, rendered_from_wire

OnProgress = Callable[[Progress], None]


@dataclass(slots=True, eq=False)
class Flight:
    """A request on its way through the child."""

    request: RenderRequest
    on_progress: OnProgress
    done: asyncio.Future[Rendered]
    since: float
    """loop time of its last sign of life"""
    progress: Progress | None = None
    """None: the child has not begun it"""
    cancelled_at: float | None = None

    @property
    def key(self) -> tuple[int, int]:
        """Give what names it on the pipe."""
        return self.request.job, self.request.attempt

    @property
    def holds_gpu(self) -> bool:
        """Tell whether it is at the stage that only one request can be at."""
        return self.progress is not None and self.progress.phase is not Phase.ENCODE

    def fail(self, error: RenderError) -> None:
        """End it with an error, unless it has ended."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # taken, also when the one who waited is gone


@dataclass(frozen=True, slots=True)
class Deadline:
    """When silence means a stall, in loop time; of what, and whose."""

    due: float
    what: str
    flight: Flight | None = None


class Flights:
    """All requests that a backend has accepted and not yet answered."""

    def __init__(self, limits: StallLimits) -> None:
        self._limits = limits
        self._flights: dict[tuple[int, int], Flight] = {}
        self._steps = StepTimes()

    def __iter__(self) -> Iterator[Flight]:
        return iter(self._flights.values())

    def add(self, request: RenderRequest, on_progress: OnProgress) -> Flight:
        """Accept a request."""
        loop = asyncio.get_running_loop()
        flight = Flight(request, on_progress, loop.create_future(), loop.time())
        self._flights[flight.key] = flight
        return flight

    def remove(self, flight: Flight) -> None:
        """Forget a request that has its answer."""
        del self._flights[flight.key]

    def hear(self, event: dict[str, Any]) -> None:
        """Take what the child says about a request. Raises ValueError, KeyError or TypeError on nonsense."""
        now = asyncio.get_running_loop().time()
        for waiting in self:
            if waiting.progress is None:
                waiting.since = now  # it waits for the one this event is about
        flight = self._flights.get((int(event["job"]), int(event["attempt"])))
        if flight is None or flight.done.done():
            return
        match event["type"]:
            case "progress":
                self._progress(flight, progress_from_wire(event))
            case "rendered":
                flight.done.set_result(rendered_from_wire(event))
            case "failed":
                flight.fail(RenderError.from_wire(event["error"]))
            case "cancelled":
                if flight.cancelled_at is None:
                    raise ValueError("the executor cancelled a render that nobody cancelled")
                flight.done.cancel()

    def _progress(self, flight: Flight, progress: Progress) -> None:
        loop = asyncio.get_running_loop()
        before = flight.progress
        if before is not None and progress.phase is before.phase is Phase.DENOISE:
            self._steps.add(flight.request.settings.variant, loop.time() - flight.since)
        flight.progress, flight.since = progress, loop.time()
        # Not called from here: a caller's mistake must not end the reading of the child.
        loop.call_soon(flight.on_progress, progress)

    def fail_all(self, lost: ExecutorLost, culprit: Flight | None = None) -> None:
        """End every request; those that had not begun are innocent, and so is every other than the culprit."""
        for flight in self:
            innocent = lost.data.get("innocent", False) or flight.progress is None or culprit not in (None, flight)
            flight.fail(ExecutorLost(lost.text, **lost.data | {"innocent": innocent}))

    def deadlines(self) -> Iterator[Deadline]:
        """Give each moment at which silence would mean a stall."""
        gpu_taken = any(flight.holds_gpu for flight in self)
        for flight in self:
            median = self._steps.median(flight.request.settings.variant)
            progress = flight.progress
            if flight.cancelled_at is not None:
                yield Deadline(flight.cancelled_at + cancel_limit(self._limits, progress, median), "cancel", flight)
            elif progress is not None or not gpu_taken:
                what = str(progress.phase) if progress else "begin"
                yield Deadline(flight.since + silence_limit(self._limits, progress, median), what, flight)

    def count_silence_from(self, now: float) -> None:
        """Forgive the silence so far."""
        for flight in self:
            flight.since = now
            if flight.cancelled_at is not None:
                flight.cancelled_at = now

    def __str__(self) -> str:
        """Name the jobs at work, for the log."""
        return ",".join(str(flight.request.job) for flight in self if flight.progress is not None) or "-"
