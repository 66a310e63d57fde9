"""How well clips arrive: speed of deliveries over real sockets, and what is lost or doubled when replies are lost."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

from bot.edge.posting import Posting
from bot.queue.database import fetch_one
from bot.sandbox.faults import Delay, FaultScript, LoseReply
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, BEN, DIRECT_ADA, DIRECT_BEN, GENERAL, PICTURES, THREAD
from tests.benchmarks.loop import percentile
from tests.benchmarks.report import Report
from tests.bot.edge.test_delivery import WithoutNonce
from tests.support.edge import POSTS, Edge, count_clips, running_edge, until
from tests.support.fakes import Act, FakeBackend

CLIPS = 60
CHANNELS = ((PICTURES, ADA), (GENERAL, BEN), (THREAD, ADA), (DIRECT_ADA, ADA), (DIRECT_BEN, BEN))
LOST_REPLIES = 0.2
SEED = 20261123


async def _deliver(posting: type[Posting], *, lost: float) -> tuple[list[int], list[float], int]:
    """Return how many clips each job got, the seconds from settled to posted, and how many replies were lost."""
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(faults=FaultScript(SEED)) as sandbox:
            if lost:
                sandbox.faults.add(LoseReply(), *POSTS, times=None, probability=lost)
            backend = FakeBackend(usual=Act(steps=1))
            async with running_edge(Path(folder), sandbox, backend=backend, posting=posting) as edge:
                for number in range(CLIPS):
                    channel, actor = CHANNELS[number % len(CHANNELS)]
                    await edge.queued(channel=channel, actor=actor)
                seconds = []
                for number in range(1, CLIPS + 1):
                    await edge.delivered(number, timeout=60)
                    seconds.append(await _took(edge, number))
                clips = [clip for channel, actor in CHANNELS for clip in edge.clips(channel=channel, actor=actor)]
                counts = count_clips(clips, CLIPS)
                return counts, seconds, len(sandbox.faults.played)


async def _took(edge: Edge, number: int) -> float:
    sql = "select finished_ms, message_id from job join outbox on job_id = id where id = ?"
    finished_ms, message_id = await edge.store.database.read(fetch_one, sql, (number,))
    posted_ms = (int(message_id) >> 22) + 1_420_070_400_000
    return max(0.0, (posted_ms - int(finished_ms)) / 1000)


async def _beside_a_slow_upload(slow_seconds: float) -> float:
    """Return the seconds that a clip takes while another channel's upload hangs."""
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox() as sandbox, running_edge(Path(folder), sandbox) as edge:
            sandbox.faults.add(Delay(slow_seconds), "POST", f"/channels/{PICTURES}/messages")
            await edge.queued()
            begun = time.monotonic()
            await edge.queued(channel=GENERAL, actor=BEN)
            await until(lambda: edge.clips(channel=GENERAL), "the other channel's clip")
            return time.monotonic() - begun


def run() -> Report:
    """Measure deliveries, then the same without the nonce: what the check would have caught."""
    calm, seconds, _ = asyncio.run(_deliver(Posting, lost=0.0))
    stormy, _, replies_lost = asyncio.run(_deliver(Posting, lost=LOST_REPLIES))
    naive, _, _ = asyncio.run(_deliver(WithoutNonce, lost=LOST_REPLIES))
    return Report(
        name="delivery",
        figures={
            "clips": CLIPS,
            "seed": SEED,
            "settled_to_posted_p50_ms": percentile(seconds, 0.5) * 1000,
            "settled_to_posted_p99_ms": percentile(seconds, 0.99) * 1000,
            "replies_lost": replies_lost,
            "clips_lost": calm.count(0) + stormy.count(0),
            "clips_doubled": sum(count > 1 for count in calm + stormy),
            "clips_doubled_without_nonce": sum(count > 1 for count in naive),
            "other_channel_beside_5_s_upload_s": asyncio.run(_beside_a_slow_upload(5.0)),
        },
        targets={
            "clips_lost": "== 0",
            "clips_doubled": "== 0",
            "replies_lost": ">= 1",
            "clips_doubled_without_nonce": ">= 1",
            "other_channel_beside_5_s_upload_s": "< 5",
        },
        libraries=("discord.py", "aiohttp", "aiosqlite"),
    )
