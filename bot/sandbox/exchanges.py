"""What was asked and answered: the transcript that tests read, and everything the sandbox does not implement."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One API request with its answer."""

    method: str
    path: str
    template: str
    """the route, as Discord's API description writes it"""
    body: Any
    files: tuple[str, ...]
    status: int
    answer: Any
    seconds: float


@dataclass
class Record:
    """The latest exchanges, and each thing that was asked for in vain."""

    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=5000))
    unimplemented: list[str] = field(default_factory=list)

    def miss(self, what: str) -> None:
        """Note, loudly, that the bot asked for something the sandbox does not have."""
        log.error("not implemented in the sandbox: %s", what)
        self.unimplemented.append(what)

    def asked(self, method: str, template: str) -> list[Exchange]:
        """Return the exchanges on one route, oldest first."""
        return [item for item in self.exchanges if (item.method, item.template) == (method, template)]
