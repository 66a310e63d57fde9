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


@contextlib.contextmanager
def pulse(tell: Callable[[Progress], None], seconds: float) -> Iterator[None]:
    """Report progress every few seconds while a long load moves bytes: a variant's first download may take an hour."""
    loaded = threading.Event()

    def beat() -> None:
        before = _bytes_moved()
        while not loaded.wait(seconds):
            now = _bytes_moved()
            if now - before > _PULSE_BYTES:
                tell(Progress(Phase.LOAD))
            before = now

    beating = threading.Thread(target=beat, name="pulse", daemon=True)
    beating.start()
    try:
        yield
    finally:
        loaded.set()
        beating.join()  # its last event must come before `ready` or `broken`


def _bytes_moved() -> int:
    """Return the bytes this process has read and written so far, as Linux counts them; 0 on other systems."""
    counters = Path("/proc/self/io")
    if not counters.is_file():
        return 0
    fields = dict(line.split(": ") for line in counters.read_text().splitlines())
    return sum(int(fields[name]) for name in ("rchar", "wchar", "read_bytes"))
