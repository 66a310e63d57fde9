"""The bridge's process: sets itself up, reads its configuration and runs the bridge. Knows no requests.

Tested in tests/generator/backend/cluster/test_cluster.py.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import threading
from typing import Any, NoReturn

from generator.backend.cluster.bridge import Bridge, BridgeLimits
from generator.backend.cluster.on_node.card import Card
from generator.backend.cluster.seam import Cluster
from generator.executor.events import EventWriter
from generator.process.confine import hide_memory
from generator.process.lifeline import die_with_parent, guard_group, take_stdout
from generator.protocol import PROTOCOL_VERSION, from_line

FAILED_STATUS = 70  # EX_SOFTWARE: the bot starts another one


def main(card: type[Card] = Card) -> None:
    """Speak for a cluster: read requests from stdin and write events to stdout, until stdin ends."""
    guard_group()
    hide_memory()
    options = _options()
    events = EventWriter(take_stdout())
    first = sys.stdin.buffer.readline()
    if not first:
        return
    config = from_line(first)
    die_with_parent(int(config.pop("parent")))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    events.write("hello", protocol=PROTOCOL_VERSION)
    limits = BridgeLimits(most_cards=options.most_cards, most_rented=options.most_rented)
    cluster = _cluster(options.address, events, card)
    try:
        asyncio.run(_run(Bridge(cluster, config, events.write, limits)))
    except Exception:
        logging.getLogger(__name__).exception("the bridge failed")
    os._exit(FAILED_STATUS)  # the reader's thread holds stdin, at which Python would stumble


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True, help="HOST:PORT of the cluster's head")
    parser.add_argument("--most-cards", type=int, default=64)
    parser.add_argument("--most-rented", type=int, default=0)
    return parser.parse_args()


def _cluster(address: str, events: EventWriter, card: type[Card]) -> Cluster:
    try:
        from generator.backend.cluster.ray_cluster import RayCluster
    except ImportError as error:
        events.write("fatal", text=f"Ray cannot be imported ({error}): pip install 'vivant[cluster]'")
        sys.exit(os.EX_CONFIG)
    return RayCluster(address, card)


async def _run(bridge: Bridge) -> None:
    running = asyncio.create_task(bridge.run())
    reader = threading.Thread(target=_read, args=(bridge, asyncio.get_running_loop()), name="reader", daemon=True)
    reader.start()  # what it reads is handled once the loop is free, and the bridge runs then
    await running


def _read(bridge: Bridge, loop: asyncio.AbstractEventLoop) -> NoReturn:
    """Hand the bot's lines to the bridge. At their end the actors end with this process."""
    for line in sys.stdin.buffer:
        wire: dict[str, Any] = from_line(line)
        loop.call_soon_threadsafe(bridge.handle, wire)
    os._exit(0)


if __name__ == "__main__":
    main()
