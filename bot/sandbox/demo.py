"""The demo: a local Discord and the real bot beside it, for a browser or for one picture."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from rich.console import Console

from bot.sandbox.first_clip import is_clip, tell_first_clip
from bot.sandbox.rules.errors import NotPossible
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox, SandboxUnavailable
from bot.sandbox.world.events import Subscription
from bot.sandbox.world.standard import ADA, OLGA, PICTURES, VIVANT
from generator.process.environment import child_environment
from generator.process.lifeline import die_with_parent

STOP_SECONDS = 15.0
RESTART_SECONDS = 2.0
TIDY_SECONDS = 5.0

console = Console(stderr=True, highlight=False)


class DemoError(Exception):
    """The demo made no clip; the text says why."""


async def serve(port: int) -> None:
    """Serve the page until Ctrl-C. A bot that ends is started again, as a service manager would do it.

    Nothing is kept afterwards, neither the queue nor the messages. Raises DemoError when no start can succeed.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vivant-demo-") as folder:
        async with _local_discord(port) as sandbox:
            console.print(f"\n  Vivant's demo is at  [bold]{sandbox.page_url}[/]\n  Ctrl-C ends it.\n")
            times = asyncio.create_task(tell_first_clip(sandbox, started, lambda text: console.print(f"  {text}")))
            try:
                await _keep_bot_running(sandbox, Path(folder))
            finally:
                times.cancel()
                await asyncio.gather(times, return_exceptions=True)


async def _keep_bot_running(sandbox: Sandbox, data_dir: Path) -> None:
    while True:
        async with running_bot(sandbox, data_dir) as bot:
            code = await bot.wait()
        if code == os.EX_CONFIG:
            raise DemoError("The bot cannot start; what it printed says why.")
        console.print(f"  The bot ended with exit code {code}; it starts again in {RESTART_SECONDS:g} s.")
        await asyncio.sleep(RESTART_SECONDS)


async def animate_once(picture: Path, out: Path, timeout_seconds: float) -> Path:
    """Invoke /animate as a person would and wait for the clip. Return its path in `out`, beside transcript.json.

    Raises DemoError when no playable clip arrives in time.
    """
    if not picture.is_file():
        raise DemoError(f"There is no picture at {picture}.")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="vivant-demo-") as folder:
        async with _local_discord(0) as sandbox, running_bot(sandbox, Path(folder)) as bot:
            try:
                attachment = await _animate(sandbox, bot, picture, timeout_seconds)
            finally:
                seen = sandbox.world.messages_for(ADA, PICTURES)
                (out / "transcript.json").write_text(json.dumps(seen, indent=2, ensure_ascii=False))
            clip = out / str(attachment["filename"])
            clip.write_bytes(sandbox.world.attachment_bytes(attachment["id"]))
    await _require_playable(clip)
    return clip


@asynccontextmanager
async def running_bot(sandbox: Sandbox, data_dir: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the bot in the local Discord with the demo model while the block runs, then stop it with SIGTERM."""
    environment = {
        "VIVANT_CONFIG": os.devnull,  # the operator's own config.toml is for their own bot
        "VIVANT_DATA_DIR": str(data_dir),
        "VIVANT_GENERATOR__VARIANT": "demo",
        "VIVANT_OWNERS": f"[{OLGA}]",
        "VIVANT_LOG_LEVEL": "WARNING",
    }
    bot = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "run"),
        env=os.environ | environment | sandbox.environment(),
        start_new_session=True,  # Ctrl-C reaches this process alone, which then stops the bot in order
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    sandbox.gpu.bot_pid = bot.pid
    try:
        yield bot
    finally:
        sandbox.gpu.bot_pid = None
        with suppress(ProcessLookupError):
            bot.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(bot.wait(), STOP_SECONDS)
        except TimeoutError:
            bot.kill()
            await bot.wait()


@asynccontextmanager
async def _local_discord(port: int) -> AsyncIterator[Sandbox]:
    try:
        async with Sandbox(port=port) as sandbox:
            yield sandbox
    except SandboxUnavailable as error:
        raise DemoError(str(error)) from error
    except OSError as error:
        raise DemoError(
            f"Port {port} cannot be used ({error.strerror}); choose another with PORT= or --port."
        ) from error


async def _animate(sandbox: Sandbox, bot: asyncio.subprocess.Process, picture: Path, timeout_seconds: float) -> Json:
    """Return the clip's attachment. Raises DemoError as soon as it is clear that none will come."""
    ended = asyncio.create_task(bot.wait())
    clip = asyncio.create_task(_wait_for_clip(sandbox, picture))
    try:
        done, _ = await asyncio.wait({ended, clip}, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED)
        if clip in done:
            return await clip
        if ended in done:
            raise DemoError(f"The bot ended with exit code {ended.result()} before the clip came.")
        raise DemoError(f"No clip came within {timeout_seconds:g} s; transcript.json has what a person saw.")
    finally:
        ended.cancel()
        clip.cancel()
        await asyncio.gather(ended, clip, return_exceptions=True)


async def _wait_for_clip(sandbox: Sandbox, picture: Path) -> Json:
    await sandbox.gateway.online.wait()
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    upload = Upload(picture.name, kind, picture.read_bytes())
    with sandbox.world.subscribe() as events:
        try:
            await sandbox.world.invoke(ADA, PICTURES, "animate", {}, {"image": upload})
        except NotPossible as error:
            raise DemoError(f"Discord would not send that: {error}") from error
        return await _clip_among(events)


async def _clip_among(events: Subscription) -> Json:
    async for event in events:
        message = event["d"]
        if event["t"] == "INTERACTION_STATE" and message.get("state") == "failed":
            raise DemoError("The bot did not answer within Discord's three seconds.")
        if event["t"] != "MESSAGE_CREATE" or message["author"]["id"] != VIVANT:
            continue
        if is_clip(event):
            with suppress(TimeoutError):
                await asyncio.wait_for(_next_deletion(events), TIDY_SECONDS)
            return dict(message["attachments"][0])
        if event["visible_to"] == ADA or "message_reference" in message:
            raise DemoError(f"The bot answered without a clip: {_words(message)}")
    raise DemoError("The local Discord ended.")


async def _next_deletion(events: Subscription) -> None:
    """Wait until the card is gone, so that the transcript shows what a person saw at the end."""
    async for event in events:
        if event["t"] == "MESSAGE_DELETE":
            return


def _words(node: object) -> str:
    """Return all texts of a message, of any layout, as one string."""
    if isinstance(node, list):
        return " ".join(filter(None, map(_words, node)))
    if isinstance(node, dict):
        return " ".join(filter(None, [node.get("content", ""), _words(node.get("components", []))]))
    return ""


async def _require_playable(clip: Path) -> None:
    """Decode the whole clip. Raises DemoError with what ffmpeg says."""
    import imageio_ffmpeg

    ffmpeg = await asyncio.create_subprocess_exec(
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-xerror", "-i", str(clip), "-f", "null", "-"),
        env=child_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await ffmpeg.communicate()
    if ffmpeg.returncode != 0 or complaint:
        raise DemoError(f"{clip} does not play: {complaint.decode(errors='replace').strip()}")
