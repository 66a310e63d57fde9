"""How a bot does, read from its data folder, and from its metrics where it has any.

It needs no token, and changes nothing.
"""

from __future__ import annotations

import sqlite3
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bot.config import Config
from bot.queue.database import StoreError
from bot.queue.job import wall_clock_ms
from bot.queue.opening.look import Figures, Trouble, figures, is_in_use, look_into, troubles
from bot.work.heartbeat import is_healthy

METRICS_SECONDS = 2.0
"""how long the metrics may take to answer"""

Series = tuple[str, dict[str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One graphics card, or one machine of a cluster. What is not known is empty or 0."""

    card: str
    up: bool
    name: str = ""
    variant: str = ""
    plan: str = ""
    memory_bytes: float = 0.0
    memory_used_bytes: float = 0.0
    clip_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What only the running bot itself knows: from its metrics."""

    cards: list[Card] = field(default_factory=list)
    phases: dict[str, int] = field(default_factory=dict)
    """how many renders are in each phase; only those that are going on"""
    holds: list[str] = field(default_factory=list)
    """why nothing is started"""
    invalid_requests: int = 0
    free_bytes: float = 0.0
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How a bot does at one moment."""

    folder: str
    running: bool | None
    """None: this system does not say"""
    connected: bool
    figures: Figures
    troubles: list[Trouble]
    live: Live | None
    """None: the bot has no metrics, or they do not answer"""
    no_live: str = ""
    """why there is no `live`"""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return asdict(self)


def look_at(config: Config, now_ms: Callable[[], int] = wall_clock_ms) -> State:
    """Look at the bot that a configuration is for. Raises StoreError when its data folder cannot be read."""
    folder = config.data_dir

    def read(db: sqlite3.Connection) -> tuple[Figures, list[Trouble]]:
        return figures(db, now_ms()), troubles(db)

    found, last = look_into(folder, read)
    connected = _is_connected(folder)
    running = True if connected else is_in_use(folder)
    live, why = (None, "no bot is running") if running is False else _ask_metrics(config)
    return State(
        folder=str(folder.absolute()),
        running=running,
        connected=connected,
        figures=found,
        troubles=last,
        live=live,
        no_live=why,
    )


def _is_connected(folder: Path) -> bool:
    try:
        return is_healthy(folder)
    except OSError as error:
        raise StoreError(f"{folder} may not be read by this user. Ask as the user that runs the bot.") from error


def _ask_metrics(config: Config) -> tuple[Live | None, str]:
    if not config.metrics_port:
        return None, "set metrics_port in the configuration to see the cards"
    address = f"http://{_host(str(config.metrics_address))}:{config.metrics_port}/metrics"
    try:
        # A proxy of the environment has no business with an address of this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=METRICS_SECONDS) as answer:
            return read_live(answer.read().decode()), ""
    except (OSError, ValueError) as error:
        return None, f"{address} does not tell them ({getattr(error, 'reason', error)})"


def _host(address: str) -> str:
    """Return where this machine reaches a server that listens there."""
    known = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
    return known.get(address, f"[{address}]" if ":" in address else address)


def read_live(text: str) -> Live:
    """Read what the metrics say. Raises ValueError on a text that is none of a bot."""
    series = [
        (sample.name, dict(sample.labels), sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]
    named = {name: value for name, labels, value in series if not labels}
    if "vivant_connected" not in named:
        raise ValueError("another program answers there")
    return Live(
        cards=_cards(series),
        phases={labels["phase"]: int(value) for labels, value in _of(series, "vivant_renders_running") if value},
        holds=[labels["cause"] for labels, value in _of(series, "vivant_hold") if value],
        invalid_requests=int(named.get("vivant_discord_invalid_requests", 0)),
        free_bytes=named.get("vivant_disk_free_bytes", 0.0),
        version=next((labels["version"] for labels, _ in _of(series, "vivant_build_info")), ""),
    )


def _of(series: list[Series], name: str) -> list[tuple[dict[str, str], float]]:
    return [(labels, value) for found, labels, value in series if found == name]


def _cards(series: list[Series]) -> list[Card]:
    told = {labels["card"]: labels for labels, _ in _of(series, "vivant_card_info")}
    values: dict[str, dict[str, float]] = {card: {} for card in told}
    for name in ("up", "memory_bytes", "memory_used_bytes", "clip_seconds"):
        for labels, value in _of(series, f"vivant_card_{name}"):
            values.setdefault(labels["card"], {})[name] = value
    return [_card(card, told.get(card, {}), found) for card, found in values.items()]


def _card(card: str, told: dict[str, str], found: dict[str, float]) -> Card:
    return Card(
        card=card,
        up=bool(found.get("up")),
        name=told.get("name", ""),
        variant=told.get("variant", ""),
        plan=told.get("plan", ""),
        memory_bytes=found.get("memory_bytes", 0.0),
        memory_used_bytes=found.get("memory_used_bytes", 0.0),
        clip_seconds=found.get("clip_seconds", 0.0),
    )


def ago(at_ms: int | None, now_s: Callable[[], float] = time.time) -> str:
    """Say how long ago that was."""
    return "now" if at_ms is None else f"{span(max(0.0, now_s() - at_ms / 1000))} ago"


def span(seconds: float) -> str:
    """Return a length of time with its two largest units: 45 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = int(seconds)
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"
