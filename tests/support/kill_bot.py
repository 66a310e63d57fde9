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
from bot.policy.server import ServerSettings, read_settings
from bot.queue.job import Delivery, Job
from bot.queue.servers.settings import Servers
from bot.queue.store import JobStore
from generator.backend.backend import OnState
from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.process.private import write_private_files
from generator.protocol import ExecutorConfig
from tests.support.fake_bridge import FAKE_BRIDGE

EXECUTOR = (sys.executable, "-m", "tests.support.fake_executor", "--step-seconds", "0.02")


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
