"""What the bot hears of an attempt that failed on a node: what it costs, and whether another card may do it. Pure.

Tested in tests/generator/backend/cluster/test_bridge.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from generator.backend.cluster.hosts import Host, Relay, choose
from generator.errors import ExecutorLost, OutOfMemory, WeightsUnavailable


def node_lost(text: str, node: str = "", detail: str = "", *, innocent: bool) -> ExecutorLost:
    """Build the error of a request whose node was lost, or that no node could begin."""
    return ExecutorLost(text, cause="node", detail=detail, node=node, innocent=innocent)


def with_node(error: dict[str, Any], node: str) -> dict[str, Any]:
    """Return the loss of an executor with its node's name. An actor that closes does not close the bot's backend."""
    cause = error["data"].get("cause")
    return error | {"data": error["data"] | {"node": node, "cause": "node" if cause == "closed" else cause}}


def judge(hosts: Iterable[Host], host: Host, relay: Relay, error: dict[str, Any]) -> dict[str, Any]:
    """Note on the host what it cannot do. Return the error; an innocent loss where another card may do it."""
    if error["code"] == WeightsUnavailable.code:
        host.refused.add(relay.variant)
    elif error["code"] == OutOfMemory.code:
        host.refused.add(relay.key[0])
    else:
        return error
    host.problem = str(error["text"])
    if choose(hosts, relay) is None:
        host.refused -= {relay.variant, relay.key[0]}  # nobody can: the next request may find it mended
        return error
    return node_lost(f"{host.node.name} cannot: {error['text']}", host.node.name, "cannot", innocent=True).to_wire()
