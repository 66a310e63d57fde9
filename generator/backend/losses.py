"""Why a child was lost, as the one error that its requests get, and whether losses come again and again. Pure.

Tested in tests/generator/backend/test_losses.py and tests/generator/backend/test_local_backend.py.
"""

from __future__ import annotations

from collections import deque

from generator.errors import ExecutorLost
from generator.process.child import ChildEnd
from generator.protocol import PROTOCOL_VERSION


class Streak:
    """Tells when losses come again and again: `most` of them `within_seconds`.

    Those within `at_once_seconds` are one: what dies loses all that it has at once.
    """

    def __init__(self, most: int, within_seconds: float, at_once_seconds: float) -> None:
        self._within_seconds = within_seconds
        self._at_once_seconds = at_once_seconds
        self._times: deque[float] = deque(maxlen=most)

    def note(self, now: float) -> bool:
        """Note a loss at `now`, in seconds. Return whether it makes a streak; then the next one begins anew."""
        if self._times and now - self._times[-1] < self._at_once_seconds:
            return False
        self._times.append(now)
        if len(self._times) < (self._times.maxlen or 0) or now - self._times[0] > self._within_seconds:
            return False
        self._times.clear()
        return True

    def clear(self) -> None:
        """Forget all losses."""
        self._times.clear()


def lost_because(text: str, *, cause: str, detail: str = "", innocent: bool = False) -> ExecutorLost:
    """Build the error for a child that this side gave up; `ExecutorLost` says what the facts mean."""
    return ExecutorLost(text, cause=cause, detail=detail, innocent=innocent)


def lost_by(end: ChildEnd) -> ExecutorLost:
    """Build the error for a child that ended by itself."""
    text, words = f"the executor {end}", end.last_words
    if end.signal_name:
        return ExecutorLost(text, cause="signal", detail=end.signal_name, log=words)
    return ExecutorLost(text, cause="exit", detail=str(end.status), log=words)


def check_version(protocol: object) -> ExecutorLost | None:
    """Return why a child that speaks this version of the protocol cannot be used, None when it can."""
    if protocol == PROTOCOL_VERSION:
        return None
    text = f"the executor speaks protocol {protocol}, this bot {PROTOCOL_VERSION}"
    return lost_because(text, cause="version", detail=text, innocent=True)
