"""Starts the metrics of a bot, and says whom of its parts they ask.

Tested in tests/bot/test_app.py and tests/test_monitoring.py.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

from bot.config import Config
from bot.edge.client import VivantClient
from bot.edge.context import Services
from bot.monitoring.gauges import Sources
from bot.monitoring.metrics import Metrics
from bot.queue.store import JobStore
from bot.work.supervise import StartError
from generator.memory import MIB


def open_metrics(config: Config, store: JobStore, stack: AsyncExitStack) -> list[Metrics]:
    """Return one Metrics, or none where the operator wants none."""
    if not config.metrics_port:
        return []
    metrics = Metrics(store)
    try:
        metrics.listen(config.metrics_port, str(config.metrics_address))
    except OSError as error:
        raise StartError(
            f"Port {config.metrics_port} of {config.metrics_address} cannot be used for the metrics "
            f"({error.strerror}). Set metrics_port to a free one, or to 0 for no metrics, and metrics_address to an "
            "address of this machine."
        ) from error
    stack.push_async_callback(metrics.close)
    return [metrics]


def sources(services: Services, client: VivantClient) -> Sources:
    """Return whom the metrics ask."""
    return Sources(
        cards=services.crew.describe,
        able=services.crew.count_able,
        progress=services.crew.progress.values,
        holds=lambda: services.switches.gate.causes,
        connected=client.is_connected,
        latency=lambda: client.latency,
        invalid_requests=lambda: client.invalid_requests.count,
        free_bytes=services.spool.free_bytes,
        needed_bytes=services.config.retention.min_free_mib * MIB,
    )
