"""The page's web application: its files, its requests, and the guard that keeps other sites out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from bot.sandbox.page.actions import Actions
from bot.sandbox.page.gallery import clip_file
from bot.sandbox.page.gpu_process import GpuProcess
from bot.sandbox.page.views import Views
from bot.sandbox.rules.errors import NotPossible, Refusal
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.world import World
from generator.memory import MIB

FOLDER = Path(__file__).with_name("static")
MAX_UPLOAD_BYTES = 200 * MIB
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page_application(world: World, bot_status: Callable[[], Json], gpu: GpuProcess) -> web.Application:
    """Return the page as a web application; `bot_status` tells how people see the bot."""
    views = Views(world, bot_status, gpu)
    app = web.Application(middlewares=[guard], client_max_size=MAX_UPLOAD_BYTES)
    app.router.add_get("/", _index)
    app.router.add_get("/page/{name}", _file)
    app.router.add_get("/cdn/{kind}/{folder}/{attachment}/{name}", views.attachment)
    app.router.add_get("/api/session", views.session)
    app.router.add_get("/api/messages", views.messages)
    app.router.add_get("/api/commands", views.commands)
    app.router.add_get("/api/events", views.events)
    app.router.add_get("/api/alive", _alive)
    app.router.add_get("/gallery/{name}", _made_with_svd)
    for name, handler in Actions(world, gpu).handlers().items():
        app.router.add_post(f"/api/{name}", handler)
    return app


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse requests that do not come from this page: other sites by their Origin, DNS rebinding by the Host."""
    origin = request.headers.get("Origin")
    strange_host = urlsplit(f"//{request.host}").hostname not in LOOPBACK
    foreign = origin is not None and urlsplit(origin).netloc != request.host
    unnamed = origin is None and (request.method != "GET" or "Upgrade" in request.headers)
    if strange_host or foreign or unnamed:
        return web.json_response({"message": "Only the page itself may do this."}, status=403, headers=HEADERS)
    try:
        response = await handler(request)
    except NotPossible as error:
        response = web.json_response({"message": str(error)}, status=400)
    except KeyError as error:
        response = web.json_response({"message": f"The request lacks {error}."}, status=400)
    except Refusal as error:
        response = web.json_response({"message": error.message}, status=error.status)
    if not response.prepared:
        response.headers.update(HEADERS)
    return response


async def _index(_request: web.Request) -> web.StreamResponse:
    return web.FileResponse(FOLDER / "index.html", headers={"Cache-Control": "no-cache", **HEADERS})


async def _alive(_request: web.Request) -> web.StreamResponse:
    return web.Response(status=204)


async def _made_with_svd(request: web.Request) -> web.StreamResponse:
    clip = clip_file(request.match_info["name"])
    if clip is None:
        raise web.HTTPNotFound
    return web.FileResponse(clip, headers=HEADERS)


async def _file(request: web.Request) -> web.StreamResponse:
    path = FOLDER / request.match_info["name"]
    if path.parent != FOLDER or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": "no-cache", **HEADERS})
