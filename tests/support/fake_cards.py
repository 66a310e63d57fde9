"""Actors whose executors need no torch, in a module that the nodes can import too."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import AsyncIterator
from typing import Any

from generator.backend.cluster.on_node.card import Card
from generator.backend.cluster.on_node.fence import Fence
from tests.support.fakes import FAKE_EXECUTOR


class FakeCard(Card):
    command = (*FAKE_EXECUTOR, *shlex.split(os.environ.get("FAKE_CARD", "")))


class NoFence(Fence):
    def start(self) -> None:
        pass


class FencelessCard(FakeCard):
    """Lives on when its node or its bridge is gone: a negative control."""

    make_fence = NoFence


FAT_BYTES = 25 * 4 * 1024 * 1024
"""more than the object store of a test's node holds"""


class FatCard(FakeCard):
    """Sends FAT_BYTES of a clip before its real ones."""

    async def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        async for event in super().render(wire, picture):
            for number in range(25) if event["type"] == "part" else ():
                yield {"type": "part", "of": "clip", "bytes": bytes([number]) * (FAT_BYTES // 25)}
            yield event


class TimedCard(FakeCard):
    """Tells with each progress when it was told, as microseconds of this host's clock in `of`."""

    async def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        async for event in super().render(wire, picture):
            yield event | ({"of": int(time.monotonic() * 1e6)} if event["type"] == "progress" else {})
