"""What a stranger's picture may cost. Pure data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureLimits:
    """Bytes of the file, pixels of the picture, seconds and memory for its decoding."""

    max_bytes: int = 25 * 1024 * 1024
    max_pixels: int = 100_000_000
    seconds: float = 5.0
    memory_bytes: int = 512 * 1024 * 1024
    """of address space for the whole child, its libraries included"""
