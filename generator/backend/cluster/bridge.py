"""The bridge: takes the bot's requests, gives each to a card of the cluster, and tells the bot what becomes of it.

It never renders twice and keeps nothing on disk: a loss is one `failed` line, and the bot decides. Knows no Ray.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from generator.backend.cluster.answers import judge, node_lost, with_node
from generator.backend.cluster.arriving import ArrivingFiles
from generator.backend.cluster.demand import COOL_DOWN_SECONDS, Demand
from generator.backend.cluster.exchange import disk_error
from generator.backend.cluster.hosts import LEAVES, Host, Relay, choose, count_missing, describe, unneeded
from generator.backend.cluster.losses import Losses
from generator.backend.cluster.on_node.fence import BEAT_SECONDS
from generator.backend.cluster.seam import AnswerLost, CardLost, Cluster, Key, Node, Unreachable
from generator.errors import ExecutorLost, RenderError

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""until a node that joins is seen"""
REST_SECONDS = 3.0
"""after an actor that did not get ready: its node may be dying, which Ray tells within 2 s"""
RETRY_SECONDS = 5.0
"""between two tries to reach the cluster"""
_HEAD_SECONDS = 10.0
"""the head answers within milliseconds, or it is gone"""
Say = Callable[..., None]
"""writes one line to the bot: its kind, and its keys"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLimits:
    """What the operator allows."""

    most_cards: int
    most_rented: int
    """cards that an autoscaler may be asked for; 0: never ask"""
    cool_down_seconds: float = COOL_DOWN_SECONDS


class Bridge:
    """Speaks for every card of a cluster. Run it on one event loop; `handle` takes the bot's lines."""

    def __init__(self, cluster: Cluster, config: dict[str, Any], say: Say, limits: BridgeLimits) -> None:
        self._cluster = cluster
        self._config = config
        self._say = say
        self._limits = limits
        self._hosts: list[Host] = []
        self._relays: dict[Key, Relay] = {}
        self._losses = Losses(time.monotonic)
        self._demand = Demand(limits.most_rented, limits.cool_down_seconds)
        self._nodes: list[Node] = []
        self._leaving: set[str] = set()
        """ids of the nodes that take nothing more"""
        self._rests: dict[str, float] = {}
        """by a node's id: until when nothing is started there, because an actor did not even get ready"""
        self._told: dict[str, Any] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Connect, and keep an actor on each card, until cancelled. Until it is connected it tells the bot why not."""
        async with asyncio.TaskGroup() as self._tasks:
            await self._connect()
            if self._limits.most_rented:
                self._cluster.request_cards(0)  # what an earlier bridge asked for would hold for ever
            self._tasks.create_task(self._beat())
            while True:
                await self._look_for_nodes()
                self._release_rented()
                self._reconcile()
                self._tell()
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), POLL_SECONDS)

    def handle(self, wire: dict[str, Any]) -> None:
        """Do what a line of the bot says. Unknown kinds are ignored."""
        match wire["type"]:
            case "render":
                relay = Relay(wire)
                self._relays[relay.key] = relay
                relay.task = self._tasks.create_task(self._relay(relay))
            case "cancel":
                self._cancel((int(wire["job"]), int(wire["attempt"])))
            case "preload":
                self._preload(str(wire["variant"]))
            case "resume":
                self._losses.resume()
                self._changed.set()
            case "want" if self._limits.most_rented:
                wanted = self._demand.update(
                    jobs=int(wire["jobs"]), work_seconds=float(wire["seconds"]), now=time.monotonic()
                )
                self._cluster.request_cards(wanted)

    # -- the cards

    async def _connect(self) -> None:
        while True:
            try:
                self._cluster.connect()
            except Unreachable as error:
                text = f"the cluster cannot be used: {error}"
                log.error("%s", text)
                self._say("broken", error={"code": "cluster", "text": text})
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def _beat(self) -> None:
        while True:
            for host in self._hosts:
                host.card.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def _look_for_nodes(self) -> None:
        """Read the nodes in a thread: it blocks for up to a minute when the head is gone, and renders go on."""
        try:
            async with asyncio.timeout(_HEAD_SECONDS):
                self._nodes = await asyncio.to_thread(self._cluster.nodes)
        except TimeoutError:
            log.warning("the cluster's head does not answer; what runs goes on")

    def _reconcile(self) -> None:
        """Start an actor on each card that has none, as far as the operator allows."""
        for node in self._nodes:
            if self._losses.is_left_out(node.name) or node.id in self._leaving:
                continue
            if time.monotonic() < self._rests.get(node.id, 0.0):
                continue
            for _ in range(count_missing(node, self._hosts, self._limits.most_cards, self._demand.wanted)):
                host = Host(node, self._cluster.start_card(node, self._config))
                self._hosts.append(host)
                self._tasks.create_task(self._watch(host))

    def _release_rented(self) -> None:
        for host in unneeded(self._hosts, self._demand.wanted):
            host.state = "released"
            host.card.kill()

    async def _watch(self, host: Host) -> None:
        try:
            async for said in host.card.watch():
                host.note(str(said["state"]), said["facts"])
                log.info("a card of %s is %s %s", host.node.name, host.state, host.problem)
                self._let_go_of_leaving(host)
                self._tell()
        except (CardLost, AnswerLost) as error:
            log.warning("a card of %s is lost: %s", host.node.name, error)
        finally:
            self._lose(host)

    def _let_go_of_leaving(self, host: Host) -> None:
        """End an actor whose node wants to leave, as soon as it has nothing to do: then the node can go."""
        if host.state == "leaving" and not self._losses.is_left_out(host.node.name):
            self._leaving.add(host.node.id)
        if host.state == "leaving" and not host.relays:
            host.card.kill()

    def _lose(self, host: Host) -> None:
        """Forget a host whose actor is lost, or cannot be reached any more: then it must not go on."""
        if host not in self._hosts:
            return
        self._hosts.remove(host)
        host.card.kill()
        for relay in host.relays.values():
            if relay.task is not None and relay.task is not asyncio.current_task():
                relay.task.cancel()
        if host.state not in LEAVES:
            self._note_loss(host)
        if not host.facts:
            self._rests[host.node.id] = time.monotonic() + REST_SECONDS
        self._tell()
        self._changed.set()

    def _note_loss(self, host: Host) -> None:
        if not self._losses.note_node(host.node.name):
            return
        log.error("%s is left out: it was lost again and again", host.node.name)
        for other in self._hosts:
            if other.node.name == host.node.name:
                other.state = "leaving"
                self._let_go_of_leaving(other)

    def _tell(self) -> None:
        """Tell the bot how much it may send, and of every node; nothing when nothing of it is new."""
        told = describe(self._hosts, self._losses.left_out, self._config.get("preload"))
        if told != self._told:
            self._told = told
            self._say("ready", **told)

    def _preload(self, variant: str) -> None:
        self._config["preload"] = variant
        for host in self._hosts:
            host.card.preload(variant)

    # -- one request

    async def _relay(self, relay: Relay) -> None:
        """Give one request to a host and answer it exactly once."""
        try:
            kind, body = await self._carry(relay)
        except asyncio.CancelledError:
            if relay.host is None or relay.host in self._hosts:
                raise
            kind, body = "failed", {"error": self._lost_with(relay.host, relay, "gone").to_wire()}
        except RenderError as error:
            kind, body = "failed", {"error": error.to_wire()}
        except OSError as error:
            kind, body = "failed", {"error": disk_error(error).to_wire()}
        finally:
            del self._relays[relay.key]
            if relay.host is not None:
                del relay.host.relays[relay.key]
                self._let_go_of_leaving(relay.host)
        if kind == "rendered":
            self._losses.forget_job(relay.key[0])
        self._say(kind, job=relay.key[0], attempt=relay.key[1], **body)

    async def _carry(self, relay: Relay) -> tuple[str, dict[str, Any]]:
        host = choose(self._hosts, relay)
        if host is None:  # it left while the request was on its way
            raise node_lost("no card of the cluster can begin it", detail="NoCard", innocent=True)
        relay.host = host
        host.relays[relay.key] = relay
        picture = await asyncio.to_thread(Path(relay.wire["picture_path"]).read_bytes)
        if relay.cancelled:
            return "cancelled", {}
        try:
            with ArrivingFiles(relay.wire) as files:
                async for event in host.card.render(relay.wire, picture):
                    if (answer := await self._pass_on(relay, event, files)) is not None:
                        return answer
            raise node_lost("the stream ended without an answer", host.node.name, "EndOfStream", innocent=True)
        except CardLost as error:
            self._lose(host)
            raise self._lost_with(host, relay, str(error)) from error
        except AnswerLost as error:
            raise self._lost_with(host, relay, str(error)) from error

    def _lost_with(self, host: Host, relay: Relay, detail: str) -> ExecutorLost:
        innocent = not relay.begun or self._losses.is_innocent(relay.key[0])
        return node_lost(f"{host.node.name} is lost ({detail})", host.node.name, detail, innocent=innocent)

    async def _pass_on(
        self, relay: Relay, event: dict[str, Any], files: ArrivingFiles
    ) -> tuple[str, dict[str, Any]] | None:
        """Do what an event of the actor says. Return the request's answer when it is one."""
        match event.pop("type"):
            case "progress":
                relay.begun = True
                relay.encoding = event["phase"] == "encode"
                self._say("progress", job=relay.key[0], attempt=relay.key[1], **event)
                return None
            case "part":
                await asyncio.to_thread(files.write, event["of"], event["bytes"])
                return None
            case "rendered":
                return "rendered", files.keep(event["facts"])
            case "failed":
                return "failed", {"error": self._judge(relay, event["error"])}
            case "cancelled" if relay.cancelled:
                return "cancelled", {}
            case kind:
                raise CardLost(f"it said {kind!r} unasked")

    def _judge(self, relay: Relay, error: dict[str, Any]) -> dict[str, Any]:
        """Return what the bot hears of a failure."""
        host = relay.host
        assert host is not None
        if error["code"] != ExecutorLost.code:
            return judge(self._hosts, host, relay, error)
        self._note_loss(host)
        return with_node(error, host.node.name)

    def _cancel(self, key: Key) -> None:
        relay = self._relays.get(key)
        if relay is None:
            return
        relay.cancelled = True
        if relay.host is not None:
            relay.host.card.cancel(key)
