"""One child process behind JSON lines: how it starts, what it says, what it logs and how it ends.

The executor, the picture child and the shrink child all run in one. It knows nothing of what they work on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from asyncio import SubprocessTransport
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generator.memory import MIB
from generator.process.environment import child_environment
from generator.protocol import from_line, to_line

log = logging.getLogger(__name__)

_LINE_LIMIT = MIB
"""bytes; also the most of a log line that is kept"""
_LEVELS = {
    "DEBUG": logging.DEBUG,
    "WARNING": logging.WARNING,
    "ERROR": logging.ERROR,
    "CRITICAL": logging.CRITICAL,
    "Fatal": logging.ERROR,  # how faulthandler begins
}


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended, in a form that error texts can use."""

    status: int | None
    """the exit status, negative for a signal; None: it still runs, although it closed its stdout"""
    last_words: str
    """the last lines of its log"""

    @property
    def signal_name(self) -> str | None:
        """Return the signal that ended it, None when it ended itself."""
        return signal.Signals(-self.status).name if self.status is not None and self.status < 0 else None

    def __str__(self) -> str:
        return f"was ended by {self.signal_name}" if self.signal_name else f"ended with status {self.status}"


class _Protocol(SubprocessStreamProtocol):
    """Tells when the process is gone. `Process.wait` waits longer in Python 3.11, for the ends of all pipes as well."""

    def __init__(self) -> None:
        super().__init__(_LINE_LIMIT, asyncio.get_running_loop())
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        self.exited.set()
        super().process_exited()


class Child:
    """A running child in its own process group. Make it with `spawn` on the main thread's loop (see `lifeline`)."""

    def __init__(self, transport: SubprocessTransport, protocol: _Protocol, about: Callable[[], str]) -> None:
        self._transport = transport
        self._exited = protocol.exited
        self._process = Process(transport, protocol, asyncio.get_running_loop())
        self._about = about
        self._last_words: deque[str] = deque(maxlen=5)
        self._logging = asyncio.get_running_loop().create_task(self._pump_log())

    @classmethod
    async def spawn(cls, command: Sequence[str], env: Mapping[str, str], about: Callable[[], str]) -> Child:
        """Start `command`. Raises OSError when it cannot be started.

        It gets what every child gets of this process's environment, and `env`. `about` names what it works on; each
        line of its log begins with that.
        """
        given = {**child_environment(), **env}
        transport, protocol = await asyncio.get_running_loop().subprocess_exec(
            _Protocol, *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=given, process_group=0
        )
        return cls(transport, protocol, about)

    @property
    def pid(self) -> int:
        """Return the process id, which is also its group's."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it has not ended, as far as this process knows yet."""
        return self._process.returncode is None

    def send(self, kind: str, payload: object = None, **extra: Any) -> None:
        """Queue one line of a dataclass and extra keys; a child that is gone is noticed by `receive`, not here."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(to_line(kind, payload, **extra))

    async def receive(self) -> dict[str, Any] | None:
        """Return the next line that the child writes, None at its end of file. Raises ValueError on garbage.

        A last line without its newline was cut off by the child's death and counts as end of file.
        """
        stdout = self._process.stdout
        assert stdout is not None
        line = await stdout.readline()
        return from_line(line) if line.endswith(b"\n") else None

    async def ask(self, kind: str, payload: object = None, **extra: Any) -> dict[str, Any] | None:
        """Send one line and return the next that the child writes, as `receive` does."""
        self.send(kind, payload, **extra)
        return await self.receive()

    async def ended(self, within_seconds: float | None) -> ChildEnd:
        """Wait for the exit status, which follows the end of file, and return how the child ended."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._exited.wait(), within_seconds)
        return ChildEnd(self._process.returncode, "; ".join(self._last_words))

    async def stop(self, term_seconds: float, kill_seconds: float, on_undead: Callable[[int], None]) -> None:
        """End the child and everything in its group: SIGTERM, a pause, SIGKILL. Returns when the child is gone.

        A process that hangs in the kernel outlives SIGKILL. Then `on_undead` is called with its process id, and this
        goes on waiting, because a second child on the same GPU would only hang as well.
        """
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        if not await self._gone_within(term_seconds):
            self._kill_group()
            if not await self._gone_within(kill_seconds):
                on_undead(self.pid)
        await self.kill()

    async def kill(self) -> None:
        """End the child and everything in its group at once. Returns when the child is gone."""
        self._kill_group()
        await self._exited.wait()
        # Its last lines; not for ever, because a process that left the group may hold the pipe open.
        await asyncio.wait({self._logging}, timeout=1.0)
        self._logging.cancel()
        self._transport.close()

    async def _gone_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._exited.wait(), seconds)
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
