"""How long a newcomer waited for their first clip: the installation's parts, the page, the bot, the render."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import VIVANT

CLIPS = (".mp4", ".gif", ".webp")
INSTALLED = Path(sys.prefix) / "installed.json"
"""written by scripts/install.py"""


async def tell_first_clip(
    sandbox: Sandbox, started: float, say: Callable[[str], None], installed: Path = INSTALLED
) -> None:
    """Wait for the first clip of a bot and say the times; `started` is time.monotonic() when the demo began."""
    seconds = {"page": time.monotonic() - started}
    with sandbox.world.subscribe() as events:
        await sandbox.gateway.online.wait()
        seconds["bot"] = time.monotonic() - started - seconds["page"]
        asked = None
        async for event in events:
            if asked is None and event["t"] == "MESSAGE_CREATE" and event["d"].get("interaction_metadata"):
                asked = time.monotonic()
            if asked is not None and is_clip(event):
                seconds["first clip after its picture was sent"] = time.monotonic() - asked
                say(describe(read_installation(installed), seconds))
                return


def is_clip(event: Json) -> bool:
    """Tell whether an event is the bot's post of a clip."""
    if event["t"] != "MESSAGE_CREATE" or event["d"]["author"]["id"] != VIVANT:
        return False
    return any(item["filename"].endswith(CLIPS) for item in event["d"]["attachments"])


def read_installation(path: Path) -> dict[str, float]:
    """Return the seconds of the installation's parts; none where it was made in another way."""
    try:
        return {str(part): float(taken) for part, taken in json.loads(path.read_text())["seconds"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def describe(installed: Mapping[str, float], shown: Mapping[str, float]) -> str:
    """Return the times as two sentences."""
    parts = ", ".join(f"{name} {taken:.0f} s" for name, taken in {**installed, **shown}.items())
    return f"The first clip is there. {parts}: {sum([*installed.values(), *shown.values()]):.0f} s together."
