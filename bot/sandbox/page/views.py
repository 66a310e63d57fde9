"""What the page shows a person: channels, messages, commands, files, and events as they happen.

Tested in tests/sandbox/page/test_messages.py and tests/sandbox/page/test_app.py.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
from collections.abc import Callable

from aiohttp import WSMsgType, web

from bot.sandbox.page.gallery import made_with_svd
from bot.sandbox.page.gpu_process import GpuProcess
from bot.sandbox.rules.callbacks import InteractionType
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.locales import LOCALES, as_shown
from bot.sandbox.rules.payloads import Json
from bot.sandbox.world.events import Subscription
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.world import World

SUBCOMMANDS = {1, 2}
ROLES = ["Member", "Moderator", "Owner"]
INLINE = {f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif")}
INLINE |= {"video/mp4", "video/quicktime", "video/webm"}
"""what a browser may show; any other upload is sent as a download, so that none can run scripts in this page"""


class Views:
    """The page's GET requests. Each names the person who is using the page."""

    def __init__(self, world: World, bot_status: Callable[[], Json], gpu: GpuProcess) -> None:
        self._world = world
        self._bot_status = bot_status
        self._gpu = gpu

    async def session(self, request: web.Request) -> web.StreamResponse:
        """Return everything that a person's client starts with, and all people to switch to."""
        world = self._world
        wanted = request.query.get("actor")
        actors = [actor | {"role": self._role(actor["id"])} for actor in world.actors()]
        actors.sort(key=lambda actor: ROLES.index(actor["role"]))
        me = next((actor for actor in actors if actor["id"] == wanted), actors[0])
        channels = [self._channel(me["id"], channel) for channel in world.channels_for(me["id"])]
        here = {channel.get("guild_id") for channel in channels}
        guilds = [guild for guild in world.directory.guilds.values() if guild["id"] in here]
        bot = {"user": world.directory.bot, **self._bot_status()}
        state = {"me": me, "actors": actors, "guilds": guilds, "channels": channels, "bot": bot}
        demo = {"can_kill": self._gpu.can_be_killed}
        state |= {"locale": world.locale(me["id"]), "locales": LOCALES}
        return web.json_response(state | {"demo": demo, "gallery": made_with_svd()})

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Return what the person sees in a channel."""
        actor, channel = request.query["actor"], request.query["channel"]
        self._require_sight(actor, channel)
        return web.json_response([self._named(message) for message in self._world.messages_for(actor, channel)])

    async def commands(self, request: web.Request) -> web.StreamResponse:
        """Return the commands the person is offered in a channel."""
        actor, channel = request.query["actor"], request.query["channel"]
        self._require_sight(actor, channel)
        locale = self._world.locale(actor)
        return web.json_response([as_shown(command, locale) for command in self._world.commands_for(actor, channel)])

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        """Serve an uploaded file: whole, or the one range that a video player asks for."""
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
        """Send the person's page each event until it disconnects."""
        actor = request.query["actor"]
        socket = web.WebSocketResponse(heartbeat=30)
        with self._world.subscribe() as subscription:  # before the page hears that it is connected
            await socket.prepare(request)
            sender = asyncio.create_task(self._send_events(socket, actor, subscription))
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)  # it may have failed on the closed socket
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
        held = self._world.channels.permissions(actor, channel)
        return channel | {"permissions": str(held), "file_limit": self._world.channels.upload_limit(channel)}

    def _role(self, actor: str) -> str:
        guild = self._world.channels.bot_guilds()[0] if self._world.channels.bot_guilds() else {}
        if guild.get("owner_id") == actor:
            return "Owner"
        member = self._world.channels.member(guild.get("id", ""), actor) or {}
        return "Moderator" if member.get("roles") else "Member"

    def _named(self, data: Json) -> Json:
        """Return the data with the command's name, which Discord's client shows but the bot API leaves out."""
        metadata = data.get("interaction_metadata")
        if metadata:
            interaction = self._world.interactions.get(metadata["id"])
            return data | {"interaction_metadata": metadata | {"name": _command_name(interaction)}}
        if "state" in data and "modal" in data:
            return data | {"name": _command_name(self._world.interactions.get(data["id"]))}
        return data


def _command_name(interaction: Interaction) -> str | None:
    if interaction.type is not InteractionType.COMMAND:
        return None
    data = interaction.payload["data"]
    names, options = [data["name"]], data.get("options", [])
    while options and options[0]["type"] in SUBCOMMANDS:
        names.append(options[0]["name"])
        options = options[0].get("options", [])
    return " ".join(names)
