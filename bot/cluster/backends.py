"""Makes and starts what renders: a backend for each card of this machine, and that of a cluster. Knows no Discord.

Tested in tests/bot/test_app.py and tests/bot/cluster/test_in_discord.py.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

from bot.cluster.capacity import Capacity
from bot.config import Config
from bot.work.supervise import StartError
from generator.backend.backend import Backend, ExecutorState
from generator.backend.cluster.cluster_backend import ClusterBackend
from generator.backend.gpus import choose_gpus
from generator.backend.local_backend import ENCODERS, SLOTS
from generator.errors import SettingsError

log = logging.getLogger(__name__)


def local_gpus(config: Config) -> list[str] | list[None]:
    """Return this machine's cards; none where a cluster renders and the operator names none. Raises StartError."""
    try:
        return choose_gpus(config.generator.gpus, os.environ) or ([] if config.cluster.address else [None])
    except SettingsError as error:
        raise StartError(error.text) from error


def most_of_one_person(config: Config) -> int:
    """Return how many jobs one person may have running, so that a place is left: encoding may take long."""
    return max(1, len(local_gpus(config)) * (SLOTS + ENCODERS) - 1)


def make_local(config: Config, make: Callable[..., Backend], variant: str) -> list[Backend]:
    """Make a backend for each card of this machine; `make` is called as LocalBackend is. Raises StartError."""
    if config.generator.compile:
        log.warning("generator.compile does nothing any more: take its line out of the configuration")
    return [make(config.executor(variant), gpu=gpu, on_state=_log_state) for gpu in local_gpus(config)]


def make_capacities(config: Config, make: Callable[..., ClusterBackend], variant: str) -> list[Capacity]:
    """Make what follows the cluster; nothing where there is none. Raises StartError."""
    if not config.cluster.address:
        return []
    return [Capacity(config, make, variant, local_executors=len(local_gpus(config)))]


async def start_all(local: list[Backend], capacities: list[Capacity], stack: AsyncExitStack) -> list[Backend]:
    """Start them in order, this machine's first, and return them; the stack closes them. Raises StartError."""
    backends = [*local, *(capacity.backend for capacity in capacities)]
    for backend in backends:
        try:
            await backend.start()
        except OSError as error:
            raise StartError(f"Nothing can be rendered: {error}") from error
        stack.push_async_callback(backend.close)
    return backends


def preload(backends: Iterable[Backend], variant: str) -> None:
    """Let all of them load a variant before its first request."""
    for backend in backends:
        backend.preload(variant)


def _log_state(state: ExecutorState, facts: dict[str, Any]) -> None:
    if state is ExecutorState.BROKEN and "error" in facts:
        log.error("the model cannot be loaded: %s", facts["error"]["text"])
        return
    log.info("executor %s %s", state, {key: value for key, value in facts.items() if value is not None})
