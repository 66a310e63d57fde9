"""What the bridge needs of a cluster: its nodes, and an actor for each card. Knows no Ray, so that tests need none.

Tested in tests/generator/backend/cluster/test_bridge.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Protocol

Key = tuple[int, int]
"""what names a request: job and attempt"""


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster that is alive."""

    id: str
    """a machine that joins anew gets another one"""
    name: str
    cards: int
    is_rented: bool = False
    """an autoscaler started it, and ends it when nothing is on it for a while"""


class CardLost(Exception):
    """An actor cannot be reached: it, its node or the way there is gone. Nothing it says later counts."""


class AnswerLost(Exception):
    """One answer was lost on its way, such as in a full object store; its actor lives on."""


class Unreachable(Exception):
    """The cluster cannot be used; the text says why, for the operator."""


class CardHandle(Protocol):
    """The bridge's end of an actor. Its streams raise CardLost and AnswerLost."""

    def watch(self) -> AsyncIterator[dict[str, Any]]:
        """Yield what the actor says of itself, for as long as it lives."""
        ...

    def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        """Yield what happens to one request; `Card.render` says what."""
        ...

    def cancel(self, key: Key) -> None:
        """Stop a render; its stream ends with `cancelled`."""
        ...

    def preload(self, variant: str) -> None:
        """Load a variant as soon as the card is free."""
        ...

    def beat(self) -> None:
        """Say that the bridge lives. Never waits."""
        ...

    def kill(self) -> None:
        """End the actor, wherever it is. Never waits."""
        ...


class Cluster(Protocol):
    """What Ray is to the bridge."""

    def connect(self) -> None:
        """Reach the cluster. Blocks for up to half a minute. Raises Unreachable."""
        ...

    def nodes(self) -> list[Node]:
        """Return the nodes that are alive. Blocks while the head does not answer."""
        ...

    def start_card(self, node: Node, config: dict[str, Any]) -> CardHandle:
        """Start an actor on one card of this node, and return at once."""
        ...

    def request_cards(self, count: int) -> None:
        """Ask the autoscaler for so many cards in all; 0 asks for none."""
        ...
