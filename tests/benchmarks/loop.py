"""Does the bot keep answering? The real bot process, while its model renders on every core and a 10 MB clip goes up.

`python -m tests.benchmarks loop` starts the local Discord here and the bot as a child of its own: `bot.app.run_bot`,
unchanged, with a probe on its event loop and a backend that pads its clips to 10 MB.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot.app import Parts, run_bot
from bot.config import load_config
from bot.sandbox.faults import Do
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, GENERAL, MIA, OLGA, PICTURES
from generator.backend.local_backend import LocalBackend
from generator.protocol import Progress, Rendered, RenderRequest
from tests.benchmarks.report import Report
from tests.support.edge import png, until

COMMANDS = 50
CLIP_BYTES = 10_000_000
PROBE_SECONDS = 0.005
AROUND_SECONDS = 5.0
"""the loop's delay is taken from this long before the commands arrive until this long after they are answered"""


class PaddedBackend(LocalBackend):
    """Pads each clip to CLIP_BYTES with an MP4 `free` box, so that its upload is a real one."""

    async def render(self, request: RenderRequest, on_progress: Callable[[Progress], None]) -> Rendered:
        rendered = await super().render(request, on_progress)
        await asyncio.to_thread(_pad, rendered.clip_path)
        return rendered


def _pad(clip: Path) -> None:
    with clip.open("ab") as file:
        missing = CLIP_BYTES - file.tell()
        file.write(missing.to_bytes(4, "big") + b"free" + os.urandom(missing - 8))


async def _probed_bot(out: Path) -> None:
    """Run the bot and write every sample of its loop's delay to `out` when it stops."""
    samples: list[tuple[float, float]] = []

    async def probe() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE_SECONDS
            await asyncio.sleep(PROBE_SECONDS)
            samples.append((time.time(), loop.time() - due))

    probing = asyncio.create_task(probe())
    try:
        await run_bot(load_config(), Parts(backend=PaddedBackend))
    finally:
        probing.cancel()
        out.write_text(json.dumps(samples))


async def _measure(folder: Path) -> dict[str, Any]:
    out = folder / "samples.json"
    async with Sandbox() as sandbox:
        settings = {"VIVANT_GENERATOR__VARIANT": "demo", "VIVANT_DATA_DIR": str(folder), "VIVANT_CONFIG": os.devnull}
        started = time.monotonic()
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.loop", str(out)),
            env=os.environ | settings | {"VIVANT_LOG_LEVEL": "ERROR"} | sandbox.environment(),
        )
        try:
            await asyncio.wait_for(sandbox.gateway.online.wait(), 60)
            ready_seconds = time.monotonic() - started
            acknowledged, window = await _burst_during_an_upload(sandbox)
        finally:
            bot.terminate()
            await bot.wait()
        uploads = [clip for clip in _clips(sandbox) if clip["size"] == CLIP_BYTES]
    delays = [delay for when, delay in json.loads(out.read_text()) if window[0] <= when <= window[1]]
    return {"acknowledged": acknowledged, "delays": delays, "uploads": len(uploads), "ready_seconds": ready_seconds}


async def _burst_during_an_upload(sandbox: Sandbox) -> tuple[list[float], tuple[float, float]]:
    """Let one clip begin its upload while the next renders, then send all commands at once."""
    world = sandbox.world
    uploading = asyncio.Event()
    sandbox.faults.add(Do(uploading.set), "POST", f"/channels/{PICTURES}/messages")
    for frames in (4, 50):  # the first is soon there, the second renders while it goes up
        job = await world.invoke(BEN, PICTURES, "animate", {"frames": frames}, {"image": png()})
        await job.acknowledged()
    await asyncio.wait_for(uploading.wait(), 300)
    begun = time.time() - AROUND_SECONDS
    people = (ADA, BEN, MIA, OLGA)
    sent = []
    for number in range(COMMANDS):
        person = people[number % len(people)]
        if number % 5 == 0:
            sent.append(await world.invoke(person, GENERAL, "animate", {}, {"image": png()}))
        else:
            sent.append(await world.invoke(person, GENERAL, ("queue", "help", "privacy", "result")[number % 4]))
    answered = await asyncio.gather(*(interaction.acknowledged(10) for interaction in sent))
    await until(lambda: _clips(sandbox), "the uploaded clip", 120)
    await asyncio.sleep(AROUND_SECONDS)
    times = [item.acknowledged_after if item.acknowledged_after is not None else math.inf for item in answered]
    return times, (begun, time.time())


def _clips(sandbox: Sandbox) -> list[dict[str, Any]]:
    messages = sandbox.world.messages_for(ADA, PICTURES)
    return [item for message in messages for item in message["attachments"] if item["filename"].startswith("vivant-")]


def percentile(values: list[float], share: float) -> float:
    """Return the value that `share` of all do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def run() -> Report:
    """Measure acknowledgement and loop delay under everything at once."""
    with tempfile.TemporaryDirectory(prefix="vivant-loop-") as folder:
        found = asyncio.run(_measure(Path(folder)))
    acknowledged, delays = found["acknowledged"], found["delays"]
    return Report(
        name="loop",
        figures={
            "commands": len(acknowledged),
            "clips_of_10_mb_uploaded": found["uploads"],
            "acknowledged_p50_ms": percentile(acknowledged, 0.5) * 1000,
            "acknowledged_p99_ms": percentile(acknowledged, 0.99) * 1000,
            "loop_delay_samples": len(delays),
            "loop_delay_p50_ms": percentile(delays, 0.5) * 1000,
            "loop_delay_p99_ms": percentile(delays, 0.99) * 1000,
            "loop_delay_max_ms": max(delays) * 1000,
            "ready_s": found["ready_seconds"],
            "machine_load": os.getloadavg()[0],
        },
        targets={
            "acknowledged_p99_ms": "< 500",
            "loop_delay_p99_ms": "< 10",
            "ready_s": "< 2",
            "clips_of_10_mb_uploaded": ">= 1",
        },
        libraries=("discord.py", "aiohttp", "aiosqlite"),
    )


if __name__ == "__main__":
    asyncio.run(_probed_bot(Path(sys.argv[1])))
