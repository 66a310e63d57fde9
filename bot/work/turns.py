"""Turns at what only few can do at once: people come one after the other, however much one of them asks for."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator

PICTURES_EACH = 2
"""of one person, on their way in at once: one is downloaded while the other is decoded"""


class Turns:
    """Hands out `at_once` turns, at most `each` to one person, in turn between the people who wait."""

    def __init__(self, *, at_once: int = sys.maxsize, each: int) -> None:
        self._free = at_once
        self._each = each
        self._held: Counter[int] = Counter()
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}
        self._served: dict[int, int] = {}
        """the number of each person's last turn, for those who hold one or wait"""
        self._number = itertools.count(1)

    @contextlib.asynccontextmanager
    async def of(self, person: int) -> AsyncIterator[None]:
        """Wait for a turn of this person, and hold it until the block ends."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(person, deque()).append(turn)
        self._hand_out()
        try:
            await turn
            yield
        finally:
            if turn.done() and not turn.cancelled():
                self._give_back(person)

    def _hand_out(self) -> None:
        while self._free and (person := self._next()) is not None:
            turn = self._waiting[person].popleft()
            if not self._waiting[person]:
                del self._waiting[person]
            if turn.done():
                continue  # whoever waited for it was cancelled
            self._served[person] = next(self._number)
            self._held[person] += 1
            self._free -= 1
            turn.set_result(None)

    def _next(self) -> int | None:
        """Return who was served least lately of those who wait and hold less than they may."""
        may = [person for person in self._waiting if self._held[person] < self._each]
        return min(may, key=lambda person: self._served.get(person, 0), default=None)

    def _give_back(self, person: int) -> None:
        self._held[person] -= 1
        self._held += Counter()  # keeps only those who hold one
        if person not in self._held and person not in self._waiting:
            self._served.pop(person, None)
        self._free += 1
        self._hand_out()


class Intake:
    """The pictures on their way in: whose they are, and whose comes next. `decoders` are decoded at once."""

    def __init__(self, *, decoders: int) -> None:
        self._pictures = Turns(each=PICTURES_EACH)
        self._decoding = Turns(at_once=decoders, each=1)
        self._coming: Counter[int] = Counter()

    @contextlib.contextmanager
    def coming(self, person: int) -> Iterator[int]:
        """Count a picture of this person as on its way until the block ends; yield how many there are with it."""
        self._coming[person] += 1
        try:
            yield self._coming[person]
        finally:
            self._coming[person] -= 1
            self._coming += Counter()  # keeps only those who have one

    def picture(self, person: int) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait until this person may bring in another file: it is downloaded and decoded inside the block."""
        return self._pictures.of(person)

    def decoding(self, person: int) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait until the picture child may open a file of this person."""
        return self._decoding.of(person)
