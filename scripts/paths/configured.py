"""A bot that was configured as its page says, in a local Discord that stands in for the real one as a proxy does.

Tested by `make test-install`.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT
from scripts.paths.bare import WORK, Failed, Machine

_AUTHORITY = "authority.pem"


async def serve_one_clip(machine: Machine, vivant: str) -> str:
    """Put a token into config.toml, let the doctor look, run the bot and ask it for a clip. Raises Failed."""
    async with Sandbox() as sandbox:
        shutil.copyfile(sandbox.ca_path, machine.work / _AUTHORITY)
        configure(machine.work / "config.toml", sandbox)
        trusts = {"SSL_CERT_FILE": f"/{WORK}/{_AUTHORITY}"}
        said = await asyncio.to_thread(machine.run, f"{vivant} doctor --json", trusts)
        checks = json.loads(said.splitlines()[-1])["checks"]
        if not any("invite link" in check["seen"] or "Open https" in check["remedy"] for check in checks):
            raise Failed(f"doctor gives no invite link: {checks}")
        with machine.running(f"exec {vivant} run", trusts) as log:
            await _until(sandbox.gateway.online.is_set, "the bot to be online", log)
            picture = Upload("photo.jpg", "image/jpeg", (machine.work / "photo.jpg").read_bytes())
            await sandbox.world.invoke(ADA, PICTURES, "animate", {}, {"image": picture})
            await _until(lambda: _clips(sandbox), "the clip", log)
    return "a bot with a token and doctor content, which made a clip"


def configure(config: Path, sandbox: Sandbox) -> None:
    """Write what an operator would: the token, the model that needs no card, and the way to this Discord."""
    text = config.read_text()
    for pattern, line in (
        (r'^token = ""', f'token = "{sandbox.token}"'),
        (r'^variant = "svd-xt"', 'variant = "demo"'),
        (r'^# proxy = "[^"]*"', f'proxy = "{sandbox.proxy_url}"'),
    ):
        text, count = re.subn(pattern, line, text, flags=re.MULTILINE)
        if count != 1:
            raise Failed(f"config.example.toml has no line {pattern}")
    config.write_text(text)


def _clips(sandbox: Sandbox) -> list[str]:
    seen = [item for item in sandbox.world.messages_for(ADA, PICTURES) if item["author"]["id"] == VIVANT]
    return [file["filename"] for item in seen for file in item["attachments"] if file["filename"].endswith(".mp4")]


async def _until(condition: Callable[[], object], what: str, log: Path, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"not within {seconds:g} s: {what}\n{log.read_text(errors='replace')[-2000:]}")
        await asyncio.sleep(0.1)
