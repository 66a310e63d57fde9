"""How long each phase may be silent before a child counts as stalled. Pure arithmetic on monotonic seconds."""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from dataclasses import dataclass, field

from generator.protocol import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class StallLimits:
    """Seconds without any sign of life, per phase, and how long a stop may take."""

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


@dataclass(slots=True)
class StepTimes:
    """The last denoising steps of each variant, in seconds."""

    _seconds: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=50)))

    def add(self, variant: str, seconds: float) -> None:
        """Remember one step."""
        self._seconds[variant].append(seconds)

    def median(self, variant: str) -> float | None:
        """Give the median step, None before the first."""
        seconds = self._seconds.get(variant)
        return statistics.median(seconds) if seconds else None


def silence_limit(limits: StallLimits, phase: Phase | None, median_step: float | None) -> float:
    """Give the seconds that may pass without progress in `phase`; None is a request the child has not begun."""
    if phase is Phase.DENOISE:
        if median_step is None:
            return limits.first_step_seconds
        return max(limits.step_floor_seconds, limits.step_factor * median_step)
    return {
        None: limits.prepare_seconds,
        Phase.LOAD: limits.load_seconds,
        Phase.PREPARE: limits.prepare_seconds,
        Phase.DECODE: limits.decode_seconds,
        Phase.ENCODE: limits.encode_seconds,
    }[phase]


def cancel_limit(limits: StallLimits, phase: Phase | None, median_step: float | None) -> float:
    """Give the seconds the child may take to answer a cancel: two steps and a grace while denoising.

    The other phases look at the cancel only between their parts, so there the phase's own limit counts.
    """
    if phase is None:
        return limits.cancel_grace_seconds
    if phase is Phase.DENOISE and median_step is not None:
        return limits.cancel_grace_seconds + 2 * median_step
    return silence_limit(limits, phase, median_step)
