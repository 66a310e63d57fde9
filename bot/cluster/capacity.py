"""Follows how many cards a cluster has, so that the workers and the times do. Knows no Discord and no Ray."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.config import Config
from bot.queue.job import JobState
from bot.queue.jobs import Jobs
from bot.work.crew import Crew
from bot.work.gate import Gate, HoldCause
from generator.backend.backend import ExecutorState
from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions
from generator.backend.local_backend import ENCODERS, SLOTS

log = logging.getLogger(__name__)

NO_CARD_SECONDS = 10.0
"""without a card before people are told: a bridge that is started again has its cards back sooner"""
DEMAND_SECONDS = 30.0
"""between two looks at how many cards the queue needs"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Followers:
    """Who follows the number of cards."""

    jobs: Jobs
    crew: Crew
    gate: Gate
    on_hold: Callable[[], None]
    """called when people must be told something else: that there is no card, or that there is one again"""
    on_left_out: Callable[[str], None]
    """called with the name of each node that was lost so often that it is left out"""


class Capacity:
    """Makes the backend of a cluster, and tells the followers what it can do; `local_executors` are beside it."""

    def __init__(
        self,
        config: Config,
        make_backend: Callable[..., ClusterBackend],
        variant: str,
        *,
        local_executors: int = 0,
    ) -> None:
        self.backend = make_backend(config.executor(variant), cluster_options(config), on_state=self._note)
        self._local = local_executors
        self._running_per_user = config.queue.max_running_per_user
        self._followers: Followers | None = None
        self._left_out: frozenset[str] = frozenset()
        self._telling: asyncio.TimerHandle | None = None
        self._told: dict[str, str] = {}

    def attach(self, followers: Followers) -> None:
        """Tell these from now on."""
        self._followers = followers
        followers.crew.on_resume(self.backend.resume)
        self._update(followers)

    def _note(self, state: ExecutorState, facts: dict[str, Any]) -> None:
        """Follow what the bridge is doing; what is new of each node goes to the log."""
        for node in facts.get("nodes", ()) if state is ExecutorState.READY else ():
            told = f"{node.get('state')} {node.get('problem', '')}".strip()
            if self._told.get(node["node"]) != told:
                self._told[node["node"]] = told
                log.info("node %s: %s", node["node"], told)
        if state is not ExecutorState.READY:
            log.info("bridge %s %s", state, facts.get("error", facts))
        if self._followers is not None:
            self._update(self._followers)

    async def run(self) -> None:
        """Tell the bridge again and again how many cards the queue needs, for an autoscaler."""
        while True:
            await asyncio.sleep(DEMAND_SECONDS)
            if self._followers is not None:
                await ask_for_cards(self.backend, self._followers.jobs)

    def _update(self, followers: Followers) -> None:
        backend = self.backend
        executors = self._local + backend.executors
        most = self._running_per_user or executors * (SLOTS + ENCODERS) - 1  # so that others find a card
        followers.jobs.follow_executors(executors, most)
        followers.crew.changed()
        for name in backend.left_out - self._left_out:
            followers.on_left_out(name)
        self._left_out = backend.left_out
        if self._local + backend.connected:
            self._tell_no_longer(followers)
        elif self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(NO_CARD_SECONDS, self._tell, followers)

    def _tell(self, followers: Followers) -> None:
        followers.gate.close(HoldCause.NO_CARD)
        followers.on_hold()

    def _tell_no_longer(self, followers: Followers) -> None:
        if self._telling is not None:
            self._telling.cancel()
            self._telling = None
        if followers.gate.is_held_by(HoldCause.NO_CARD):
            followers.gate.open(HoldCause.NO_CARD)
            followers.on_hold()


async def ask_for_cards(backend: ClusterBackend, jobs: Jobs) -> None:
    """Tell the bridge how many jobs there are, and for how long they would keep one card busy."""
    counts = await jobs.counts()
    waiting = await jobs.waiting_ids()
    last = await jobs.position(waiting[-1]) if waiting else None
    seconds = last.eta_low_ms / 1000 * jobs.executors if last else 0.0
    backend.want(counts[JobState.QUEUED] + counts[JobState.RUNNING], seconds)


def cluster_options(config: Config) -> ClusterOptions:
    """Return how this bot reaches its cluster."""
    settings = config.cluster
    # Another account cannot reach into the data folder, which is private.
    folder = Path(tempfile.gettempdir()) / f"vivant-{settings.user}" if settings.user else config.data_dir / "cluster"
    return ClusterOptions(
        address=settings.address,
        exchange_folder=folder,
        token_file=settings.token_path,
        most_cards=settings.max_cards,
        most_rented=settings.max_rented,
        owner=settings.owner,
    )
