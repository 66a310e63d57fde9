"""A program on a terminal of its own: what it shows, and what a person types."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import sys
import termios
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A running program, 100 letters wide; `shown` is all that it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, master: int) -> None:
        self.process = process
        self.shown = ""
        self._master = master
        self._seen = 0
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._read)

    @property
    def text(self) -> str:
        """What a person reads: without the codes for colours."""
        return _CODES.sub("", self.shown)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has left
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        self._changed.set()

    async def reads(self, words: str, timeout: float = 30.0) -> str:
        """Wait until the program shows these words after what was read before; return what lies between."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while words not in self.text[self._seen :]:
                    self._changed.clear()
                    await self._changed.wait()
        assert words in self.text[self._seen :], f"{words!r} is not in {self.text[self._seen :]!r}"
        begin, self._seen = self._seen, self.text.index(words, self._seen) + len(words)
        return self.text[begin : self._seen]

    def types(self, line: str, end: str = "\n") -> None:
        """Type a line."""
        os.write(self._master, (line + end).encode())

    async def ends(self, timeout: float = 60.0) -> int:
        """Wait for the program to leave; return its exit status."""
        return await asyncio.wait_for(self.process.wait(), timeout)


@asynccontextmanager
async def on_a_terminal(
    *arguments: str, environment: Mapping[str, str], folder: Path | None = None
) -> AsyncIterator[Terminal]:
    """Run Python with these arguments on a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 100, 0, 0))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        cwd=folder,
        start_new_session=True,
    )
    os.close(slave)
    terminal = Terminal(process, master)
    try:
        yield terminal
    finally:
        asyncio.get_running_loop().remove_reader(master)
        os.close(master)
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
