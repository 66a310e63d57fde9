"""The gateway: hello, identify, resume with replay, and every reason to close a bot's socket."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

from aiohttp import WSMsgType, web

from bot.sandbox.exchanges import Record
from bot.sandbox.faults import DropGateway, FaultScript
from bot.sandbox.gateway.session import Session, Socket
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.session_starts import Answer
from bot.sandbox.world.events import Dispatch, Intent
from bot.sandbox.world.world import World

URL = "wss://gateway.discord.gg"
RESUME_URL = "wss://gateway-us-east1-b.discord.gg"
ACKNOWLEDGE_SECONDS = 0.02
_SESSIONS = 16
"""sessions kept; the oldest one without a socket is removed first"""
_PRIVILEGED = {Intent.GUILD_PRESENCES: 0x3000, Intent.GUILD_MEMBERS: 0xC000, Intent.MESSAGE_CONTENT: 0xC0000}
"""intent -> the application flags that unlock it"""


class Gateway:
    """All sessions of the bot."""

    def __init__(self, world: World, faults: FaultScript, record: Record) -> None:
        self._world = world
        self._faults = faults
        self._record = record
        self._sessions: dict[str, Session] = {}
        self._sockets: set[Socket] = set()
        self.resumes = 0
        self.presences = 0
        """how often the bot said what stands below its name"""
        self.presence: Json = {"status": "online", "text": ""}
        """what it said last: its dot's colour by Discord's word for it, and the text"""
        self.online = asyncio.Event()
        """set while at least one identified bot is connected"""
        world.events.listen(self._dispatch)

    def drop(self, code: int = 4000) -> None:
        """Close every socket. With code 4000 the sessions can be resumed."""
        for socket in self._sockets:
            socket.close(code)

    def ask_to_reconnect(self) -> None:
        """Send op 7: the bot should reconnect and resume."""
        for socket in self._sockets:
            socket.send({"op": 7, "d": None})

    def invalidate(self) -> None:
        """Send op 9 to every socket and remove the sessions: bots must identify again."""
        for session in self._sessions.values():
            if session.socket:
                session.socket.send({"op": 9, "d": False})
        self._sessions.clear()

    def reset_token(self) -> None:
        """Give the bot another token, as its owner can or Discord does; no session with the old one goes on."""
        directory = self._world.directory
        directory.token = f"{directory.token.partition('.')[0]}.{secrets.token_hex(3)}.{secrets.token_hex(16)}"
        self._sessions.clear()
        self.drop(4004)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection."""
        ws = web.WebSocketResponse(max_msg_size=4096 * 16)
        await ws.prepare(request)
        socket = Socket(ws, request.query.get("compress", ""))
        self._sockets.add(socket)
        heartbeat = round(self._world.timing.heartbeat_interval * 1000)
        socket.send({"op": 10, "s": None, "t": None, "d": {"heartbeat_interval": heartbeat, "_trace": []}})
        writer = asyncio.create_task(socket.write())
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._receive(socket, json.loads(message.data))
        finally:
            writer.cancel()
            self._detach(socket)
        return ws

    def _receive(self, socket: Socket, frame: Json) -> None:
        match frame["op"]:
            case 1:
                # discord.py notes the time of a heartbeat only after it was sent. An answer that comes before that is
                # measured against the heartbeat before.
                acknowledge = {"op": 11, "d": None, "s": None, "t": None}
                asyncio.get_running_loop().call_later(ACKNOWLEDGE_SECONDS, socket.send, acknowledge)
            case 2:
                self._identify(socket, frame["d"])
            case 3:
                self.show_presence(frame["d"])
            case 6:
                self._resume(socket, frame["d"])
            case op:
                self._record.not_implemented(f"gateway op {op}: {json.dumps(frame)[:200]}")
                socket.close(4001)

    def show_presence(self, data: Json) -> None:
        """Show people what the bot says of itself: `status` and `activities` of a presence update."""
        self.presences += 1
        texts = [item.get("state") or item.get("name", "") for item in data.get("activities") or []]
        self.presence = {"status": data["status"], "text": texts[0] if texts else ""}
        self._world.events.show("BOT_STATUS", self.status())

    def status(self) -> Json:
        """Return how people see the bot: whether it is online, the word for its dot, and the text below its name."""
        return {"online": self.online.is_set(), **self.presence}

    def _identify(self, socket: Socket, data: Json) -> None:
        if data["token"].removeprefix("Bot ") != self._world.directory.token:
            return socket.close(4004)
        intents = Intent(data["intents"])
        flags = self._world.directory.application["flags"]
        if any(intents & intent and not flags & unlock for intent, unlock in _PRIVILEGED.items()):
            return socket.close(4014)
        shard = tuple(data.get("shard") or (0, 1))
        match self._world.session_starts.take(shard[0]):
            case Answer.USED_UP:
                return self.reset_token()
            case Answer.TOO_SOON:
                return socket.send({"op": 9, "d": False})
        self._world.identifies += 1
        session = Session((shard[0], shard[1]), intents, socket=socket)
        self._forget_oldest()
        self._sessions[session.id] = session
        self._greet(session)
        self._set_online()
        return None

    def _greet(self, session: Session) -> None:
        directory = self._world.directory
        guilds = [
            guild
            for guild in self._world.channels.bot_guilds()
            if session.wants(Dispatch("GUILD_CREATE", guild, Intent.GUILDS))
        ]
        ready: Json = {
            "v": 10,
            "user": directory.bot | {"verified": True, "mfa_enabled": False, "email": None},
            "guilds": [{"id": guild["id"], "unavailable": True} for guild in guilds],
            "session_id": session.id,
            "resume_gateway_url": RESUME_URL,
            "shard": list(session.shard),
            "application": {"id": directory.application["id"], "flags": directory.application["flags"]},
        }
        session.dispatch("READY", ready)
        for guild in guilds:
            session.dispatch("GUILD_CREATE", self._guild_create(guild))

    def _guild_create(self, guild: Json) -> Json:
        channels = self._world.channels.in_guild(guild["id"])
        members = [item for (guild_id, _), item in self._world.directory.members.items() if guild_id == guild["id"]]
        mine = [item for item in members if item["user"]["id"] == self._world.channels.bot_id]
        return guild | {
            "channels": [channel for channel in channels if "thread_metadata" not in channel],
            "threads": self._world.channels.threads_for_bot(guild["id"]),
            "members": mine,
            "member_count": len(members),
            "joined_at": mine[0]["joined_at"],
            "large": False,
            "unavailable": False,
            "voice_states": [],
            "presences": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
            "soundboard_sounds": [],
        }

    def _resume(self, socket: Socket, data: Json) -> None:
        session = self._sessions.get(data["session_id"])
        missed = session.sequence - data["seq"] if session else 0
        if session is None or missed > len(session.buffer):
            return socket.send({"op": 9, "d": False})
        self.resumes += 1
        session.socket = socket
        for frame in list(session.buffer):
            if frame["s"] > data["seq"]:
                socket.send(frame)
        session.dispatch("RESUMED", {"_trace": []})
        self._set_online()
        return None

    def _dispatch(self, event: Dispatch) -> None:
        for action in self._faults.choose("GATEWAY", event.name):
            if isinstance(action, DropGateway):
                self.drop(action.code)
        for session in list(self._sessions.values()):
            if session.wants(event):
                session.dispatch(event.name, self._censor(session, event))

    def _censor(self, session: Session, event: Dispatch) -> Json:
        """Return the event without what others wrote in guilds, unless the bot may read message content."""
        data: Any = event.data
        if not event.name.startswith("MESSAGE_") or "author" not in data or "guild_id" not in data:
            return event.data
        bot_id = self._world.channels.bot_id
        mine = data["author"]["id"] == bot_id or any(user["id"] == bot_id for user in data["mentions"])
        if mine or session.intents & Intent.MESSAGE_CONTENT:
            return event.data
        return event.data | {"content": "", "attachments": [], "embeds": [], "components": []}

    def _detach(self, socket: Socket) -> None:
        self._sockets.discard(socket)
        for session in self._sessions.values():
            if session.socket is socket:
                session.socket = None
        self._set_online()

    def _forget_oldest(self) -> None:
        idle = [session for session in self._sessions.values() if session.socket is None]
        while len(self._sessions) >= _SESSIONS and idle:
            del self._sessions[idle.pop(0).id]

    def _set_online(self) -> None:
        online = any(session.socket for session in self._sessions.values())
        if online == self.online.is_set():
            return
        self.presence = {"status": "online", "text": ""}  # a new session begins with none
        if online:
            self.online.set()
        else:
            self.online.clear()
        self._world.events.show("BOT_STATUS", self.status())
