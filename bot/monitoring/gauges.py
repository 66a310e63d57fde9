"""What Prometheus reads of a bot at one moment: the queue, the cards, the connection, the room on the disk.

Tested in tests/bot/monitoring/test_metrics.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector

from bot.queue.opening.look import Figures
from bot.work.gate import HoldCause
from generator.memory import GIB
from generator.protocol import Phase, Progress

Cards = Iterable[Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Whom to ask at each look."""

    cards: Callable[[], Cards] = tuple
    """what each executor says of itself"""
    able: Callable[[], int] = int
    """how many cards can render now"""
    progress: Callable[[], Iterable[Progress]] = tuple
    """of each render"""
    holds: Callable[[], Collection[HoldCause]] = tuple
    connected: Callable[[], bool] = bool
    latency: Callable[[], float] = float
    """seconds from a heartbeat to its answer; NaN before the first"""
    invalid_requests: Callable[[], int] = int
    """of the last ten minutes"""
    free_bytes: Callable[[], int] = int
    """on the data folder's disk"""
    needed_bytes: int = 0


_CARD_GAUGES = {
    "vram_gib": ("memory_bytes", "Memory of each executor's card", GIB),
    "used_gib": (
        "memory_used_bytes",
        "Memory of each executor's card that programs held after its last clip",
        GIB,
    ),
    "pinned_gib": ("pinned_bytes", "Host memory that each executor has pinned", GIB),
    "clip_seconds": ("clip_seconds", "Median seconds of the last clips of the loaded variant on this card", 1),
}


class Gauges:
    """Everything that is read at a moment and not counted as it happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        gauge = partial(Gauge, registry=registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        gauge("vivant_build_info", "The version of Vivant", ["version"]).labels(version("vivant")).set(1)
        self._jobs = gauge("vivant_jobs", "Jobs that are kept, by state", ["state"])
        self._deliveries = gauge("vivant_deliveries", "Results that are kept, by how far they are posted", ["state"])
        self._queued = gauge("vivant_queue_oldest_age_seconds", "Since the longest waiting job was asked for")
        self._running = gauge("vivant_running_oldest_age_seconds", "Since the longest running attempt began")
        self._undelivered = gauge("vivant_delivery_oldest_age_seconds", "Since the longest undelivered job ended")
        self._set_aside = gauge("vivant_jobs_set_aside", "Jobs whose row could not be read")
        self._phases = gauge("vivant_renders_running", "Renders that go on, by phase", ["phase"])
        self._holds = gauge("vivant_hold", "1 while this is a reason why nothing is started", ["cause"])
        self._connected = gauge("vivant_connected", "1 while the bot is connected to Discord")
        self._latency = gauge("vivant_discord_latency_seconds", "From a heartbeat to Discord's answer")
        self._invalid = gauge(
            "vivant_discord_invalid_requests",
            "Requests of the last ten minutes that Discord calls invalid; it bans an address at 10000",
        )
        self._free = gauge("vivant_disk_free_bytes", "Free bytes on the data folder's disk")
        self._needed = gauge("vivant_disk_needed_bytes", "Below so many free bytes requests are refused")
        self._able = gauge("vivant_cards_able", "Cards that can render now")
        self._info = gauge(
            "vivant_card_info", "What each executor's card is", ["card", "name", "variant", "plan", "device"]
        )
        self._up = gauge("vivant_card_up", "1 while this executor can render", ["card"])
        self._of_cards = {
            key: (gauge(f"vivant_card_{name}", text, ["card"]), factor)
            for key, (name, text, factor) in _CARD_GAUGES.items()
        }

    def show_figures(self, found: Figures) -> None:
        """Show how the queue stands."""
        for gauge, counts in ((self._jobs, found.jobs), (self._deliveries, found.deliveries)):
            for state, count in counts.items():
                gauge.labels(state).set(count)
        self._queued.set(found.oldest_queued)
        self._running.set(found.oldest_running)
        self._undelivered.set(found.oldest_undelivered)
        self._set_aside.set(found.set_aside)

    def show(self, sources: Sources) -> None:
        """Ask the sources, and show what they say."""
        phases = Counter(progress.phase for progress in sources.progress())
        for phase in Phase:
            self._phases.labels(phase).set(phases[phase])
        holds = sources.holds()
        for cause in HoldCause:
            self._holds.labels(cause).set(cause in holds)
        self._connected.set(sources.connected())
        self._latency.set(sources.latency())
        self._invalid.set(sources.invalid_requests())
        self._free.set(sources.free_bytes())
        self._needed.set(sources.needed_bytes)
        self._able.set(sources.able())
        self._show_cards(sources.cards())

    def _show_cards(self, cards: Cards) -> None:
        for gauge in (self._info, self._up, *(gauge for gauge, _ in self._of_cards.values())):
            gauge.clear()  # a card may be gone, or have another plan
        for number, facts in enumerate(cards):
            if facts.get("device") == "cluster":  # its nodes come after it
                continue
            card = str(facts.get("node", facts.get("gpu", number)))
            told = (str(facts.get(key) or "") for key in ("name", "variant", "plan", "device"))
            self._info.labels(card, *told).set(1)
            self._up.labels(card).set(is_up(facts))
            for key, (gauge, factor) in self._of_cards.items():
                if isinstance(value := facts.get(key), int | float):
                    gauge.labels(card).set(value * factor)


def is_up(facts: Mapping[str, object]) -> bool:
    """Tell from what an executor says of itself whether it can render: ready, its model loaded, not stopped."""
    return bool(facts.get("name") or facts.get("node")) and not ("problem" in facts or "stopped" in facts)
