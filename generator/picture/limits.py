"""How much time and memory a stranger's picture may take. Pure data.

Tested in tests/generator/picture/test_intake.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.memory import MIB

RESERVED_BYTES = 80 * MIB
"""of the child's memory, what its libraries and the work after decoding take"""
STORED_TIMES = 4
"""how many times more pixels a file may have than are decoded: to pass over them takes time too"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What decoding a picture takes at least: pixels in the file, pixels that come out, bytes of memory."""

    stored: int
    decoded: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """Bytes of the file, pixels of the picture, seconds and memory for its decoding."""

    max_bytes: int = 25 * MIB
    max_pixels: int = 100_000_000
    """that are decoded: a JPEG can be decoded up to 8 times smaller on each side"""
    seconds: float = 4.5
    """for the decoding; with the start of a fresh child a picture is answered within about 5"""
    memory_bytes: int = 512 * MIB
    """of address space for the whole child, its libraries included"""

    def most_pixels(self, cost: Cost) -> int:
        """Return how many pixels a picture may have in its file, for what decoding it costs."""
        by_size = self.max_pixels * cost.stored // max(1, cost.decoded)
        by_memory = max(0, self.memory_bytes - RESERVED_BYTES) * cost.stored // max(1, cost.bytes)
        return min(by_size, by_memory, STORED_TIMES * self.max_pixels)
