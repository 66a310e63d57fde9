"""The HTTP side of the API: parses requests, applies faults, answers as Discord does, and records every exchange.

Tested in tests/sandbox/test_faults.py and tests/sandbox/test_server.py.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from bot.sandbox.exchanges import Exchange, Record
from bot.sandbox.faults import (
    Action,
    CutUpload,
    Delay,
    Do,
    FaultScript,
    LoseReply,
    Refuse,
    Reset,
    Stall,
    banned_by_edge,
    limit_headers,
)
from bot.sandbox.proxy import Proxy
from bot.sandbox.rest.rate_limits import Limits
from bot.sandbox.rules.errors import Refusal, invalid_form, too_large, unauthorized
from bot.sandbox.rules.uploads import MAX_REQUEST_BYTES, Upload
from bot.sandbox.world.world import World

log = logging.getLogger(__name__)
API = "/api/v10"


@dataclass(frozen=True, slots=True)
class Call:
    """One parsed request."""

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    uploads: dict[int, Upload] = field(default_factory=dict)

    def flag(self, name: str) -> bool:
        """Return whether a query parameter is set to true."""
        return self.query.get(name, "").lower() in ("1", "true")


@dataclass(frozen=True, slots=True)
class Route:
    """A path (with {parameters}, as in Discord's API description) and the function that answers it. None means 204."""

    method: str
    path: str
    answer: Callable[[World, Call], Any]
    needs_token: bool = True


class Api:
    """Serves routes over a World."""

    def __init__(self, world: World, faults: FaultScript, record: Record, proxy: Proxy, limits: Limits) -> None:
        self._world = world
        self._faults = faults
        self._record = record
        self._proxy = proxy
        self._limits = limits

    def mount(self, app: web.Application, routes: list[Route]) -> None:
        """Add the routes; any other path of the API is answered with 501 and logged as an error."""
        for route in routes:
            app.router.add_route(route.method, API + route.path, self._handler(route))
        app.router.add_route("*", "/{rest:.*}", self._handler(None))

    async def apply_faults(self, request: web.Request) -> web.Response | None:
        """Apply the faults for a request outside the API (the CDN). Return a response when one of them made it."""
        return await self._before(request, self._faults.choose(request.method, request.path))

    def _handler(self, route: Route | None) -> Callable[[web.Request], Any]:
        async def handle(request: web.Request) -> web.StreamResponse:
            return await self._serve(request, route)

        return handle

    async def _serve(self, request: web.Request, route: Route | None) -> web.StreamResponse:
        started = time.monotonic()
        path = request.path.removeprefix(API)
        actions = self._faults.choose(request.method, path)
        response = await self._before(request, [banned_by_edge()] if self._limits.invalid.is_banned() else actions)
        call = Call(request.match_info, request.query)
        if response is None:
            try:
                call = await _parse(request)
                response = self._answer(request, route, call)
            except Refusal as refusal:
                response = json_response(refusal.status, refusal.body())
                if refusal.retry_after is not None:
                    response.headers.update(limit_headers(refusal.retry_after))
        if any(isinstance(action, Reset | CutUpload) for action in actions) or request.transport is None:
            return response
        self._limits.invalid.note(response.status, response.headers.get("X-RateLimit-Scope"))
        self._note(request, route, call, response, time.monotonic() - started)
        for action in actions:
            if isinstance(action, LoseReply):
                self._cut(request, reset=action.reset)
        return response

    async def _before(self, request: web.Request, actions: list[Action]) -> web.Response | None:
        """Apply the faults that come before a request is handled. Return a response when one of them made it."""
        for action in actions:
            match action:
                case Delay(seconds):
                    await asyncio.sleep(seconds)
                case Do(change):
                    if inspect.isawaitable(done := change()):
                        await done
                case Refuse():
                    await request.read()
                    return _refused(action)
                case Reset():
                    self._cut(request, reset=True)
                    return web.Response()
                case Stall(seconds, above_bytes) if (request.content_length or 0) > above_bytes:
                    await asyncio.sleep(seconds)
                    self._cut(request, reset=True)
                    return web.Response()
                case CutUpload(after_bytes):
                    await request.content.read(after_bytes)
                    self._cut(request, reset=True)
                    return web.Response()
        return None

    def _answer(self, request: web.Request, route: Route | None, call: Call) -> web.Response:
        if route is None:
            what = f"{request.method} {request.host}{request.path_qs}"
            self._record.not_implemented(what)
            return json_response(501, {"message": f"The sandbox does not implement {what}", "code": 0})
        if route.needs_token and request.headers.get("Authorization") != f"Bot {self._world.directory.token}":
            raise unauthorized()
        headers: dict[str, str] = {}
        if self._limits.buckets:
            headers, refused = self._limits.buckets.take(request.method, route.path, call.params)
            if refused:
                return _refused(refused, headers)
        try:
            answer = route.answer(self._world, call)
        except Refusal as refusal:
            if refusal.status == 501:
                self._record.not_implemented(refusal.message)
            raise
        response = web.Response(status=204) if answer is None else json_response(200, answer)
        response.headers.update(headers)
        return response

    def _note(
        self, request: web.Request, route: Route | None, call: Call, response: web.Response, seconds: float
    ) -> None:
        body = response.body
        is_json = isinstance(body, bytes) and response.content_type == "application/json"
        exchange = Exchange(
            method=request.method,
            path=request.path.removeprefix(API),
            template=route.path if route else "",
            body=call.body,
            files=tuple(upload.filename for upload in call.uploads.values()),
            status=response.status,
            answer=json.loads(body) if is_json and isinstance(body, bytes) else None,
            seconds=seconds,
        )
        self._record.exchanges.append(exchange)
        log.debug("%s %s -> %s", exchange.method, exchange.template, exchange.status)

    def _cut(self, request: web.Request, *, reset: bool) -> None:
        if request.transport is not None:
            self._proxy.cut(request.transport.get_extra_info("peername")[1], reset=reset)
            request.transport.abort()


def _refused(refuse: Refuse, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(status=refuse.status, body=refuse.body.encode(), headers=(headers or {}) | refuse.headers)


def json_response(status: int, data: Any) -> web.Response:
    """Return a JSON response of exactly the type application/json: with a charset discord.py reads it as text."""
    return web.Response(status=status, body=json.dumps(data).encode(), content_type="application/json")


async def _parse(request: web.Request) -> Call:
    if not request.can_read_body:
        return Call(request.match_info, request.query)
    if (request.content_length or 0) > MAX_REQUEST_BYTES:
        await _drain(request)
        raise too_large()
    if request.content_type == "multipart/form-data":
        body, uploads = await _multipart(request)
        return Call(request.match_info, request.query, body, uploads)
    try:
        return Call(request.match_info, request.query, json.loads(await request.read()))
    except ValueError:
        raise invalid_form("body", "INVALID_JSON", "The request body contains invalid JSON.") from None


async def _drain(request: web.Request) -> None:
    """Read a body that is refused anyway. Otherwise the client gets a broken pipe instead of the refusal."""
    async for _ in request.content.iter_chunked(1 << 20):
        pass


async def _multipart(request: web.Request) -> tuple[Any, dict[int, Upload]]:
    body: Any = {}
    uploads: dict[int, Upload] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        index = re.fullmatch(r"files\[(\d+)\]", part.name or "")
        if part.name == "payload_json":
            body = json.loads(data)
        elif index:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            uploads[int(index[1])] = Upload(part.filename or "unknown", kind, data)
        else:
            raise invalid_form(part.name or "part", "UNKNOWN_PART", "Only payload_json and files[n] are accepted.")
    return body, uploads
