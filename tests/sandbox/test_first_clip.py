"""The times that the demo prints beside the first clip."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

from bot.sandbox.first_clip import describe, read_installation, tell_first_clip
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT


def event(author: str, name: str = "", **more: object) -> dict[str, object]:
    files = [{"filename": name}] if name else []
    return {"author": {"id": author}, "channel_id": PICTURES, "attachments": files, **more}


async def test_the_times_are_told_once_the_first_clip_is_there(sandbox: Sandbox, tmp_path: Path) -> None:
    installed = tmp_path / "installed.json"
    installed.write_text(json.dumps({"extra": "demo", "seconds": {"torch": 61.4}}))
    said: list[str] = []
    task = asyncio.create_task(tell_first_clip(sandbox, time.monotonic() - 2, said.append, installed))
    await asyncio.sleep(0)
    sandbox.gateway.online.set()
    await asyncio.sleep(0)
    show = sandbox.world.events.show
    show("MESSAGE_CREATE", event(ADA, "holiday.mp4"))
    show("MESSAGE_CREATE", event(VIVANT, interaction_metadata={"id": "1"}))
    show("MESSAGE_CREATE", event(VIVANT, "notes.txt"))
    await asyncio.sleep(0.01)
    assert said == [], "the negative control: a person's clip and a file are no clip of the bot's"
    show("MESSAGE_CREATE", event(VIVANT, "clip.mp4"))
    await asyncio.wait_for(task, 5)
    assert len(said) == 1
    assert said[0].startswith("The first clip is there. torch 61 s, page 2 s, bot 0 s, first clip after its picture")
    assert said[0].endswith("63 s together.")


def test_an_installation_of_another_kind_has_no_times(tmp_path: Path) -> None:
    assert read_installation(tmp_path / "none.json") == {}
    (tmp_path / "broken.json").write_text("[]")
    assert read_installation(tmp_path / "broken.json") == {}
    assert describe({}, {"page": 1.2, "bot": 2.4}) == "The first clip is there. page 1 s, bot 2 s: 4 s together."
