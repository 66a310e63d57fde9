"""An HTTP CONNECT proxy: through it an unmodified bot reaches the sandbox under Discord's own host names."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from fnmatch import fnmatch

from bot.sandbox.exchanges import Record

HOSTS = (
    *("discord.com", "*.discord.gg", "cdn.discordapp.com", "media.discordapp.net"),
    *("images-ext-1.discordapp.net", "images-ext-2.discordapp.net"),
)
_CHUNK = 64 * 1024


class Proxy:
    """Tunnels Discord's hosts to the local TLS server. Can cut a tunnel, or refuse every connection for a while."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._server: asyncio.Server | None = None
        self._target_port = 0
        self._tunnels: dict[int, asyncio.StreamWriter] = {}
        """the port from which a tunnel reaches the server -> the stream to the bot"""
        self._tasks: set[asyncio.Task[None]] = set()
        self.out = False
        """while true, every connection is reset at once"""
        self.uplink: float | None = None
        """bytes a second that the bot's later connections carry together; None: no limit"""
        self._uplink_free_at = 0.0

    async def start(self, target_port: int) -> str:
        """Start to listen, and return the proxy's URL."""
        self._target_port = target_port
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Stop listening and end every tunnel."""
        if self._server:
            self._server.close()
        self.cut_all()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self, port: int, *, reset: bool) -> None:
        """End the tunnel that reached the server from `port`: with a reset (errno 104 at the bot) or a plain close."""
        writer = self._tunnels.get(port)
        if writer is None:
            return
        if reset:
            _reset_on_close(writer)
        writer.transport.abort()

    def cut_all(self) -> None:
        """Reset every tunnel."""
        for port in list(self._tunnels):
            self.cut(port, reset=True)

    async def _take_time(self, count: int) -> None:
        """Wait as long as so many bytes take on the uplink, behind those that came before."""
        if self.uplink is None:
            return
        now = asyncio.get_running_loop().time()
        self._uplink_free_at = max(now, self._uplink_free_at) + count / self.uplink
        await asyncio.sleep(self._uplink_free_at - now)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._tunnel(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.out:
            _reset_on_close(writer)
            return
        if self.uplink is not None:  # else this machine's buffers take whole clips at once
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _CHUNK)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, target, _ = head.split(" ", 2)
        host = target.rsplit(":", 1)[0]
        if method != "CONNECT" or not any(fnmatch(host, known) for known in HOSTS):
            self._record.not_implemented(f"{method} {target} through the proxy")
            writer.write(b"HTTP/1.1 501 Not Implemented\r\n\r\n")
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        port = far_writer.get_extra_info("sockname")[1]
        self._tunnels[port] = writer
        try:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(_pump(reader, far_writer, self._take_time))
                pumps.create_task(_pump(far_reader, writer))
        finally:
            del self._tunnels[port]
            far_writer.close()


async def _no_time(_count: int) -> None:
    """Let bytes pass at once."""


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take_time: Callable[[int], Awaitable[None]] = _no_time
) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            await take_time(len(data))
            writer.write(data)
            await writer.drain()
    writer.close()


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    """Make a close send RST instead of FIN: SO_LINGER with zero seconds."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):  # the bot may have closed it just now
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
