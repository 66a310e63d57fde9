"""How much time and memory a stranger's picture may take. Pure data.

Tested in tests/generator/picture/test_intake.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from generator.memory import MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """Bytes of the file, pixels of the picture, seconds and memory for its decoding."""

    max_bytes: int = 25 * MIB
    max_pixels: int = 100_000_000
    seconds: float = 4.5
    """for the decoding; with the start of a fresh child a picture is answered within about 5"""
    memory_bytes: int = 512 * MIB
    """of address space for the whole child, its libraries included"""
