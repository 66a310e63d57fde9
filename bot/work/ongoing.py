"""What is being done for somebody at this moment, so that forgetting them can stop it and wait for its end.

Tested in tests/bot/edge/commands/test_forgetting.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

log = logging.getLogger(__name__)


INTERRUPT_SECONDS = 10.0
"""how long an interrupted request may take to clean up; ending a child takes a moment"""


@dataclass(frozen=True, slots=True)
class Owner:
    """For whom, and in which server, something is done."""

    user_id: int
    guild_id: int | None


class Request(Protocol):
    """What somebody asked for; the spool's files of it carry its id."""

    @property
    def id(self) -> int:
        """The interaction's id."""
        ...


Concerns = Callable[[Owner], bool]


class Ongoing:
    """Requests that are being taken, which may be interrupted, and attempts to render and to post, which end alone."""

    def __init__(self) -> None:
        self._owners: dict[asyncio.Future[Any], Owner] = {}
        self._requests: dict[asyncio.Future[Any], Request] = {}

    def take(self, owner: Owner, task: asyncio.Task[Any], request: Request) -> None:
        """Note a task that takes somebody's request; `interrupt` cancels it and returns the request."""
        self._owners[task] = owner
        self._requests[task] = request
        task.add_done_callback(self._ended)

    @contextlib.contextmanager
    def noted(self, owner: Owner) -> Iterator[None]:
        """Note what the block does."""
        block: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._owners[block] = owner
        try:
            yield
        finally:
            block.set_result(None)
            self._ended(block)

    def _ended(self, work: asyncio.Future[Any]) -> None:
        self._owners.pop(work, None)
        self._requests.pop(work, None)

    async def interrupt(self, concerns: Concerns) -> list[Request]:
        """Cancel the tasks that take such requests, wait for their end, and return the requests."""
        tasks = [task for task in self._of(concerns) if isinstance(task, asyncio.Task)]
        requests = [self._requests[task] for task in tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=INTERRUPT_SECONDS)
        return requests

    async def wait(self, concerns: Concerns, seconds: float) -> None:
        """Wait until what is being done now has ended, at most that long."""
        if works := self._of(concerns):
            _, unfinished = await asyncio.wait(works, timeout=seconds)
            if unfinished:
                log.warning("%d things done for somebody forgotten take long; they leave nothing", len(unfinished))

    def _of(self, concerns: Concerns) -> list[asyncio.Future[Any]]:
        return [work for work, owner in self._owners.items() if concerns(owner)]
