"""A bot without any library: raw REST and raw gateway sockets, for requests that discord.py never makes."""

from __future__ import annotations

import asyncio
import io
import json
import zlib
from typing import Any, Self

import aiohttp
import zstandard

from bot.sandbox.server import Sandbox

API = "https://discord.com/api/v10"


class RawBot:
    """`async with RawBot(sandbox) as bot`: `call` for REST, `connect` for a gateway socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=sandbox.client_tls()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._session.close()

    async def call(
        self, method: str, path: str, body: Any = None, files: dict[str, bytes] | None = None, token: str | None = None
    ) -> tuple[int, Any]:
        """Call the API. Return the status and the JSON (None when there is none)."""
        headers = {"Authorization": f"Bot {token or self._sandbox.token}"}
        data: Any = None
        if files is not None:
            data = aiohttp.FormData()
            data.add_field("payload_json", json.dumps(body or {}), content_type="application/json")
            for index, (name, content) in enumerate(files.items()):
                data.add_field(f"files[{index}]", io.BytesIO(content), filename=name)
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        async with self._session.request(
            method, API + path, data=data, headers=headers, proxy=self._sandbox.proxy_url
        ) as response:
            text = await response.text()
            is_json = response.headers.get("Content-Type") == "application/json"
            return response.status, json.loads(text) if is_json else None

    async def answer(self, payload: dict[str, Any], kind: int, data: Any = None) -> tuple[int, Any]:
        """Respond to an interaction."""
        path = f"/interactions/{payload['id']}/{payload['token']}/callback?with_response=1"
        return await self.call("POST", path, {"type": kind} | ({"data": data} if data is not None else {}))

    async def fetch(self, url: str) -> tuple[int, bytes]:
        """Download from the CDN."""
        async with self._session.get(url, proxy=self._sandbox.proxy_url) as response:
            return response.status, await response.read()

    async def connect(self, compress: str = "", url: str = "wss://gateway.discord.gg") -> RawSocket:
        """Open a gateway socket."""
        query = f"/?v=10&encoding=json{f'&compress={compress}' if compress else ''}"
        return RawSocket(await self._session.ws_connect(url + query, proxy=self._sandbox.proxy_url), compress)


class RawSocket:
    """One gateway connection."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, compress: str) -> None:
        self.ws = ws
        self.sequence = 0
        self._inflate = zlib.decompressobj() if compress == "zlib-stream" else None
        self._zstd = zstandard.ZstdDecompressor().decompressobj() if compress == "zstd-stream" else None

    async def receive(self, name: str | None = None, op: int | None = None) -> dict[str, Any]:
        """Return the next frame with that event name or opcode. Raises ConnectionResetError when the socket closed."""
        async with asyncio.timeout(5):
            while True:
                frame = await self._next()
                if name in (None, frame.get("t")) and op in (None, frame["op"]):
                    return frame

    async def _next(self) -> dict[str, Any]:
        message = await self.ws.receive()
        if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
            raise ConnectionResetError(self.ws.close_code)
        data = message.data
        if self._inflate:
            data = self._inflate.decompress(data)
        elif self._zstd:
            data = self._zstd.decompress(data)
        frame: dict[str, Any] = json.loads(data)
        self.sequence = frame.get("s") or self.sequence
        return frame

    async def send(self, op: int, data: Any) -> None:
        """Send a frame."""
        await self.ws.send_str(json.dumps({"op": op, "d": data}))

    async def identify(self, token: str, intents: int = 1, **more: Any) -> dict[str, Any]:
        """Identify, and return the data of READY."""
        await self.send(2, {"token": token, "intents": intents, "properties": {}, **more})
        data: dict[str, Any] = (await self.receive("READY"))["d"]
        return data
