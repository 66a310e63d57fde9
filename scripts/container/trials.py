"""What is tried in the container: each trial returns a line for the report, or raises Failed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sqlite3
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
from PIL import Image as Picture

from bot.queue.opening.migrations import migrate, scripts
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, OLGA, PICTURES, VIVANT
from scripts.container.running import USER, Container, Ended, Image, Running, run_to_end, running

STOP_SECONDS = 30.0
"""what compose.yaml gives the bot to end"""
_OLD_ROWS = Path(__file__).parents[2] / "tests/bot/queue/version_1.sql"


class Failed(Exception):
    """A trial found something wrong; the text says what."""


@dataclass(frozen=True)
class Bench:
    """What every trial works with."""

    image: Image
    folder: Path

    def container(self, name: str, *command: str, sandbox: Sandbox | None = None) -> Container:
        """Return a container of the demo model with a data folder of its own, in a local Discord if one is given."""
        environment = {"VIVANT_GENERATOR__VARIANT": "demo", "VIVANT_OWNERS": f"[{OLGA}]"}
        mounts = {}
        if sandbox is not None:
            authority = self.folder / "authority.pem"
            shutil.copyfile(sandbox.ca_path, authority)
            authority.chmod(0o644)
            mounts["/run/authority.pem"] = authority
            environment |= sandbox.environment() | {"SSL_CERT_FILE": "/run/authority.pem"}
        return Container(self.image, self.folder / "runc", command, self.volume(name), environment, mounts)

    def volume(self, name: str) -> Path:
        """Return a data folder, owned as Docker's volume of this image would be."""
        folder = self.folder / "volumes" / name
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER, USER)
        return folder

    async def shell(self, name: str, script: str) -> Ended:
        """Run a script in a container of its own."""
        container = replace(self.container(name, "sh", "-c", script), whole=True)
        return await run_to_end(container, 120)


def _require(holds: object, text: str) -> None:
    if not holds:
        raise Failed(text)


async def _until(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        _require(time.monotonic() < end, f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.05)


# -- who it is and what it may ----------------------------------------------------------------------------------------


async def unprivileged(bench: Bench) -> str:
    """See that the image's user has no privileges, owns /data alone, and that the root cannot be written to."""
    script = "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status; stat -c %a:%u /data; touch /app/x"
    seen = (await bench.shell("rights", "(touch /data/x && echo writable); " + script)).output
    _require(re.search(rf"^{USER}$", seen, re.MULTILINE), f"the user is not {USER}: {seen}")
    _require(len(re.findall(r"Cap(?:Eff|Bnd):\s*0+$", seen, re.MULTILINE)) == 2, f"there are capabilities: {seen}")
    _require(f"700:{USER}" in seen and "writable" in seen, f"/data is not this user's alone: {seen}")
    _require("Read-only file system" in seen, f"the root can be written to: {seen}")
    return f"user {USER}, no capabilities, nothing to gain, the root is read-only"


async def no_leftovers(bench: Bench) -> str:
    """See that the image holds no compiler, no headers, no caches and no tests of ours."""
    script = (
        "(command -v gcc cc tcc clang; ls -d /app/* /build /var/lib/apt/lists/*_* /usr/include/python3*) 2>/dev/null"
    )
    found = (await bench.shell("left", script)).output.split()
    _require(not found, f"it holds {found}")
    return "no compiler, no headers, no caches"


# -- the commands -----------------------------------------------------------------------------------------------------


async def doctor(bench: Bench) -> str:
    """Let doctor examine the installation in a local Discord; a wrong token is the negative control."""
    async with Sandbox() as sandbox:
        container = bench.container("doctor", "doctor", "--json", sandbox=sandbox)
        good = await run_to_end(container, 180)
        variables = dict(container.environment) | {"VIVANT_TOKEN": "MTIz.wrong.token"}
        wrong = replace(container, environment=variables)
        bad = await run_to_end(wrong, 180)
    checks = json.loads(good.output.splitlines()[-1])["checks"]
    problems = [check for check in checks if check["status"] == "problem"]
    _require(good.code == 0 and not problems, f"doctor sees problems: {problems or good.output}")
    _require(bad.code == 1, "doctor takes a wrong token")
    warnings = [f"{check['name']}: {check['seen']}" for check in checks if check["status"] == "warning"]
    return f"{len(checks)} checks, no problem; warnings: {'; '.join(warnings) or 'none'}"


async def demo(bench: Bench) -> str:
    """Animate one picture without a browser."""
    pictures = bench.folder / "pictures"
    pictures.mkdir(exist_ok=True)
    Picture.linear_gradient("L").resize((640, 480)).convert("RGB").save(pictures / "beach.jpg")
    began = time.monotonic()
    container = bench.container("demo", "demo", "--picture", "/pictures/beach.jpg", "--out", "/data/out")
    mounted = replace(container, environment={}, mounts={"/pictures": pictures})
    ended = await run_to_end(mounted, 400)
    clips = list((container.data / "out").glob("*.mp4"))
    _require(ended.code == 0 and clips, f"the demo made no clip: {ended.output}")
    return f"a clip of {clips[0].stat().st_size} bytes after {time.monotonic() - began:.0f} s"


# -- a bot's life -----------------------------------------------------------------------------------------------------


def _clips(sandbox: Sandbox) -> list[str]:
    seen = [item for item in sandbox.world.messages_for(ADA, PICTURES) if item["author"]["id"] == VIVANT]
    return [file["filename"] for item in seen for file in item["attachments"] if file["filename"].endswith(".mp4")]


def _cards(sandbox: Sandbox) -> str:
    return json.dumps([item["components"] for item in sandbox.world.messages_for(ADA, PICTURES)])


async def stopped_in_mid_render(bench: Bench) -> str:
    """Stop the bot while it renders; after the next start the clip comes, once. See its health and its metrics."""
    health = bench.image.settings["Healthcheck"]["Test"][1:]
    port = _free_port()
    async with Sandbox() as sandbox:
        container = bench.container("life", "run", sandbox=sandbox)
        measured = {"VIVANT_METRICS_PORT": str(port), "VIVANT_METRICS_ADDRESS": "0.0.0.0"}  # as in compose.yaml
        container = replace(container, environment=dict(container.environment) | measured)
        alone = await run_to_end(replace(container, command=health, whole=True), 60)
        _require(alone.code == 1, f"no bot runs, and it says that it is healthy: {alone.output}")
        async with running(container) as bot:
            await _until_healthy(bot, health)
            metrics = await _metrics(port)
            _require("vivant_jobs" in metrics, f"the metrics know of no jobs: {metrics[:400]}")
            await _animate(sandbox)
            await _until(lambda: "Bringing it to life" in _cards(sandbox), "a render on the card")
            asked = time.monotonic()
            await bot.signal("TERM")
            ended = await bot.ended(STOP_SECONDS)
            stopped = time.monotonic() - asked
        _require(ended.code == 0 and not _clips(sandbox), f"it ended with {ended.code}: {ended.output[-2000:]}")
        async with running(container) as bot:
            await _until(lambda: _clips(sandbox), "the clip", 180)
            await _until(lambda: "vivant:cancel" not in _cards(sandbox), "the card to be tidied")
            await bot.signal("TERM")
            _require((await bot.ended(STOP_SECONDS)).code == 0, "the second bot did not end well")
        _require(len(_clips(sandbox)) == 1, f"the clip came {len(_clips(sandbox))} times")
    return f"stopped in {stopped:.1f} s with the job kept; after the next start its clip came once; healthy; metrics"


async def _until_healthy(bot: Running, health: Sequence[str]) -> None:
    end = time.monotonic() + 40  # the health check's start period is longer
    while (seen := await bot.execute(health)).code != 0:
        _require(time.monotonic() < end, f"it does not say that it is healthy: {seen.output}")
        await asyncio.sleep(1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def _animate(sandbox: Sandbox) -> None:
    await _until(sandbox.gateway.online.is_set, "the bot to be online")
    picture = Path(__file__).parents[2] / "docs/screenshots/clip.png"
    upload = Upload("photo.png", "image/png", picture.read_bytes())
    await sandbox.world.invoke(ADA, PICTURES, "animate", {"frames": 25}, {"image": upload})


async def _metrics(port: int) -> str:
    url = f"http://127.0.0.1:{port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def upgraded(bench: Bench) -> str:
    """Start on a volume that the first version wrote: it is brought up to date and no job is lost."""
    database = bench.volume("old") / "vivant.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as db:
        migrate(db, scripts()[:1], None)
        db.executescript(_OLD_ROWS.read_text())
    before = _jobs(database)
    async with Sandbox() as sandbox, running(bench.container("old", "run", sandbox=sandbox)) as bot:
        await _until(sandbox.gateway.online.is_set, "the bot to be online")
        await bot.signal("TERM")
        ended = await bot.ended(STOP_SECONDS)
    _require(ended.code == 0, f"it ended with {ended.code}: {ended.output[-2000:]}")
    version, jobs = _jobs(database)
    _require(before[0] == 1 and version == len(scripts()), f"the database has version {version}")
    _require(jobs == before[1] and len(jobs) > 0, f"jobs before: {before[1]}, now: {jobs}")
    return f"from version 1 to {version} with all {len(jobs)} jobs"


def _jobs(database: Path) -> tuple[int, list[int]]:
    with closing(sqlite3.connect(database)) as db:
        (version,) = db.execute("pragma user_version").fetchone()
        return int(version), [int(row[0]) for row in db.execute("select id from job order by id")]


Trial = Callable[[Bench], Awaitable[str]]
TRIALS: tuple[Trial, ...] = (unprivileged, no_leftovers, doctor, demo, stopped_in_mid_render, upgraded)
