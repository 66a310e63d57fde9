"""Whether jobs may be started now: paused by an admin, the disk full, the executor crashing. Knows no jobs.

Tested in tests/bot/work/test_worker.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum


class HoldCause(StrEnum):
    """Why no job is started."""

    PAUSED = "paused"
    """an admin said so, until they say otherwise"""
    DISK_FULL = "disk-full"
    """opens by itself when there is room again"""
    NO_CARD = "no-card"
    """no graphics card of a cluster is connected; opens by itself when one is"""
    CRASH_STORM = "crash-storm"
    """the executor died again and again; an admin has to look, then resume"""


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why nothing starts; `detail` is an admin's words, or for the log."""

    cause: HoldCause
    detail: str = ""


class Gate:
    """The switch all workers of one bot share. Closed while any cause holds; running renders go on."""

    def __init__(self) -> None:
        self._holds: dict[HoldCause, Hold] = {}
        self._open = asyncio.Event()
        self._open.set()
        self.changed = asyncio.Event()
        """set by each change; whoever shows it clears it"""

    @property
    def hold(self) -> Hold | None:
        """Why nothing starts; None while the gate is open. An admin's pause is named first."""
        return next((self._holds[cause] for cause in HoldCause if cause in self._holds), None)

    @property
    def causes(self) -> frozenset[HoldCause]:
        """All the reasons why nothing starts."""
        return frozenset(self._holds)

    @property
    def paused(self) -> str | None:
        """An admin's words on why the bot is paused; None while it is not."""
        pause = self._holds.get(HoldCause.PAUSED)
        return pause.detail if pause else None

    def is_held_by(self, cause: HoldCause) -> bool:
        """Tell whether this is one of the reasons why nothing starts."""
        return cause in self._holds

    def close(self, cause: HoldCause, detail: str = "") -> None:
        """Start nothing until `open` takes this cause away."""
        hold = Hold(cause, detail)
        if self._holds.get(cause) != hold:
            self._holds[cause] = hold
            self.changed.set()
        self._open.clear()

    def open(self, *causes: HoldCause) -> None:
        """Take causes away; work goes on when none is left."""
        for cause in causes:
            if self._holds.pop(cause, None):
                self.changed.set()
        if not self._holds:
            self._open.set()

    async def wait_open(self) -> None:
        """Wait until jobs may start."""
        await self._open.wait()
