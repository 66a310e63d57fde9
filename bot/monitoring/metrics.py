"""Where an operator's Prometheus reads the figures, and how late the event loop runs. Knows no Discord."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics, start_http_server

from bot.monitoring.counters import Counters
from bot.monitoring.gauges import Gauges, Sources
from bot.queue.opening.look import figures
from bot.queue.store import JobStore

TICK_SECONDS = 0.05
LOOK_SECONDS = 5.0
COUNT_REST = 100
"""a count looks at every row; of a million rows it is made less often, so that it takes a hundredth of the time"""


class Metrics:
    """Tells how a bot does while `run` is awaited, between `listen` and `close`. `watch` names whom to ask besides."""

    def __init__(self, store: JobStore) -> None:
        # Else it makes a second series beside each counter, which Prometheus stores and nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._store = store
        self._sources = Sources()
        self._counters = Counters(self.registry)
        self._gauges = Gauges(self.registry)
        self._delay = Histogram(
            "vivant_event_loop_delay_seconds",
            "How much later than asked the event loop woke up",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3),
            registry=self.registry,
        )

    def listen(self, port: int, address: str = "127.0.0.1") -> None:
        """Answer at `port` of an address of this machine. Raises OSError when it is taken or not this machine's."""
        self._server, self._thread = start_http_server(port, addr=address, registry=self.registry)
        self._counters.follow(self._store)

    def watch(self, sources: Sources) -> None:
        """Ask these from now on."""
        self._sources = sources

    async def close(self) -> None:
        """Answer no more."""
        self._counters.close()
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        self._thread.join()

    async def run(self) -> None:
        """Measure until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure_delay())
            tasks.create_task(self._ask_sources())
            tasks.create_task(self._count())

    async def _measure_delay(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._delay.observe(max(0.0, loop.time() - asked))

    async def _ask_sources(self) -> None:
        while True:
            self._gauges.show(self._sources)
            await asyncio.sleep(LOOK_SECONDS)

    async def _count(self) -> None:
        while True:
            began = time.monotonic()
            self._gauges.show_figures(await self._store.database.read(figures, self._store.now_ms()))
            await asyncio.sleep(max(LOOK_SECONDS, (time.monotonic() - began) * COUNT_REST))
