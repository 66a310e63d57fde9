"""How long each phase may be silent before a child counts as stalled, and how long to wait before a restart.

Pure arithmetic on seconds. It knows no clock.
"""

from __future__ import annotations

import statistics
from collections import defaultdict, deque
from dataclasses import dataclass, field

from generator.protocol import Phase, Progress


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


@dataclass(slots=True)
class StepTimes:
    """The last denoising steps of each variant, in seconds."""

    _seconds: defaultdict[str, deque[float]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=50)))

    def add(self, variant: str, seconds: float) -> None:
        """Add one step; the oldest of 50 is forgotten."""
        self._seconds[variant].append(seconds)

    def median(self, variant: str) -> float | None:
        """Return the median step in seconds, None before the first."""
        seconds = self._seconds.get(variant)
        return statistics.median(seconds) if seconds else None


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

    The other phases check for a cancel only between their parts, so there the phase's own limit counts.
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
    """Return the seconds to wait before the next start, after so many ends in a row before this one."""
    doubled: int = 2 ** min(crashes, 20)  # a float ends at 2**1024, and so would the supervisor
    return min(limits.backoff_seconds * doubled, limits.backoff_max_seconds)
