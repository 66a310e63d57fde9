"""The backend that renders on the cards of a cluster. It starts the bridge, and imports no ray itself."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from generator.backend.backend import ExecutorState, OnState
from generator.backend.cluster.exchange import Exchange, disk_error
from generator.backend.in_flight import OnProgress
from generator.backend.local_backend import LocalBackend
from generator.backend.stalls import StallLimits
from generator.errors import ExecutorLost
from generator.process.environment import child_environment
from generator.protocol import ExecutorConfig, Rendered, RenderRequest

log = logging.getLogger(__name__)

BRIDGE = (sys.executable, "-m", "generator.backend.cluster")
_MOST_AT_ONCE = 10_000
"""requests; what really bounds them are the slots that the bridge tells"""
_WIDER = 3.0
"""than the limits of each card's own alarm: one silent node must not end the bridge, which speaks for all"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """How the bot reaches its cluster."""

    address: str
    """HOST:PORT of the head"""
    exchange_folder: Path
    """for pictures and clips on their way to and from the bridge; made empty at the start"""
    token_file: Path | None = None
    most_cards: int = 64
    most_rented: int = 0
    owner: tuple[int, int] | None = None
    """uid and gid of the account that the bridge runs as; None: the bot's own"""
    command: Sequence[str] = BRIDGE
    limits: StallLimits = field(default_factory=StallLimits)


class ClusterBackend(LocalBackend):
    """Renders on every card that a cluster has just now. `slots` and `encoders` follow it; both are 0 without a card.

    `executors` is how many cards can begin something, `connected` how many there are that will soon.
    """

    def __init__(self, config: ExecutorConfig, options: ClusterOptions, *, on_state: OnState | None = None) -> None:
        limits = dataclasses.replace(
            wider(options.limits),
            term_seconds=options.limits.term_seconds,
            kill_seconds=options.limits.kill_seconds,
            backoff_seconds=options.limits.backoff_seconds,
            backoff_max_seconds=options.limits.backoff_max_seconds,
        )
        super().__init__(
            config, limits=limits, command=_command(options), slots=_MOST_AT_ONCE, encoders=0, on_state=on_state
        )
        self.slots = self.encoders = self.executors = self.connected = 0
        self.left_out: frozenset[str] = frozenset()
        self._options = options
        self._exchange = Exchange(options.exchange_folder, options.owner)

    async def start(self) -> None:
        """See `Backend.start`. Raises OSError when the folder for the exchange cannot be made."""
        await asyncio.to_thread(self._exchange.open)
        await super().start()

    async def render(self, request: RenderRequest, on_progress: OnProgress) -> Rendered:
        """See `Backend.render`."""
        lent = self._exchange.paths(request)
        try:
            await asyncio.to_thread(self._exchange.lend, request, lent)
            rendered = await super().render(lent, on_progress)
            return await asyncio.to_thread(self._exchange.take, rendered, lent, request)
        except OSError as error:
            raise disk_error(error) from error
        finally:
            self._exchange.take_back(lent)

    async def close(self) -> None:
        """See `Backend.close`."""
        await super().close()
        await asyncio.to_thread(self._exchange.close)

    def resume(self) -> None:
        """Let the bridge try nodes again that it has left out."""
        self._send("resume")

    def want(self, jobs: int, seconds: float) -> None:
        """Tell how many jobs wait or run, and for how many seconds they would keep one card busy."""
        if self._options.most_rented:
            self._send("want", jobs=jobs, seconds=seconds)

    def _environment(self) -> dict[str, str]:
        """Return what the bridge gets: nothing of the bot's, and not the hub's token either, which each node has."""
        env = {**child_environment(), "PYTHONUNBUFFERED": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        env |= {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
        if self._options.token_file is not None:
            env |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self._options.token_file)}
        if self._options.owner is not None:
            env["HOME"] = pwd.getpwuid(self._options.owner[0]).pw_dir
        return env

    def _handle(self, event: dict[str, Any]) -> ExecutorLost | None:
        if event["type"] == "ready":
            self.slots, self.encoders = int(event["slots"]), int(event["encoders"])
            self.executors, self.connected = int(event["executors"]), int(event["connected"])
            self.left_out = frozenset(map(str, event["left_out"]))
            if self.ready.is_set():  # it is said at every change, which must not begin the requests' silence anew
                self._facts = dict(event["facts"])
                self._tell(ExecutorState.READY, self.describe())
                return None
        return super()._handle(event)

    def _forget_child(self, lost: ExecutorLost) -> ExecutorLost:
        """Expect nothing of the cluster until the next bridge speaks. Its end is no job's fault."""
        self.slots = self.encoders = self.executors = self.connected = 0
        if lost.data.get("cause") != "closed":
            lost = ExecutorLost(lost.text, **lost.data | {"innocent": True, "node": "bridge"})
        return super()._forget_child(lost)


def wider(limits: StallLimits) -> StallLimits:
    """Return limits that are so wide that a card's own alarm always rings first."""
    fields = dataclasses.fields(limits)
    return StallLimits(**{item.name: getattr(limits, item.name) * _WIDER for item in fields})


def _command(options: ClusterOptions) -> list[str]:
    arguments = {"address": options.address, "most-cards": options.most_cards, "most-rented": options.most_rented}
    account: list[str] = []
    if options.owner is not None:  # it replaces itself, so that the process stays our child
        uid, gid = options.owner
        account = ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--init-groups", "--inh-caps=-all", "--no-new-privs"]
    return [
        *account,
        *options.command,
        *(word for name, value in arguments.items() for word in (f"--{name}", str(value))),
    ]
