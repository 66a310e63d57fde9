"""What a person does on the page: write, delete, run commands, press buttons, send forms.

Tested in tests/sandbox/page/test_composer.py and tests/sandbox/page/test_messages.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import BodyPartReader, web

from bot.sandbox.page.gpu_process import GpuProcess
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.world.world import World

Files = dict[str, Upload]
Action = Callable[[Json, Files], Awaitable[Json]]


class Actions:
    """The page's POST requests. Each names the person who acts."""

    def __init__(self, world: World, gpu: GpuProcess) -> None:
        self._world = world
        self._gpu = gpu

    def handlers(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        """Return the request handlers by their names in /api/."""
        actions: dict[str, Action] = {
            "post": self.post,
            "delete": self.delete,
            "invoke": self.invoke,
            "message-command": self.message_command,
            "autocomplete": self.autocomplete,
            "press": self.press,
            "modal": self.modal,
            "kill": self.kill,
            "language": self.language,
        }
        return {name: _handler(action) for name, action in actions.items()}

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
        """Choose an entry of a message's menu."""
        actor, channel, message = payload["actor"], payload["channel"], payload["message"]
        return (await self._world.invoke_on_message(actor, channel, message, payload["command"])).public()

    async def autocomplete(self, payload: Json, _files: Files) -> Json:
        """Ask the bot for suggestions."""
        actor, channel, command = payload["actor"], payload["channel"], payload["command"]
        focused = payload["focused"]
        choices = await self._world.autocomplete(actor, channel, command, payload["options"], focused)
        return {"choices": choices}

    async def press(self, payload: Json, _files: Files) -> Json:
        """Press a button or choose from a menu."""
        actor, channel, message = payload["actor"], payload["channel"], payload["message"]
        pressed = await self._world.press(actor, channel, message, payload["custom_id"], payload.get("values"))
        return pressed.public()

    async def kill(self, _payload: Json, _files: Files) -> Json:
        """Kill the demo's GPU process, and tell which one runs after it."""
        return asdict(await self._gpu.kill())

    async def language(self, payload: Json, _files: Files) -> Json:
        """Set the person's client to another language, as in Discord's settings."""
        self._world.set_locale(payload["actor"], payload["locale"])
        return {}

    async def modal(self, payload: Json, files: Files) -> Json:
        """Send a form; each file part is named `custom id` + "#" + number."""
        values: dict[str, Any] = dict(payload["values"])
        for name, upload in files.items():
            values.setdefault(name.rsplit("#", 1)[0], []).append(upload)
        actor, interaction, custom_id = payload["actor"], payload["interaction"], payload["custom_id"]
        return (await self._world.submit_modal(actor, interaction, custom_id, values)).public()


def _handler(action: Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        payload, files = await _read_form(request)
        return web.json_response(await action(payload, files))

    return handle


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
