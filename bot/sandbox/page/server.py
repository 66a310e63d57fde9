"""The local Discord in a browser: serves the page, tells it what happens, and acts for the person it names."""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, WSMsgType, web

from bot.sandbox.rules.callbacks import InteractionType
from bot.sandbox.rules.errors import NotPossible, Refusal
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.events import Subscription
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.world import World

FOLDER = Path(__file__).with_name("static")
MAX_UPLOAD_BYTES = 200 * 1024 * 1024
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SUBCOMMANDS = {1, 2}
ROLES = ["Member", "Moderator", "Owner"]
INLINE = {f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif")}
INLINE |= {"video/mp4", "video/quicktime", "video/webm"}
"""what may be shown as itself; any other upload is only ever downloaded, so none can run as a page of ours"""
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
Files = dict[str, Upload]


def page_application(world: World, bot_online: asyncio.Event) -> web.Application:
    """Give the page as a web application; `bot_online` is set while the bot's gateway session lives."""
    page = Page(world, bot_online)
    app = web.Application(middlewares=[guard], client_max_size=MAX_UPLOAD_BYTES)
    app.router.add_get("/", _index)
    app.router.add_get("/page/{name}", _file)
    app.router.add_get("/cdn/{kind}/{folder}/{attachment}/{name}", page.attachment)
    app.router.add_get("/api/session", page.session)
    app.router.add_get("/api/messages", page.messages)
    app.router.add_get("/api/commands", page.commands)
    app.router.add_get("/api/events", page.events)
    for name, act in page.acts.items():
        app.router.add_post(f"/api/{name}", page.acting(act))
    return app


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in this machine's own page only: other sites' scripts are refused by Origin, rebound names by Host."""
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


async def _file(request: web.Request) -> web.StreamResponse:
    path = FOLDER / request.match_info["name"]
    if path.parent != FOLDER or not path.is_file():
        raise web.HTTPNotFound
    return web.FileResponse(path, headers={"Cache-Control": "no-cache", **HEADERS})


class Page:
    """The page's requests over one World. Each names the person who acts."""

    def __init__(self, world: World, bot_online: asyncio.Event) -> None:
        self._world = world
        self._bot_online = bot_online
        self.acts: dict[str, Callable[[Json, Files], Awaitable[Json]]] = {
            "post": self.post,
            "delete": self.delete,
            "invoke": self.invoke,
            "message-command": self.message_command,
            "autocomplete": self.autocomplete,
            "press": self.press,
            "modal": self.modal,
        }

    # Looking

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Give everything a person's client starts with, and who else one can be."""
        world = self._world
        wanted = request.query.get("actor")
        actors = [actor | {"role": self._role(actor["id"])} for actor in world.actors()]
        actors.sort(key=lambda actor: ROLES.index(actor["role"]))
        me = next((actor for actor in actors if actor["id"] == wanted), actors[0])
        channels = [self._channel(me["id"], channel) for channel in world.channels_for(me["id"])]
        here = {channel.get("guild_id") for channel in channels}
        guilds = [guild for guild in world.directory.guilds.values() if guild["id"] in here]
        bot = {"user": world.directory.bot, "online": self._bot_online.is_set()}
        state = {"me": me, "actors": actors, "guilds": guilds, "channels": channels, "bot": bot}
        return web.json_response(state)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Give what the person sees in a channel."""
        actor, channel = request.query["actor"], request.query["channel"]
        self._require_sight(actor, channel)
        return web.json_response([self._named(message) for message in self._world.messages_for(actor, channel)])

    async def commands(self, request: web.Request) -> web.StreamResponse:
        """Give the commands the person is offered in a channel."""
        actor, channel = request.query["actor"], request.query["channel"]
        self._require_sight(actor, channel)
        return web.json_response(self._world.commands_for(actor, channel))

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        """Serve an uploaded file, whole or the one range that a video player asks for."""
        upload = self._world.attachments.read(request.match_info["attachment"])
        path = request.raw_path.split("?")[0].removeprefix("/cdn")
        if upload is None or not self._world.attachments.link_is_good(path, request.query_string):
            raise web.HTTPNotFound
        kind = mimetypes.guess_type(request.match_info["name"])[0] or "application/octet-stream"
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "private, max-age=3600"}
        if kind not in INLINE:
            kind, headers["Content-Disposition"] = "application/octet-stream", "attachment"
        total = len(upload.data)
        wanted = request.http_range
        if wanted.start is None:
            return web.Response(body=upload.data, content_type=kind, headers=headers)
        start, stop, _ = wanted.indices(total)
        if start >= stop:
            raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{total}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{total}"
        return web.Response(status=206, body=upload.data[start:stop], content_type=kind, headers=headers)

    async def events(self, request: web.Request) -> web.StreamResponse:
        """Tell the person's page what happens, until it goes away."""
        actor = request.query["actor"]
        socket = web.WebSocketResponse(heartbeat=30)
        with self._world.subscribe() as subscription:  # before the page hears that it is connected
            await socket.prepare(request)
            sender = asyncio.create_task(self._send_events(socket, actor, subscription))
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)  # it may have met the closed socket first
        return socket

    async def _send_events(self, socket: web.WebSocketResponse, actor: str, subscription: Subscription) -> None:
        async for event in subscription:
            if event["visible_to"] in (None, actor) and self._concerns(actor, event["d"]):
                data = self._named(event["d"])
                await socket.send_str(json.dumps({"t": event["t"], "d": data}))

    def _concerns(self, actor: str, data: Json) -> bool:
        channel = data.get("channel_id")
        return channel is None or any(item["id"] == channel for item in self._world.channels_for(actor))

    def _require_sight(self, actor: str, channel: str) -> None:
        if not self._concerns(actor, {"channel_id": channel}):
            raise NotPossible("You cannot see this channel.")

    def _channel(self, actor: str, channel: Json) -> Json:
        return channel | {"permissions": str(self._world.channels.permissions(actor, channel))}

    def _role(self, actor: str) -> str:
        guild = self._world.channels.bot_guilds()[0] if self._world.channels.bot_guilds() else {}
        if guild.get("owner_id") == actor:
            return "Owner"
        member = self._world.channels.member(guild.get("id", ""), actor) or {}
        return "Moderator" if member.get("roles") else "Member"

    def _named(self, data: Json) -> Json:
        """Add the command's name, which Discord's own client shows above an answer but its bot API leaves out."""
        metadata = data.get("interaction_metadata")
        if metadata:
            interaction = self._world.interactions.get(metadata["id"])
            return data | {"interaction_metadata": metadata | {"name": _command_name(interaction)}}
        if "state" in data and "modal" in data:
            return data | {"name": _command_name(self._world.interactions.get(data["id"]))}
        return data

    # Acting

    def acting(self, act: Callable[[Json, Files], Awaitable[Json]]) -> Handler:
        """Make a request handler of an action on a payload and files by name."""

        async def handle(request: web.Request) -> web.StreamResponse:
            payload, files = await _read_form(request)
            return web.json_response(await act(payload, files))

        return handle

    async def post(self, payload: Json, files: Files) -> Json:
        """Write an ordinary message."""
        return self._world.post(payload["actor"], payload["channel"], payload["content"], list(files.values()))

    async def delete(self, payload: Json, _files: Files) -> Json:
        """Delete a message, or dismiss an ephemeral one."""
        self._world.delete_message(payload["actor"], payload["channel"], payload["message"])
        return {}

    async def invoke(self, payload: Json, files: Files) -> Json:
        """Run a slash command; files are named by their options."""
        actor, channel, command = payload["actor"], payload["channel"], payload["command"]
        return (await self._world.invoke(actor, channel, command, payload["options"], files)).public()

    async def message_command(self, payload: Json, _files: Files) -> Json:
        """Pick an entry of a message's menu."""
        actor, channel, message = payload["actor"], payload["channel"], payload["message"]
        return (await self._world.invoke_on_message(actor, channel, message, payload["command"])).public()

    async def autocomplete(self, payload: Json, _files: Files) -> Json:
        """Ask the bot for suggestions."""
        actor, channel, command = payload["actor"], payload["channel"], payload["command"]
        focused = payload["focused"]
        choices = await self._world.autocomplete(actor, channel, command, payload["options"], focused)
        return {"choices": choices}

    async def press(self, payload: Json, _files: Files) -> Json:
        """Press a button or pick from a menu."""
        actor, channel, message = payload["actor"], payload["channel"], payload["message"]
        pressed = await self._world.press(actor, channel, message, payload["custom_id"], payload.get("values"))
        return pressed.public()

    async def modal(self, payload: Json, files: Files) -> Json:
        """Send a form; each file part is named `custom id` + "#" + number."""
        values: dict[str, Any] = dict(payload["values"])
        for name, upload in files.items():
            values.setdefault(name.rsplit("#", 1)[0], []).append(upload)
        actor, interaction, custom_id = payload["actor"], payload["interaction"], payload["custom_id"]
        return (await self._world.submit_modal(actor, interaction, custom_id, values)).public()


def _command_name(interaction: Interaction) -> str | None:
    if interaction.type is not InteractionType.COMMAND:
        return None
    data = interaction.payload["data"]
    names, options = [data["name"]], data.get("options", [])
    while options and options[0]["type"] in SUBCOMMANDS:
        names.append(options[0]["name"])
        options = options[0].get("options", [])
    return " ".join(names)


async def _read_form(request: web.Request) -> tuple[Json, Files]:
    payload: Json = {}
    files: Files = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        if part.name == "payload_json":
            payload = await part.json() or {}
        else:
            kind = part.headers.get("Content-Type", "application/octet-stream")
            files[part.name] = Upload(part.filename or "file", kind, bytes(await part.read()))
    return payload, files
