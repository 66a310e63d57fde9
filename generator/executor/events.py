"""The writer of what the executor tells the bot. Knows neither requests nor a device.

Tested in tests/generator/executor/test_main.py.
"""

from __future__ import annotations

import os
import threading
from typing import Any, BinaryIO

from generator.errors import RenderCrashed, RenderError
from generator.protocol import to_line


class EventWriter:
    """Writes events, one at a time from any thread. Ends the process when nobody reads them any more."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def write(self, kind: str, payload: object = None, **extra: Any) -> None:
        """Write one event."""
        rest = memoryview(to_line(kind, payload, **extra))
        with self._lock:
            try:
                while rest:
                    rest = rest[self._stream.write(rest) :]
            except OSError:
                os._exit(0)


def failure_to_wire(error: BaseException) -> dict[str, Any]:
    """Return the error as a JSON object; what is no RenderError becomes RenderCrashed."""
    if not isinstance(error, RenderError):
        error = RenderCrashed(str(error), type=type(error).__name__)
    return error.to_wire()
