"""Why a child was lost, as the one error that its requests get. Pure.

Tested in tests/generator/backend/test_losses.py and tests/generator/backend/test_local_backend.py.
"""

from __future__ import annotations

from generator.errors import ExecutorLost
from generator.process.child import ChildEnd
from generator.protocol import PROTOCOL_VERSION


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
