"""The real bot process around an executor without torch: `python -m tests.support.kill_bot careful`, or any of POSTERS.

`careful` is the product's own delivery; the others are deliberately broken, so that a test can show that it sees it.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from bot.app import Parts, run_bot
from bot.config import Config, load_config
from bot.edge.delivery import Poster
from bot.edge.http_errors import AttemptResult, Next
from bot.policy.quota import DAY_MS, Exceeded, Measure, Scope
from bot.policy.server import ServerSettings, read_settings
from bot.queue import fair_queue, jobs
from bot.queue.database import Statements
from bot.queue.job import Delivery, Job, wall_clock_ms
from bot.queue.servers.quotas import Ask, QuotaReached, refuse_over_quota
from bot.queue.servers.settings import Servers
from bot.queue.store import JobStore
from generator.backend.backend import OnState
from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.process.private import write_private_files
from generator.protocol import ExecutorConfig
from tests.support.fake_bridge import FAKE_BRIDGE

FAILING_MOTION = 13
"""the motion of the clips that cannot be made"""
BAD_FRAMES = ("--frames", "black", "--unsafest", "--bad-motion", str(FAILING_MOTION))
EXECUTOR = (sys.executable, "-m", "tests.support.fake_executor", "--step-seconds", "0.02", *BAD_FRAMES)
STARTED_MS = wall_clock_ms()


class Forgetful(Poster):
    """Posts again after every crash in between: duplicates."""

    async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
        forgetful = replace(delivery, nonce=uuid.uuid4().hex[:20], first_attempt_ms=None)
        return await super().attempt(job, forgetful)


class MarkFirst(Poster):
    """Notes the post before it is made: what dies in between is lost."""

    async def attempt(self, job: Job, delivery: Delivery) -> tuple[AttemptResult, str | None]:
        await self.store.deliveries.mark_sending(job.id)
        await self.store.deliveries.mark_sent(job.id, None)
        return AttemptResult(Next.SENT), await self.posting.post(job, delivery, self.now_ms())


class Leaves(Poster):
    """Ends by itself, as no loop should."""

    async def run(self) -> None:
        return


async def keep_in_memory(self: Servers, guild_id: int, user_id: int, changes: Mapping[str, Any]) -> ServerSettings:
    """Change a server's settings in memory alone, as no store should."""
    return read_settings(dict(changes))


def count_since_start(db: Statements, ask: Ask, cost_ms: int, now_ms: int, clips: int = 1) -> None:
    """Hold a request against what was asked for since the bot's start, as one would that counts in memory."""
    refuse_over_quota(db, ask, cost_ms, STARTED_MS + DAY_MS, clips)


def give_nothing_back(db: Statements, ask: Ask, cost_ms: int, now_ms: int, clips: int = 1) -> None:
    """Count also what was cancelled or has failed, as one would that takes from a balance and dies in between."""
    [(asked,)] = db.execute("select count(*) from job where user_id = ?", (ask.user_id,)).fetchall()
    limit = dict(ask.allowance.quotas)[Scope.PERSON].clips_per_day
    if limit and asked + clips > limit:
        raise QuotaReached(Exceeded(scope=Scope.PERSON, measure=Measure.CLIPS_PER_DAY, limit=limit))
    refuse_over_quota(db, ask, cost_ms, now_ms, clips)


QUOTAS = {"keeps-nothing": count_since_start, "mark-first": give_nothing_back}

POSTERS: dict[str, type[Poster]] = {
    "careful": Poster,
    "no-nonce": Forgetful,
    "mark-first": MarkFirst,
    "leaves": Leaves,
    "keeps-nothing": Poster,
}


async def forget_starts(config: Config) -> None:
    """Start as if for the first time today: the budget of starts is not what is tested here."""
    store = await JobStore.open(config.data_dir)
    await store.settings.set("identifies", None)
    await store.close()


async def main(poster: str, card: str = "FakeCard") -> None:
    write_private_files()  # as the command does; else each start finds another mark, and looks up all that was answered
    config = load_config()
    if poster == "keeps-nothing":
        Servers.change = keep_in_memory  # type: ignore[method-assign]
    for module in (fair_queue, jobs) if poster in QUOTAS else ():
        setattr(module, "refuse_over_quota", QUOTAS[poster])  # noqa: B010 - the module does not export it
    await forget_starts(config)
    backend = partial(LocalBackend, command=EXECUTOR, limits=StallLimits(backoff_seconds=0.05, backoff_max_seconds=0.2))
    await run_bot(config, Parts(backend=backend, cluster=partial(fake_cluster, card=card), poster=POSTERS[poster]))


def fake_cluster(config: ExecutorConfig, options: ClusterOptions, *, on_state: OnState, card: str) -> ClusterBackend:
    """Return a backend whose actors start executors without torch."""
    quick = StallLimits(backoff_seconds=0.05, backoff_max_seconds=1.0)
    options = replace(options, command=[*FAKE_BRIDGE, "--card", card], limits=quick)
    return ClusterBackend(config, options, on_state=on_state)


if __name__ == "__main__":
    logging.basicConfig(level="ERROR")
    asyncio.run(main(*sys.argv[1:]))
