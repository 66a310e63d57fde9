"""A file made of parts of another one, so that what harms Pillow can be left out without a copy in memory."""

from __future__ import annotations

import io
from bisect import bisect_right
from typing import BinaryIO

Part = bytes | tuple[int, int]
"""bytes as they are, or the start and end of a range of the other file"""


class Spliced(io.RawIOBase):
    """The parts, one after the other, as one readable file. The other file must stay open."""

    def __init__(self, file: BinaryIO, parts: list[Part]) -> None:
        super().__init__()
        self._file = file
        self._parts = [part for part in parts if _length(part)]
        self._starts = [0]
        for part in self._parts:
            self._starts.append(self._starts[-1] + _length(part))
        self._at = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset, and return where that is."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from one part, and return how many bytes it got; 0 at the end."""
        index = bisect_right(self._starts, self._at) - 1
        if index >= len(self._parts):
            return 0
        part, skip = self._parts[index], self._at - self._starts[index]
        count = min(len(buffer), _length(part) - skip)
        if isinstance(part, bytes):
            data = part[skip : skip + count]
        else:
            self._file.seek(part[0] + skip)
            data = self._file.read(count)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def spliced(file: BinaryIO, parts: list[Part]) -> BinaryIO:
    """Return the parts of a file as one buffered file."""
    return io.BufferedReader(Spliced(file, parts))


def _length(part: Part) -> int:
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
