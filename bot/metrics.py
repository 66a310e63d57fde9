"""What an operator's Prometheus may read, and how late the event loop runs. Knows no Discord."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Gauge, Histogram, start_http_server

from bot.queue.store import JobStore

TICK_SECONDS = 0.05
COUNT_SECONDS = 5.0
COUNT_REST = 100
"""a count looks at every row; of a million rows it is made less often, so that it takes a hundredth of the time"""


class Metrics:
    """Counts jobs by state and measures the event loop's delay while `run` is awaited, between `listen` and `close`."""

    def __init__(self, store: JobStore, cards: Callable[[], list[dict[str, object]]] = list) -> None:
        """`cards` returns what each executor says of itself."""
        self.registry = CollectorRegistry()
        self._store = store
        self._cards = cards
        self._jobs = Gauge("vivant_jobs", "Jobs by state", ["state"], registry=self.registry)
        labels = ["card", "name", "plan"]
        self._card_gauges = {
            key: Gauge(f"vivant_card_{name}", text, labels, registry=self.registry)
            for key, name, text in (
                ("vram_gib", "memory_gib", "Memory of each executor's card"),
                ("clip_seconds", "clip_seconds", "Median seconds of the last clips of the loaded variant on this card"),
                ("pinned_gib", "pinned_gib", "Host memory that each executor has pinned"),
            )
        }
        self._delay = Histogram(
            "vivant_event_loop_delay_seconds",
            "How much later than asked the event loop woke up",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3),
            registry=self.registry,
        )

    def listen(self, port: int, address: str = "127.0.0.1") -> None:
        """Answer at `port` of an address of this machine. Raises OSError when it is taken or not this machine's."""
        self._server, self._thread = start_http_server(port, addr=address, registry=self.registry)

    async def close(self) -> None:
        """Answer no more."""
        await asyncio.to_thread(self._server.shutdown)
        self._server.server_close()
        self._thread.join()

    async def run(self) -> None:
        """Measure until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure_delay())
            tasks.create_task(self._count_jobs())

    async def _measure_delay(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            self._delay.observe(max(0.0, loop.time() - asked))

    async def _count_jobs(self) -> None:
        while True:
            began = time.monotonic()
            for state, count in (await self._store.jobs.counts()).items():
                self._jobs.labels(state).set(count)
            self._show_cards()
            await asyncio.sleep(max(COUNT_SECONDS, (time.monotonic() - began) * COUNT_REST))

    def _show_cards(self) -> None:
        cards = self._cards()
        for key, gauge in self._card_gauges.items():
            gauge.clear()  # a card's plan is a label, and may have changed
            for number, facts in enumerate(cards):
                if isinstance(value := facts.get(key), int | float):
                    card, name, plan = facts.get("gpu", number), facts.get("name", ""), facts.get("plan", "")
                    gauge.labels(card, name, plan).set(value)
