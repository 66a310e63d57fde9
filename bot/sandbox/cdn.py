"""The CDN: uploads under signed links that expire, and copies of linked pictures. A browser seeks by ranges."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.world import World

_GONE = "This content is no longer available."


def mount_cdn(
    app: web.Application, world: World, before: Callable[[web.Request], Awaitable[web.Response | None]]
) -> None:
    """Serve attachments in `app`. `before` applies faults: it returns a response, or None to let the request pass."""

    async def serve(request: web.Request) -> web.StreamResponse:
        return await before(request) or _answer(world, request)

    async def serve_linked(request: web.Request) -> web.StreamResponse:
        upload = world.attachments.linked(request.path)
        missing = web.Response(status=404, text=_GONE)
        return await before(request) or (_file(request, upload) if upload else missing)

    app.router.add_get("/external/{rest:.*}", serve_linked)
    for kind in ("attachments", "ephemeral-attachments"):
        app.router.add_get(f"/{kind}/{{folder}}/{{attachment_id}}/{{filename}}", serve)


def _answer(world: World, request: web.Request) -> web.Response:
    upload = world.attachments.read(request.match_info["attachment_id"])
    if upload is None or not world.attachments.link_is_good(request.path, request.query_string):
        return web.Response(status=404, text=_GONE)
    return _file(request, upload)


def _file(request: web.Request, upload: Upload) -> web.Response:
    headers = {"Accept-Ranges": "bytes", "Content-Type": upload.content_type or "application/octet-stream"}
    wanted = request.http_range
    if wanted.start is None and wanted.stop is None:
        return web.Response(body=upload.data, headers=headers)
    start, stop, _ = wanted.indices(len(upload.data))
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(upload.data)}"
    return web.Response(status=206, body=upload.data[start:stop], headers=headers)
