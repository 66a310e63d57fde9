"""The bridge's record of each actor: what it is doing, what it has, and which of them takes a request. Pure."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from generator.backend.cluster.seam import CardHandle, Key, Node
from generator.backend.local_backend import ENCODERS, SLOTS

LEAVES = ("leaving", "released")
"""states of a card that takes nothing more: its node wants to leave, or it is rented and not needed"""
_DISCONNECTED = ("mismatch", "restarting", "broken", *LEAVES)
"""states of a card that can begin nothing, and will not by itself soon"""


@dataclass(slots=True, eq=False)
class Relay:
    """A request on its way through the bridge."""

    wire: dict[str, Any]
    host: Host | None = None
    begun: bool = False
    encoding: bool = False
    """its frames are rendered: it holds the card no longer"""
    cancelled: bool = False
    task: asyncio.Task[None] | None = None

    @property
    def key(self) -> Key:
        """Return what names it: job and attempt."""
        return int(self.wire["job"]), int(self.wire["attempt"])

    @property
    def variant(self) -> str:
        """Return the variant that it is to be rendered with."""
        return str(self.wire["settings"]["variant"])


@dataclass(slots=True, eq=False)
class Host:
    """One actor, and what it said of itself."""

    node: Node
    card: CardHandle
    state: str = "starting"
    facts: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    relays: dict[Key, Relay] = field(default_factory=dict)
    refused: set[str | int] = field(default_factory=set)
    """variants that it cannot load, and jobs that do not fit its memory"""

    @property
    def is_ready(self) -> bool:
        """Whether it may begin a request now."""
        return self.state == "ready"

    @property
    def is_connected(self) -> bool:
        """Whether it renders or will soon."""
        return self.state not in _DISCONNECTED

    @property
    def before_encoding(self) -> int:
        """Return how many of its requests hold or will hold the card."""
        return sum(not relay.encoding for relay in self.relays.values())

    def note(self, state: str, facts: dict[str, Any]) -> None:
        """Note what the actor said of itself."""
        if self.state not in LEAVES:
            self.state = state
        if state == "ready":
            self.facts, self.problem = facts, str(facts.get("problem", ""))
        elif state == "broken":
            error = facts.get("error") or {}
            self.problem = str(error.get("text") or "the executor hangs in the kernel; its card needs a reboot")
        elif state == "restarting":
            self.problem = f"its executor is started again ({facts.get('cause')}: {facts.get('detail')})"
        elif state == "mismatch":
            self.problem = str(facts["problem"])

    def may_take(self, relay: Relay) -> bool:
        """Tell whether it can render this request at all."""
        return self.is_ready and relay.variant not in self.refused and relay.key[0] not in self.refused


def choose(hosts: Iterable[Host], relay: Relay) -> Host | None:
    """Return the host for a request: the least busy one, of these one that has its variant loaded; None: none can."""
    able = [host for host in hosts if host.may_take(relay)]
    if not able:
        return None

    def busy(host: Host) -> tuple[int, bool, int]:
        return host.before_encoding, host.facts.get("variant") != relay.variant, len(host.relays)

    return min(able, key=busy)


def rented(hosts: Iterable[Host]) -> list[Host]:
    """Return the hosts on cards that an autoscaler started."""
    return [host for host in hosts if host.node.is_rented]


def unneeded(hosts: Iterable[Host], wanted: int) -> list[Host]:
    """Return the idle rented hosts beyond those that are `wanted`: a node with an actor is never given back."""
    found = rented(hosts)
    idle = [host for host in found if not host.relays]
    return idle[: max(0, len(found) - wanted)]


def count_missing(node: Node, hosts: Collection[Host], most: int, wanted: int) -> int:
    """Return how many actors to start on a node: `most` are allowed in all, and `wanted` on rented cards."""
    missing = min(node.cards - sum(host.node.id == node.id for host in hosts), most - len(hosts))
    return min(missing, wanted - len(rented(hosts))) if node.is_rented else missing


def describe(hosts: Collection[Host], left_out: list[str], variant: str | None) -> dict[str, Any]:
    """Return the keys of a `ready` line: how much the bot may send, and what it may know of every node."""
    facts = {"device": "cluster", "variant": variant, "nodes": describe_nodes(hosts, left_out)}
    return {"facts": facts, "left_out": left_out, **capacity(hosts)}


def capacity(hosts: Iterable[Host]) -> dict[str, int]:
    """Return the numbers of a `ready` line: what the bot may send, and for how many cards."""
    found = list(hosts)
    ready = sum(host.is_ready for host in found)
    connected = sum(host.is_connected for host in found)
    return {"slots": SLOTS * ready, "encoders": ENCODERS * ready, "executors": ready, "connected": connected}


def describe_nodes(hosts: Iterable[Host], left_out: Iterable[str]) -> list[dict[str, Any]]:
    """Return one entry for each node, as `/admin status` shows it: its cards, their states, what is wrong."""
    by_node: dict[str, list[Host]] = {}
    for host in hosts:
        by_node.setdefault(host.node.name, []).append(host)
    entries = [_describe(name, of_node) for name, of_node in sorted(by_node.items())]
    return entries + [{"node": name, "state": "left out: it was lost again and again"} for name in sorted(left_out)]


def _describe(name: str, hosts: list[Host]) -> dict[str, Any]:
    states = [host.state for host in hosts]
    cards = [str(host.facts["name"]) for host in hosts if "name" in host.facts]
    entry: dict[str, Any] = {
        "node": name,
        "state": ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states))),
        "cards": ", ".join(f"{cards.count(card)} x {card}" for card in sorted(set(cards))),
        "running": sum(len(host.relays) for host in hosts),
    }
    for key in ("variant", "vram_gib", "torch"):
        values = sorted({str(host.facts[key]) for host in hosts if host.facts.get(key) is not None})
        entry |= {key: "/".join(values)} if values else {}
    problems = sorted({host.problem for host in hosts if host.problem})
    return entry | ({"problem": "; ".join(problems)} if problems else {})
