"""The record of API requests with their answers, and of what the sandbox does not implement.

Tested in tests/sandbox/test_server.py.
"""

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
    """The latest exchanges, and each request that the sandbox does not implement."""

    exchanges: deque[Exchange] = field(default_factory=lambda: deque(maxlen=5000))
    unimplemented: list[str] = field(default_factory=list)

    def not_implemented(self, what: str) -> None:
        """Log as an error and record that the bot asked for something that the sandbox does not implement."""
        log.error("not implemented in the sandbox: %s", what)
        self.unimplemented.append(what)

    def asked(self, method: str, template: str) -> list[Exchange]:
        """Return the exchanges on one route, oldest first."""
        return [item for item in self.exchanges if (item.method, item.template) == (method, template)]
