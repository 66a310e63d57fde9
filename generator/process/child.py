"""One child process behind JSON lines: its pipes, its log and its end. Knows no jobs. Standard library only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from generator.errors import ExecutorLost
from generator.protocol import from_line

log = logging.getLogger(__name__)

_LINE_LIMIT = 1024 * 1024
_LEVELS = {
    "DEBUG": logging.DEBUG,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "Fatal": logging.ERROR,  # how faulthandler begins
}


class Child:
    """A running child in its own process group. Make it with `spawn` on the main thread's loop (see `lifeline`)."""

    def __init__(self, process: Process, about: Callable[[], str]) -> None:
        self._process = process
        self._about = about
        self._last_words: deque[str] = deque(maxlen=5)
        self._logging = asyncio.get_running_loop().create_task(self._pump_log())

    @classmethod
    async def spawn(cls, command: Sequence[str], env: Mapping[str, str], about: Callable[[], str]) -> Child:
        """Start `command`; `about` names what it works on, for the log. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=env, limit=_LINE_LIMIT, process_group=0
        )
        return cls(process, about)

    @property
    def pid(self) -> int:
        """Give the process id, which is also its group's."""
        return self._process.pid

    def send(self, line: bytes) -> None:
        """Queue one line; a child that is gone is noticed by the reader, not here."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(line)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the child says until its end of file. Raises ValueError on garbage."""
        stdout = self._process.stdout
        assert stdout is not None
        while line := await stdout.readline():
            yield from_line(line)

    async def explain_end(self) -> ExecutorLost:
        """Say how the child ended, after its end of file."""
        with contextlib.suppress(TimeoutError):
            # The exit status follows the end of file within a millisecond or two, or the child closed stdout and lives.
            await asyncio.wait_for(self._process.wait(), 0.05)
        status, words = self._process.returncode, "; ".join(self._last_words)
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            return ExecutorLost(f"the executor was ended by {name}", cause="signal", detail=name, log=words)
        return ExecutorLost(f"the executor ended with status {status}", cause="exit", detail=str(status), log=words)

    async def stop(self, term_seconds: float, kill_seconds: float, on_undead: Callable[[int], None]) -> None:
        """End the child and everything in its group: SIGTERM, a pause, SIGKILL. Returns once it is truly gone.

        A process that hangs in the kernel outlives SIGKILL; then `on_undead` is told and this goes on waiting, because
        a second child on the same GPU would only hang as well.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        if not await self._gone_within(term_seconds):
            self._kill_group()
            if not await self._gone_within(kill_seconds):
                on_undead(self.pid)
                await self._process.wait()
        self._kill_group()
        await asyncio.wait({self._logging}, timeout=1.0)  # what it said last; a process that left the group may hold on
        self._logging.cancel()
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def _gone_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _pump_log(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None
        rest = b""
        while chunk := await stderr.read(65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._log_line(line)
            rest = rest[-_LINE_LIMIT:]
        if rest:
            self._log_line(rest)

    def _log_line(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if not text:
            return
        self._last_words.append(text)
        log.log(_LEVELS.get(text.split(" ", 1)[0], logging.INFO), "%s %s", self._about(), text)
