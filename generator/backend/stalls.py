"""When a child's silence is a stall, the alarm that tells it, and how long to wait before a restart.

Knows the event loop's clock, but no process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from generator.backend.in_flight import InFlight, InFlightRequests
from generator.protocol import Phase, Progress

_LATE_SECONDS = 1.0
"""an alarm that rings this late was held up: this process itself was stopped"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StallLimits:
    """Seconds without any event, per phase, how long a stop may take, and the pause before a restart."""

    start_seconds: float = 120.0
    """from the start of Python to its first line: a cold disk, a busy machine"""
    load_seconds: float = 600.0
    prepare_seconds: float = 120.0
    first_step_seconds: float = 600.0
    """before any step of this variant was timed: a CPU needs minutes for one full-size step"""
    step_factor: float = 10.0
    """a step may take this many times the median step ..."""
    step_floor_seconds: float = 30.0
    """... and never counts as stalled before this"""
    decode_seconds: float = 300.0
    encode_seconds: float = 300.0
    """interpolating and palettes of a long clip on a slow CPU"""
    cancel_grace_seconds: float = 5.0
    """on top of two steps"""
    term_seconds: float = 3.0
    """between SIGTERM and SIGKILL"""
    kill_seconds: float = 10.0
    """a process that outlives SIGKILL for this long hangs in the kernel"""
    backoff_seconds: float = 1.0
    """before the first restart; doubled each time"""
    backoff_max_seconds: float = 60.0


def silence_limit(limits: StallLimits, progress: Progress | None, median_step: float | None) -> float:
    """Return the seconds that may pass after `progress`; None is a request that the child has not begun.

    Progress is sent for finished steps. So the silence after `prepare` may be the first step's, and the silence after
    the last step is the decoder's.
    """
    if progress is None:
        return limits.prepare_seconds
    decodes = progress.phase is Phase.DENOISE and progress.step >= progress.of
    return {
        Phase.LOAD: limits.load_seconds,
        Phase.PREPARE: max(limits.prepare_seconds, _step_limit(limits, median_step)),
        Phase.DENOISE: limits.decode_seconds if decodes else _step_limit(limits, median_step),
        Phase.DECODE: limits.decode_seconds,
        Phase.ENCODE: limits.encode_seconds,
    }[progress.phase]


def cancel_limit(limits: StallLimits, progress: Progress | None, median_step: float | None) -> float:
    """Return the seconds that the child may take to answer a cancel: two steps and a grace while denoising.

    A request that has not begun gets the grace alone. The other phases check for a cancel only between their parts, so
    there the phase's own limit counts.
    """
    if progress is None:
        return limits.cancel_grace_seconds
    if progress.phase is Phase.DENOISE and progress.step < progress.of and median_step is not None:
        return limits.cancel_grace_seconds + 2 * median_step
    return silence_limit(limits, progress, median_step)


def _step_limit(limits: StallLimits, median_step: float | None) -> float:
    if median_step is None:
        return limits.first_step_seconds
    return max(limits.step_floor_seconds, limits.step_factor * median_step)


def restart_delay(limits: StallLimits, crashes: int) -> float:
    """Return the seconds to wait before the next start; `crashes` counts the ends in a row before this one."""
    doubled: int = 2 ** min(crashes, 20)  # 2.0**1024 raises OverflowError, which would end the supervisor
    return min(limits.backoff_seconds * doubled, limits.backoff_max_seconds)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment, in loop time, from which silence is a stall; what was going on; the request, if it is about one."""

    due: float
    what: str
    request: InFlight | None = None


def _deadline(limits: StallLimits, request: InFlight, median_step: float | None) -> Deadline:
    progress = request.progress
    if request.cancelled_at is not None:
        return Deadline(request.cancelled_at + cancel_limit(limits, progress, median_step), "cancel", request)
    what = str(progress.phase) if progress else "begin"
    return Deadline(request.since + silence_limit(limits, progress, median_step), what, request)


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
        self._expect_ready("start")

    def watch_load(self) -> None:
        """Count the silence of a load; each event about it begins the count anew."""
        self._expect_ready("load")

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
        deadlines = [self._getting_ready] if self._getting_ready else list(self._deadlines())
        if deadlines:
            earliest = min(deadlines, key=lambda deadline: deadline.due)
            self._timer = asyncio.get_running_loop().call_at(earliest.due, self._ring, earliest)

    def _deadlines(self) -> Iterator[Deadline]:
        for request, median_step in self._in_flight.expected_to_speak():
            yield _deadline(self._limits, request, median_step)

    def _expect_ready(self, what: str) -> None:
        seconds = {"start": self._limits.start_seconds, "load": self._limits.load_seconds}[what]
        self._getting_ready = Deadline(asyncio.get_running_loop().time() + seconds, what)

    def _ring(self, deadline: Deadline) -> None:
        now = asyncio.get_running_loop().time()
        if now - deadline.due <= _LATE_SECONDS:
            self._on_stall(deadline)
            return
        # The child may have said something meanwhile, which is read first.
        self._in_flight.count_silence_from(now)
        if self._getting_ready:
            self._expect_ready(self._getting_ready.what)
        self.update()
