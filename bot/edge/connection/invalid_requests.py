"""Counts the requests that Discord calls invalid, and slows all requests long before it bans the address for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import aiohttp

log = logging.getLogger(__name__)

WINDOW_SECONDS = 600.0
"""Discord bans an address for a while after 10,000 invalid requests in ten minutes"""
SLOW_FROM = 300
"""invalid requests in the window; an ordinary day has a few"""
REST_SECONDS = 1.0
"""between two requests from then on: at most 600 more in one window"""


class InvalidRequests:
    """One count for all requests of the client, whatever made them. Give `trace` to the HTTP session."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, pause: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._now = now
        self._pause = pause
        self._times: deque[float] = deque()
        self._next_at = 0.0

    @property
    def count(self) -> int:
        """The invalid requests of the last ten minutes."""
        while self._times and self._times[0] <= self._now() - WINDOW_SECONDS:
            self._times.popleft()
        return len(self._times)

    def note(self, status: int, scope: str | None) -> None:
        """Count an answer if it is one that Discord calls invalid."""
        # A limit that is shared with others ("shared") is not held against the one who met it.
        if status in (401, 403) or (status == 429 and scope != "shared"):
            self._times.append(self._now())
            if self.count == SLOW_FROM:
                log.error("Discord refused %d requests in ten minutes: all requests are slowed", SLOW_FROM)

    async def wait_turn(self, path: str) -> None:
        """Wait until a request may be sent: at once, unless too many were invalid."""
        if self.count < SLOW_FROM or "/interactions/" in path:  # a first answer has three seconds, and is never invalid
            return
        now = self._now()
        self._next_at = max(now, self._next_at + REST_SECONDS)
        if self._next_at > now:
            await self._pause(self._next_at - now)

    def trace(self) -> aiohttp.TraceConfig:
        """Return what makes an HTTP session wait for its turn and report its answers."""

        async def start(
            session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
        ) -> None:
            await self.wait_turn(params.url.path)

        async def end(
            session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams
        ) -> None:
            self.note(params.response.status, params.response.headers.get("X-RateLimit-Scope"))

        trace = aiohttp.TraceConfig()
        trace.on_request_start.append(start)
        trace.on_request_end.append(end)
        return trace
