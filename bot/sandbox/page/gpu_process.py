"""The demo's GPU process: killed on request, so that one can watch how the bot recovers."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import time
from dataclasses import dataclass

from bot.sandbox.rules.errors import NotPossible

_MODULE = "generator.executor"
_RECOVERY_SECONDS = 60.0
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Recovery:
    """The process that was killed, the one that took over, and how long that took."""

    old_pid: int
    new_pid: int
    seconds: float


class GpuProcess:
    """The bot's child that renders. `bot_pid` is None while no bot of ours runs."""

    def __init__(self) -> None:
        self.bot_pid: int | None = None

    @property
    def can_be_killed(self) -> bool:
        """Tell whether there is a bot of ours, and psutil to find its child."""
        return self.bot_pid is not None and importlib.util.find_spec("psutil") is not None

    async def kill(self) -> Recovery:
        """Kill the process as the kernel would, and wait until the bot has started another.

        Raises NotPossible when none runs, and when none comes within a minute.
        """
        old = self._pid()
        if old is None:
            raise NotPossible("There is no GPU process now: the bot is still starting it.")
        os.kill(old, signal.SIGKILL)
        killed = time.monotonic()
        while time.monotonic() < killed + _RECOVERY_SECONDS:
            await asyncio.sleep(_LOOK_SECONDS)
            new = self._pid()
            if new not in (None, old):
                return Recovery(old, new, time.monotonic() - killed)
        raise NotPossible(f"No other GPU process has started within {_RECOVERY_SECONDS:g} s.")

    def _pid(self) -> int | None:
        """Return the process id of the bot's own child; that child's guard has the same command line."""
        if not self.can_be_killed:
            return None
        import psutil

        try:
            children = psutil.Process(self.bot_pid).children()
            return next((child.pid for child in children if _renders(child)), None)
        except psutil.Error:  # one of them has just ended
            return None


def _renders(process: object) -> bool:
    import psutil

    assert isinstance(process, psutil.Process)
    return process.status() != psutil.STATUS_ZOMBIE and _MODULE in process.cmdline()
