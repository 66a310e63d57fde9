"""Ray, as the bridge uses it. The only module that imports it; nothing of the bot's process imports this one.

Tested in tests/generator/backend/cluster/test_cluster.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import ray
from ray.autoscaler.sdk import request_resources
from ray.exceptions import RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from generator.backend.cluster.on_node.card import Card
from generator.backend.cluster.on_node.versions import own_versions
from generator.backend.cluster.seam import AnswerLost, CardLost, Key, Node, Unreachable

NAME_LABEL = "vivant-name"
RENTED_LABEL = "vivant-rented"
"""set by the operator on the machines that an autoscaler starts"""
NAMESPACE = "vivant"
_ANSWER_SECONDS = 3.0
_CALLS_AT_ONCE = 64


class RayCard:
    """The bridge's end of one actor. See `CardHandle`."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def watch(self) -> AsyncIterator[dict[str, Any]]:
        """See `CardHandle.watch`."""
        return _read(self._actor.watch.options(num_returns="streaming").remote())

    def render(self, wire: dict[str, Any], picture: bytes) -> AsyncIterator[dict[str, Any]]:
        """See `CardHandle.render`."""
        return _read(self._actor.render.options(num_returns="streaming").remote(wire, picture))

    def cancel(self, key: Key) -> None:
        """See `CardHandle.cancel`. Not `ray.cancel`: that is lost in a race with the task's start."""
        self._call("cancel", *key)

    def preload(self, variant: str) -> None:
        """See `CardHandle.preload`."""
        self._call("preload", variant)

    def beat(self) -> None:
        """See `CardHandle.beat`."""
        self._call("beat")

    def kill(self) -> None:
        """See `CardHandle.kill`."""
        with contextlib.suppress(Exception):
            ray.kill(self._actor)

    def _call(self, method: str, *arguments: object) -> None:
        with contextlib.suppress(RayError):  # its loss is heard by `watch`
            getattr(self._actor, method).options(num_returns=0).remote(*arguments)


async def _read(refs: Any) -> AsyncIterator[dict[str, Any]]:
    try:
        async for ref in refs:
            yield await ref
    except RayActorError as error:
        raise CardLost(type(error).__name__) from error
    except RayError as error:
        raise AnswerLost(f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


class RayCluster:
    """A cluster that Ray runs. See `Cluster`. `card` is the actors' class."""

    def __init__(self, address: str, card: type[Card] = Card) -> None:
        self._address = address
        self._card = ray.remote(card)

    def connect(self) -> None:
        """See `Cluster.connect`. Call it on the main thread: Ray handles signals."""
        host, _, port = self._address.rpartition(":")
        try:
            socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
        except (OSError, ValueError) as error:
            raise Unreachable(f"nothing answers at {self._address} ({error})") from error
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            # What other members of the cluster print must not get into the bot's log.
            ray.init(self._address, log_to_driver=False, configure_logging=False, namespace=NAMESPACE)
        except ConnectionError as error:
            text = f"{self._address} answers and refuses this machine: most likely its token is another one ({error})"
            raise Unreachable(text) from error
        except (RuntimeError, ValueError) as error:
            raise Unreachable(" ".join(str(error).split())) from error
        # Ray's own handler prints the stack of its C++ side. Without a farewell the actors end with their owner too.
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))

    def nodes(self) -> list[Node]:
        """See `Cluster.nodes`."""
        return [_node(wire) for wire in ray.nodes() if wire["Alive"] and wire["Resources"].get("GPU", 0) >= 1]

    def start_card(self, node: Node, config: dict[str, Any]) -> RayCard:
        """See `Cluster.start_card`. An actor that is bound to one node is no demand for a new one."""
        # No restart and no retry: what a lost actor held is the bot's to decide, before another one takes its place.
        actor = self._card.options(
            num_gpus=1,
            num_cpus=0,
            max_restarts=0,
            max_task_retries=0,
            max_concurrency=_CALLS_AT_ONCE,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return RayCard(actor.remote(config, own_versions()))

    def request_cards(self, count: int) -> None:
        """See `Cluster.request_cards`."""
        request_resources(bundles=[{"GPU": 1}] * count)


def _node(wire: dict[str, Any]) -> Node:
    labels = wire.get("Labels", {})
    name = labels.get(NAME_LABEL) or f"{wire['NodeManagerHostname']} {wire['NodeManagerAddress']}"
    return Node(wire["NodeID"], str(name), int(wire["Resources"]["GPU"]), is_rented=RENTED_LABEL in labels)


def main(address: str) -> None:
    """Print the nodes of a cluster as JSON, for the doctor."""
    cluster = RayCluster(address)
    try:
        cluster.connect()
    except Unreachable as error:
        print(json.dumps({"problem": str(error)}))  # noqa: T201
    else:
        print(json.dumps({"nodes": [(node.name, node.cards) for node in cluster.nodes()]}))  # noqa: T201
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
