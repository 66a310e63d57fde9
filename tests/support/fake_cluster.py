"""A cluster without Ray: nodes that a test adds and takes away, and actors that play what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from generator.backend.cluster.seam import CardLost, Key, Node, Unreachable

READY = {"state": "ready", "facts": {"name": "Fake", "variant": "demo", "vram_gib": 24.0}}
RENDERED = {
    "type": "rendered",
    "facts": {"bytes": 4, "width": 64, "height": 36, "frames": 5, "playback_fps": 7.0, "seconds": 1.0},
}
A_CLIP = (
    {"type": "progress", "phase": "denoise", "step": 1, "of": 2, "preview": "iVBORw0K"},
    {"type": "part", "of": "clip", "bytes": b"clip"},
)


class FakeActor:
    """Plays the events that a test puts into `said` and, for each request, into `events`."""

    def __init__(self, node: Node, config: dict[str, Any]) -> None:
        self.node, self.config = node, config
        self.said: asyncio.Queue[dict[str, Any] | Exception] = asyncio.Queue()
        self.events: dict[Key, asyncio.Queue[dict[str, Any] | Exception]] = {}
        self.cancelled: list[Key] = []
        self.preloaded: list[str] = []
        self.beats = 0
        self.is_killed = False

    async def watch(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield _or_raise(await self.said.get())

    async def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        assert picture
        events = self.events[wire["job"], wire["attempt"]] = asyncio.Queue()
        while True:
            yield _or_raise(await events.get())

    def say(self, key: Key, *events: dict[str, Any] | Exception) -> None:
        """Let the stream of a request go on."""
        for event in events:
            self.events[key].put_nowait(dict(event) if isinstance(event, dict) else event)

    def die(self) -> None:
        """End every stream as Ray does when an actor is gone."""
        for stream in (self.said, *self.events.values()):
            stream.put_nowait(CardLost("ActorDiedError"))

    def cancel(self, key: Key) -> None:
        self.cancelled.append(key)

    def preload(self, variant: str) -> None:
        self.preloaded.append(variant)

    def beat(self) -> None:
        self.beats += 1

    def kill(self) -> None:
        self.is_killed = True


def _or_raise(event: dict[str, Any] | Exception) -> dict[str, Any]:
    if isinstance(event, Exception):
        raise event
    return event


class FakeCluster:
    def __init__(self, *nodes: Node) -> None:
        self.alive = list(nodes)
        self.actors: list[FakeActor] = []
        self.requested: list[int] = []
        self.unreachable: list[str] = []
        """why the next tries to connect fail"""

    def connect(self) -> None:
        if self.unreachable:
            raise Unreachable(self.unreachable.pop(0))

    def nodes(self) -> list[Node]:
        return list(self.alive)

    def start_card(self, node: Node, config: dict[str, Any]) -> FakeActor:
        self.actors.append(FakeActor(node, dict(config)))
        return self.actors[-1]

    def request_cards(self, count: int) -> None:
        self.requested.append(count)
