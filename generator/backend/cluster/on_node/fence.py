"""Ends an actor that its node or its bridge has left: Ray leaves it, and the card's memory with it, for minutes.

Measured without it: an actor and its executor lived 35 s after SIGKILL of their raylet, and 90 s after a node that was
stopped had been given up, with the card full when the machine joined anew.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

BEAT_SECONDS = 5.0
"""between two beats of the bridge"""
LEASE_SECONDS = 30.0
"""without a beat for so long an actor cannot know who renders its jobs now"""
LOOK_SECONDS = 0.5


@dataclass(slots=True, eq=False)
class Fence:
    """A thread that calls `end` when this process's parent is another or no beat has come for `lease_seconds`.

    A thread and not a task: Ray holds the actor's event loop when the owner of a stream cannot be reached.
    """

    end: Callable[[], None]
    lease_seconds: float = LEASE_SECONDS
    parent: int = field(default_factory=os.getppid)
    _heard: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """Note that the bridge lives."""
        self._heard = time.monotonic()

    def start(self) -> None:
        """Begin to watch."""
        threading.Thread(target=self._watch, name="fence", daemon=True).start()

    def _watch(self) -> None:
        while os.getppid() == self.parent and time.monotonic() - self._heard < self.lease_seconds:
            time.sleep(LOOK_SECONDS)
        self.end()
