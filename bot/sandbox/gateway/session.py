"""Gateway sockets in three transports, and the sessions that a bot can resume on another socket.

Tested in tests/sandbox/gateway/test_gateway.py.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import zstandard
from aiohttp import web

from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.events import Dispatch, Intent

_BUFFERED = 500
"""events kept for a resume"""


class Socket:
    """One connection of the bot. Frames are sent in order, compressed as the bot asked."""

    def __init__(self, ws: web.WebSocketResponse, compress: str) -> None:
        self._ws = ws
        self._queue: asyncio.Queue[Json | int] = asyncio.Queue()
        self._encode = _encoder(compress)
        self.closing = False

    def send(self, frame: Json) -> None:
        """Queue a frame."""
        self._queue.put_nowait(frame)

    def close(self, code: int) -> None:
        """Close this connection after the frames that were queued."""
        self.closing = True
        self._queue.put_nowait(code)

    async def write(self) -> None:
        """Send queued frames until the connection is closed."""
        while True:
            frame = await self._queue.get()
            if isinstance(frame, int):
                await self._ws.close(code=frame)
                return
            data = self._encode(json.dumps(frame))
            try:
                await (self._ws.send_str(data) if isinstance(data, str) else self._ws.send_bytes(data))
            except ConnectionError:
                return


def _encoder(compress: str) -> Callable[[str], str | bytes]:
    """Return the encoder of frames. A compressing one keeps its context from frame to frame and flushes each."""
    if compress == "zlib-stream":
        deflate = zlib.compressobj()
        return lambda text: deflate.compress(text.encode()) + deflate.flush(zlib.Z_SYNC_FLUSH)
    if compress == "zstd-stream":
        zstd = zstandard.ZstdCompressor().compressobj()
        return lambda text: zstd.compress(text.encode()) + zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return lambda text: text


@dataclass
class Session:
    """One identified bot. It stays when its socket closes, so that the bot can resume it."""

    shard: tuple[int, int]
    intents: Intent
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    buffer: deque[Json] = field(default_factory=lambda: deque(maxlen=_BUFFERED))
    socket: Socket | None = None

    def dispatch(self, name: str, data: Json) -> None:
        """Number an event, keep it for a resume, and send it when a socket is connected."""
        self.sequence += 1
        frame = {"op": 0, "t": name, "s": self.sequence, "d": data}
        self.buffer.append(frame)
        if self.socket and not self.socket.closing:
            self.socket.send(frame)

    def wants(self, event: Dispatch) -> bool:
        """Return whether this session's intents and shard cover an event."""
        if event.intent and not self.intents & event.intent:
            return False
        guild_id = event.data.get("guild_id") or (event.data["id"] if event.name.startswith("GUILD_") else None)
        return (int(guild_id) >> 22) % self.shard[1] == self.shard[0] if guild_id else self.shard[0] == 0
