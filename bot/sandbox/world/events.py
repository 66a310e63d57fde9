"""Events: sent to people's clients, with the person who may see them, and to the bot's gateway.

Tested in tests/sandbox/world/test_answers.py and tests/sandbox/gateway/test_gateway.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntFlag
from typing import Any, Self

from bot.sandbox.rules.payloads import Json


class Intent(IntFlag):
    """The groups of events that a bot can ask for; ALWAYS needs no asking."""

    ALWAYS = 0
    GUILDS = 1 << 0
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    GUILD_MESSAGES = 1 << 9
    GUILD_MESSAGE_TYPING = 1 << 11
    DIRECT_MESSAGES = 1 << 12
    MESSAGE_CONTENT = 1 << 15


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One event for the bot."""

    name: str
    data: Json
    intent: Intent = Intent.ALWAYS


class Subscription:
    """Events {"t", "d", "visible_to"} for people's clients: `async for event in subscription`; close it when done."""

    def __init__(self, on_close: Callable[[Subscription], None]) -> None:
        self._queue: asyncio.Queue[Json | None] = asyncio.Queue()
        self._on_close = on_close

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Json:
        event = await self._queue.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def put(self, event: Json) -> None:
        """Queue an event."""
        self._queue.put_nowait(event)

    def close(self) -> None:
        """End the iteration; no more events come."""
        self._on_close(self)
        self._queue.put_nowait(None)


class Events:
    """Passes each event on to every listener, in order."""

    def __init__(self) -> None:
        self._people: list[Subscription] = []
        self._bots: list[Callable[[Dispatch], None]] = []

    def subscribe(self) -> Subscription:
        """Return a new subscription to the events for people."""
        subscription = Subscription(self._people.remove)
        self._people.append(subscription)
        return subscription

    def listen(self, bot: Callable[[Dispatch], None]) -> None:
        """Call `bot` with each event for the bot."""
        self._bots.append(bot)

    def show(self, name: str, data: Any, visible_to: str | None = None) -> None:
        """Send an event to people; `visible_to` restricts it to one person."""
        for subscription in list(self._people):
            subscription.put({"t": name, "d": data, "visible_to": visible_to})

    def dispatch(self, name: str, data: Json, intent: Intent = Intent.ALWAYS) -> None:
        """Send an event to the bot."""
        for bot in self._bots:
            bot(Dispatch(name, data, intent))
