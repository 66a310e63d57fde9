"""The whole product as a person meets it: the real bot process, the real demo model, a local Discord."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import psutil
from PIL import Image

from bot.sandbox.demo import running_bot
from bot.sandbox.rules.payloads import Json
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, PICTURES, VIVANT
from generator.variants import BUILT_IN
from tests.support.edge import png, until
from tests.support.inspect_clip import inspect_clip
from tests.support.long_render import MANY_FRAMES


def messages(sandbox: Sandbox) -> list[Json]:
    return [item for item in sandbox.world.messages_for(ADA, PICTURES) if item["author"]["id"] == VIVANT]


def clips(sandbox: Sandbox) -> list[Json]:
    return [file for item in messages(sandbox) for file in item["attachments"] if file["filename"].endswith(".mp4")]


def cards(sandbox: Sandbox) -> str:
    return json.dumps([item["components"] for item in messages(sandbox)], ensure_ascii=False)


async def animate(sandbox: Sandbox) -> None:
    await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
    await sandbox.world.invoke(ADA, PICTURES, "animate", {"frames": MANY_FRAMES}, {"image": png()})


def test_the_demo_animates_one_picture_without_a_browser(tmp_path: Path) -> None:
    picture = tmp_path / "beach.jpg"
    Image.linear_gradient("L").resize((640, 480)).convert("RGB").save(picture)
    command = [sys.executable, "-m", "bot", "demo", "--picture", str(picture), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr
    clip = next((tmp_path / "out").glob("*.mp4"))
    facts = inspect_clip(clip)
    assert (facts.width, facts.height) == BUILT_IN["demo"].landscape
    assert facts.frames == 26, "14 frames, there and back"
    transcript = json.loads((tmp_path / "out" / "transcript.json").read_text())
    assert clip.name in json.dumps(transcript[-1])
    assert len(transcript) == 1, "the card is gone, as a person sees it"
    assert "Demo model" in json.dumps(transcript), "nobody may take the demo model for the real one"


def test_the_demo_says_what_is_wrong_with_a_picture_and_fails(tmp_path: Path) -> None:
    picture = tmp_path / "notes.txt"
    picture.write_text("not a picture")
    command = [sys.executable, "-m", "bot", "demo", "--picture", str(picture), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "without a clip" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.mp4"))


def test_a_demo_whose_bot_cannot_start_ends_instead_of_trying_for_ever() -> None:
    command = [sys.executable, "-m", "bot", "demo", "--port", "0"]
    broken = os.environ | {"VIVANT_GENERATOR__MEMORY": "[/plenty]"}
    done = subprocess.run(command, env=broken, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.count("not '[/plenty]'") == 1, done.stderr


async def test_a_bot_killed_in_mid_render_still_delivers_that_clip_once(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        async with running_bot(sandbox, tmp_path) as bot:
            await animate(sandbox)
            await until(lambda: re.search(r"Dreaming|step [1-9]", cards(sandbox)), "a render on the card", timeout=90)
            bot.kill()
            await bot.wait()
        assert not clips(sandbox)
        async with running_bot(sandbox, tmp_path):
            await until(lambda: clips(sandbox), "the clip", timeout=90)
            await until(lambda: "vivant:cancel" not in cards(sandbox), "the card to be tidied", timeout=30)
        assert len(clips(sandbox)) == 1


async def test_a_bot_that_is_stopped_ends_within_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, running_bot(sandbox, tmp_path) as bot:
        await animate(sandbox)
        await until(lambda: re.search(r"Dreaming|step [1-9]", cards(sandbox)), "a render on the card", timeout=90)
        family = psutil.Process(bot.pid).children(recursive=True)
        assert len(family) >= 1
        started = time.monotonic()
        bot.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(bot.wait(), 15) == 0
        print(f"stopped in {time.monotonic() - started:.2f} s")
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive, alive


async def test_the_bot_takes_commands_while_the_model_still_loads(tmp_path: Path) -> None:
    """In under two seconds on two idle cores: the median of three starts is printed, and held to four when shared."""
    seconds = []
    async with Sandbox() as sandbox:
        for number in range(3):
            started = time.monotonic()
            async with running_bot(sandbox, tmp_path / str(number)):
                await asyncio.wait_for(sandbox.gateway.online.wait(), 30)
                seconds.append(time.monotonic() - started)
            await until(lambda: not sandbox.gateway.online.is_set(), "the bot to be gone")
    print(f"ready to take commands after {statistics.median(seconds):.2f} s (of {seconds})")
    assert statistics.median(seconds) < 2 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
