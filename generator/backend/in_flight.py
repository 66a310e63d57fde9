"""The requests that a child has and has not yet answered: how far each is, how long its steps take, how it ends.

Knows neither pipes nor processes: the backend passes the events in.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from generator.errors import ExecutorLost, RenderError
from generator.protocol import Phase, Progress, Rendered, RenderRequest, answer_from_wire

OnProgress = Callable[[Progress], None]


@dataclass(slots=True, eq=False)
class InFlight:
    """An in-flight request: the child has it or the next child will get it, and somebody waits for `done`."""

    request: RenderRequest
    on_progress: OnProgress
    done: asyncio.Future[Rendered]
    since: float
    """loop time of the last event about it"""
    progress: Progress | None = None
    """None: the child has not begun it"""
    cancelled_at: float | None = None
    """loop time at which the child was asked to cancel it"""

    @property
    def key(self) -> tuple[int, int]:
        """Return what names the request on the pipe: job and attempt."""
        return self.request.job, self.request.attempt

    @property
    def holds_gpu(self) -> bool:
        """Tell whether it is in one of the phases that only one request can be in."""
        return self.progress is not None and self.progress.phase is not Phase.ENCODE

    def fail(self, error: RenderError) -> None:
        """End it with an error, unless it has ended."""
        if not self.done.done():
            self.done.set_exception(error)
            self.done.exception()  # marks it as seen: whoever waited may be gone


@dataclass(slots=True)
class Times:
    """How long the last denoising steps, or clips, of each variant took, in seconds."""

    _seconds: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=50)))

    def add(self, variant: str, seconds: float) -> None:
        """Add one; the oldest of 50 is forgotten."""
        self._seconds[variant].append(seconds)

    def median(self, variant: str) -> float | None:
        """Return the median in seconds, None before the first."""
        seconds = self._seconds.get(variant)
        return statistics.median(seconds) if seconds else None


class InFlightRequests:
    """All requests that a backend has accepted and not yet answered."""

    def __init__(self) -> None:
        self._requests: dict[tuple[int, int], InFlight] = {}
        self._steps = Times()

    def __iter__(self) -> Iterator[InFlight]:
        return iter(self._requests.values())

    @contextlib.contextmanager
    def accepted(self, request: RenderRequest, on_progress: OnProgress) -> Iterator[InFlight]:
        """Hold a request until the block ends, which is when it has its answer."""
        loop = asyncio.get_running_loop()
        in_flight = InFlight(request, on_progress, loop.create_future(), loop.time())
        self._requests[in_flight.key] = in_flight
        try:
            yield in_flight
        finally:
            del self._requests[in_flight.key]

    def handle(self, event: dict[str, Any]) -> None:
        """Note what the child says about a request. Raises ValueError, KeyError or TypeError on a malformed event."""
        now = asyncio.get_running_loop().time()
        for waiting in self:
            if waiting.progress is None:
                waiting.since = now  # it waits for the one this event is about
        about = self._requests.get((int(event["job"]), int(event["attempt"])))
        if about is None or about.done.done():
            return
        match answer_from_wire(event):
            case Progress() as progress:
                self._note_progress(about, progress)
            case Rendered() as rendered:
                about.done.set_result(rendered)
            case RenderError() as error:
                about.fail(error)
            case None:
                if about.cancelled_at is None:
                    raise ValueError("the executor cancelled a render that nobody cancelled")
                about.done.cancel()

    def _note_progress(self, about: InFlight, progress: Progress) -> None:
        loop = asyncio.get_running_loop()
        before = about.progress
        if before is not None and progress.phase is before.phase is Phase.DENOISE:
            self._steps.add(about.request.settings.variant, loop.time() - about.since)
        about.progress, about.since = progress, loop.time()
        # Not called from here: a caller's mistake must not end the reading of the child.
        loop.call_soon(about.on_progress, progress)

    def fail_all(self, lost: ExecutorLost, culprit: InFlight | None = None) -> None:
        """End every request with `lost`; those that had not begun are innocent, and so are all but the culprit."""
        for request in self:
            innocent = lost.data.get("innocent", False) or request.progress is None or culprit not in (None, request)
            request.fail(ExecutorLost(lost.text, **lost.data | {"innocent": innocent}))

    def expected_to_speak(self) -> Iterator[tuple[InFlight, float | None]]:
        """Yield each request that the child must say something about, and its variant's median step in seconds.

        The step is None before the first one. A request that waits while another one holds the GPU is left out.
        """
        gpu_is_held = any(request.holds_gpu for request in self)
        for request in self:
            if request.cancelled_at is not None or request.progress is not None or not gpu_is_held:
                yield request, self._steps.median(request.request.settings.variant)

    def count_silence_from(self, now: float) -> None:
        """Count every request's silence from `now` (loop time) on, and not what was before."""
        for request in self:
            request.since = now
            if request.cancelled_at is not None:
                request.cancelled_at = now

    def __str__(self) -> str:
        """Name the jobs that the child has begun, for the log."""
        return ",".join(str(request.request.job) for request in self if request.progress is not None) or "-"
