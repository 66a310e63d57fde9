"""Uploads on a slow uplink: watched by the bytes that move, fewer at once, then smaller. Knows no Discord."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Self

MOST_STALLS = 8
"""uploads of one clip that may stand still before it is given up"""
STALLS_PER_SIZE = 2
"""of these, how many at one size; the next size is half of it"""
UNSENT_BYTES = 128 * 1024
"""what the kernel may hold back of an upload: with the megabytes it takes otherwise, a slow one seems to stand still"""


class NeverBegun(TimeoutError):
    """No byte of an upload was asked for in time: there was no connection, or a rate limit was waited for."""


class WatchedFile(io.BufferedReader):
    """A file that calls `moved` whenever some of it is read, from whatever thread reads it."""

    def __init__(self, path: Path, moved: Callable[[], None]) -> None:
        super().__init__(io.FileIO(path))
        self._moved = moved

    def read(self, size: int | None = -1, /) -> bytes:
        """Read as any file, and call `moved`."""
        self._moved()
        return super().read(size)


@contextlib.asynccontextmanager
async def ends_when_still(seconds: float) -> AsyncIterator[Callable[[], None]]:
    """Limit the block to `seconds` after its start, and again after each call of what it is given.

    Raises TimeoutError; NeverBegun when that was never called.
    """
    loop = asyncio.get_running_loop()
    begun = ended = False

    def extend() -> None:
        nonlocal begun
        begun = True
        if not ended and not limit.expired():
            limit.reschedule(loop.time() + seconds)

    def moved() -> None:
        loop.call_soon_threadsafe(extend)

    try:
        async with asyncio.timeout(seconds) as limit:
            try:
                yield moved
            finally:
                ended = True
    except TimeoutError as error:
        if limit.expired() and not begun:
            raise NeverBegun from error
        raise


class UploadSlots:
    """How many uploads may run at once: one after an upload stood still, and one more after each that arrived."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._allowed = most
        self._running = 0
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        async with self._changed:
            await self._changed.wait_for(lambda: self._running < self._allowed)
            self._running += 1
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        async with self._changed:
            self._running -= 1
            self._changed.notify_all()

    def narrow(self) -> None:
        """Let one upload at a time begin: together they may have stood in each other's way."""
        self._allowed = 1

    def widen(self) -> None:
        """Let one more begin beside the others."""
        self._allowed = min(self._allowed + 1, self._most)


def budget_after(stalls: int, size: int) -> int:
    """Return how many bytes a clip of this size may have for the next try, after so many that stood still."""
    return size >> (stalls // STALLS_PER_SIZE)


def open_socket(address: tuple[Any, ...]) -> socket.socket:
    """Return a socket that takes from its program only what it can soon send, where the system knows how."""
    made = socket.socket(family=address[0], type=address[1], proto=address[2])
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return made
