"""What a check finds, and how the doctor runs a program of which it does not know whether it ends.

Tested in tests/bot/doctor/test_init.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from generator.process.environment import model_environment


class Status(StrEnum):
    """How a check went."""

    OK = "ok"
    WARNING = "warning"
    """works, but something will surprise you"""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: what was looked at, what was seen, and what to do about it."""

    name: str
    status: Status
    seen: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its exit status, None when it had to be ended or could not start, and what it said."""

    status: int | None
    output: str
    errors: str = ""

    @property
    def last_line(self) -> str:
        """Return the last line that it said, which is the error of most programs."""
        lines = (self.errors.strip() or self.output.strip()).splitlines()
        return lines[-1].strip() if lines else f"exit status {self.status}"


async def run_program(*command: str, seconds: float = 60.0, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end, or end it after some seconds. Never raises for what the program does.

    Without an `environment` it gets what an executor gets: no program that is tried needs the bot's token.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=model_environment() if environment is None else dict(environment),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:  # not there, not executable, a script without its first line
        return Ended(None, "", getattr(error, "strerror", None) or str(error))
    try:
        async with asyncio.timeout(seconds):
            output, errors = await process.communicate()
    except TimeoutError:
        return Ended(None, "", f"no answer within {seconds:.0f} s")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(process.returncode, output.decode(errors="replace"), errors.decode(errors="replace"))


async def ask_module(
    module: str, *arguments: str, seconds: float = 120.0, environment: Mapping[str, str] | None = None
) -> dict[str, Any] | str:
    """Return the JSON object that a module of ours prints last, or a line that says why there is none."""
    ended = await run_program(sys.executable, "-m", module, *arguments, seconds=seconds, environment=environment)
    if ended.status != 0:
        return ended.last_line
    try:
        answer = json.loads(ended.output.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return "it printed no answer"
    return answer if isinstance(answer, dict) else "it printed no answer"
