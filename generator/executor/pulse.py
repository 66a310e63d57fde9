"""Reports progress while a long load moves bytes, so that the bot does not take it for a stall. Knows no device.

Tested in tests/generator/backend/test_stalls.py.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from generator.protocol import Phase, Progress

_PULSE_BYTES = 64 * 1024
"""more than reading the counters moves"""


class Pulse:
    """Watches the bytes that this process moves. Make it before `hide_memory`: then only root opens the counts."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        counts = Path("/proc/self/io")
        self._counts = counts.open() if counts.is_file() else None

    @contextlib.contextmanager
    def beating(self, tell: Callable[[Progress], None]) -> Iterator[None]:
        """Report progress every few seconds while a long load moves bytes: a first download may take an hour."""
        loaded = threading.Event()

        def beat() -> None:
            before = self._bytes_moved()
            while not loaded.wait(self._seconds):
                now = self._bytes_moved()
                if now - before > _PULSE_BYTES:
                    tell(Progress(Phase.LOAD))
                before = now

        thread = threading.Thread(target=beat, name="pulse", daemon=True)
        thread.start()
        try:
            yield
        finally:
            loaded.set()
            thread.join()  # its last event must come before `ready` or `broken`

    def _bytes_moved(self) -> int:
        """Return the bytes this process has read and written so far, as Linux counts them; 0 on other systems."""
        if self._counts is None:
            return 0
        self._counts.seek(0)
        fields = dict(line.split(": ") for line in self._counts.read().splitlines())
        return sum(int(fields[name]) for name in ("rchar", "wchar", "read_bytes"))
