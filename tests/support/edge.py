"""The whole bot but for the model, in this process, against the local Discord over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import aiohttp
from PIL import Image, ImageDraw

from bot.app import Parts, build
from bot.config import Config
from bot.edge.client import VivantClient
from bot.edge.connection.pacing import Pace
from bot.edge.context import Services
from bot.edge.status_cards import StatusCards
from bot.queue.job import Delivery, Job
from bot.queue.spool import Spool
from bot.queue.store import JobStore
from bot.sandbox.rules.payloads import Json
from bot.sandbox.rules.uploads import Upload
from bot.sandbox.server import Sandbox
from bot.sandbox.world.interactions import Interaction
from bot.sandbox.world.standard import ADA, PICTURES
from bot.sandbox.world.world import World
from bot.work.switches import Switches
from generator.backend.backend import Backend
from generator.picture.intake import PictureChild
from tests.support.fakes import Act, FakeBackend
from tests.support.jobs import require_agreement

POSTS = ("POST", "/channels/*/messages")
"""the requests with which the bot posts a message, for a FaultScript"""


def picture(width: int = 320, height: int = 180) -> bytes:
    """Return a small PNG picture."""
    image = Image.new("RGB", (width, height), (40, 90, 160))
    ImageDraw.Draw(image).ellipse((width // 4, height // 4, width // 2, height // 2), fill=(240, 180, 60))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def png(name: str = "photo.png") -> Upload:
    """Return a picture as a person attaches it."""
    return Upload(name, "image/png", picture())


async def until(condition: Callable[[], Any], what: str, timeout: float = 15.0) -> Any:
    """Wait until a condition holds, and return its value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < end, f"not within {timeout:g} s: {what}"
        await asyncio.sleep(0.01)


@dataclass
class Clock:
    """The bot's wall clock, which a test may move."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        return time.time_ns() // 1_000_000 + self.ahead_ms


@dataclass
class Edge:
    """Everything a test touches."""

    sandbox: Sandbox
    backend: FakeBackend
    clock: Clock
    services: Services
    client: VivantClient
    rests: list[float] = field(default_factory=list)
    """the poster's pauses in seconds, as they would have been"""

    @property
    def store(self) -> JobStore:
        return self.services.store

    @property
    def spool(self) -> Spool:
        return self.services.spool

    @property
    def switches(self) -> Switches:
        return self.services.switches

    @property
    def cards(self) -> StatusCards:
        return self.services.cards

    @property
    def world(self) -> World:
        return self.sandbox.world

    async def invoke(
        self,
        command: str,
        options: dict[str, Any] | None = None,
        *,
        actor: str = ADA,
        channel: str = PICTURES,
        **more: Any,
    ) -> Interaction:
        """Run a command as a person and wait for the acknowledgement."""
        interaction = await self.world.invoke(actor, channel, command, options or {}, **more)
        return await interaction.acknowledged()

    async def animate(
        self, *, actor: str = ADA, channel: str = PICTURES, file: Upload | None = None, **options: Any
    ) -> Interaction:
        """Run /animate with a picture."""
        return await self.invoke("animate", options, actor=actor, channel=channel, files={"image": file or png()})

    async def queued(self, *, actor: str = ADA, channel: str = PICTURES, **options: Any) -> Job:
        """Run /animate and wait until its job is in the queue with its card."""
        interaction = await self.animate(actor=actor, channel=channel, **options)

        async def accepted() -> Job | None:
            jobs = await self.store.jobs.of_user(int(actor))
            return next((job for job in jobs if job.key == interaction.id and job.card_message_id), None)

        job: Job = await until(accepted, "an accepted job")
        return job

    def seen(self, *, actor: str = ADA, channel: str = PICTURES) -> list[Json]:
        """Return the messages a person sees."""
        return self.world.messages_for(actor, channel)

    def card(self, job: Job, *, actor: str = ADA) -> Json:
        """Return a job's card as a person sees it."""
        [card] = [
            item
            for item in self.seen(actor=actor, channel=str(job.route.channel_id))
            if item["id"] == str(job.card_message_id)
        ]
        return card

    def clips(self, *, actor: str = ADA, channel: str = PICTURES) -> list[Json]:
        """Return the messages with a clip."""
        return [item for item in self.seen(actor=actor, channel=channel) if clip_of(item)]

    async def answer(self, interaction: Interaction, *, actor: str = ADA, channel: str = PICTURES) -> str:
        """Wait for the text of a private answer to an interaction."""

        def found() -> str | None:
            for item in self.seen(actor=actor, channel=channel):
                mine = (item.get("interaction_metadata") or {}).get("id") == interaction.id
                if mine and item["flags"] & 64 and not item["flags"] & 128:
                    return words(item)
            return None

        return str(await until(found, "a private answer"))

    async def clip(self, *, channel: str = PICTURES, count: int = 1) -> Json:
        """Wait for a clip and return its message."""
        await until(lambda: len(self.clips(channel=channel)) >= count, "a clip")
        return self.clips(channel=channel)[-1]

    async def only_clips(self, count: int = 1, *, channel: str = PICTURES) -> list[Json]:
        """Wait until so many clips, and no card, are all that is left in a channel; return them."""

        def are_left() -> bool:
            seen = self.seen(channel=channel)
            return len(seen) == count and all(map(clip_of, seen))

        await until(are_left, f"{count} clips and no card")
        return self.clips(channel=channel)

    async def job(self, number: int = 1) -> Job:
        job = await self.store.jobs.get(number)
        assert job is not None
        return job

    async def delivered(self, number: int = 1, state: str = "sent", timeout: float = 15.0) -> Delivery:
        """Wait until a job's delivery has that state, and return it."""

        async def reached() -> Delivery | None:
            delivery = await self.store.deliveries.of_job(number)
            return delivery if delivery and delivery.state == state else None

        delivery: Delivery = await until(reached, f"job {number} {state}", timeout)
        return delivery


def clip_of(message: Json) -> Json | None:
    """Return a message's clip attachment."""
    for item in message["attachments"]:
        if item["filename"].removeprefix("SPOILER_").startswith("vivant-"):
            return dict(item)
    return None


def count_clips(clips: list[Json], jobs: int) -> list[int]:
    """Return how many of the clips belong to each of the jobs 1 to `jobs`; their buttons tell."""
    owners = [int(buttons(clip["components"])["Again"].split(":")[2]) for clip in clips]
    return [owners.count(number) for number in range(1, jobs + 1)]


def words(node: Any) -> str:
    """Return every text in a message, whatever its layout."""
    if isinstance(node, list):
        return "\n".join(filter(None, map(words, node)))
    if isinstance(node, dict):
        texts = (words(node.get(key)) for key in ("components", "accessory", "component"))
        return "\n".join(filter(None, [node.get("content", "") or "", *texts]))
    return ""


def form_id(opened: Interaction) -> str:
    """Return the custom id of the form that an interaction opened."""
    assert opened.modal is not None
    return str(opened.modal["custom_id"])


def buttons(node: Any) -> dict[str, str]:
    """Return the custom ids of a message's buttons by label."""
    if isinstance(node, list):
        return {label: custom for item in node for label, custom in buttons(item).items()}
    if not isinstance(node, dict):
        return {}
    own = {node["label"]: node["custom_id"]} if node.get("type") == 2 else {}
    return own | buttons(node.get("components", []))


@contextlib.asynccontextmanager
async def running_edge(
    folder: Path,
    sandbox: Sandbox,
    *,
    backend: FakeBackend | None = None,
    config: dict[str, Any] | None = None,
    pause_scale: float = 0.01,
    ahead_ms: int = 0,
    make_backend: Callable[..., Backend] | None = None,
    **parts: Any,
) -> AsyncIterator[Edge]:
    """Run the bot as `bot.app.build` makes it until the block ends; `parts` override the fields of Parts."""
    clock, fake = Clock(ahead_ms), backend or FakeBackend(usual=Act(steps=2))
    usually = {"generator": {"variant": "demo"}, "retention": {"min_free_mib": 1}, "credentials": {"sign": False}}
    values: dict[str, Any] = usually | (config or {})  # signing takes a process for each clip
    settings = Config(data_dir=folder, proxy=sandbox.proxy_url, **values)
    rests: list[float] = []

    async def pause(seconds: float) -> None:
        rests.append(seconds)
        await asyncio.sleep(seconds * pause_scale)

    usual: dict[str, Any] = {
        "backend": make_backend or (lambda config, *, gpu, on_state: fake),
        "pictures": partial(PictureChild, children=1),
        "connector": lambda: aiohttp.TCPConnector(ssl=sandbox.client_tls()),
        "check_variant": _runs_all,
        "now_ms": clock,
        "pause": pause,
        "pace": Pace(edit_seconds=0.05, queue_seconds=0.05),
    }
    async with build(settings, Parts(**usual | parts)) as bot:
        await bot.client.login(sandbox.token)
        async with _running(*bot.loops()):
            await sandbox.gateway.online.wait()
            yield Edge(sandbox, fake, clock, bot.services, bot.client, rests)
    require_agreement(folder)


async def _runs_all(_config: Config, _name: str) -> str | None:
    """Say of every variant that it can run: the backend is a fake."""
    return None


@contextlib.asynccontextmanager
async def _running(*loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run the loops until the block ends, and raise what ended one of them before."""
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


class Start(Protocol):
    """Starts the local Discord and the bot in one; asks at the end that nothing was unimplemented."""

    def __call__(self, **more: Any) -> contextlib.AbstractAsyncContextManager[Edge]: ...


def starter(folder: Path) -> Start:
    """Return a Start whose bots share a data folder."""

    @contextlib.asynccontextmanager
    async def started(**more: Any) -> AsyncIterator[Edge]:
        async with Sandbox() as sandbox, running_edge(folder, sandbox, **more) as edge:
            yield edge
            assert sandbox.unimplemented == []

    return started


def hanging() -> FakeBackend:
    """Return a backend whose renders never end."""
    return FakeBackend(usual=Act(steps=1, hangs=True))
