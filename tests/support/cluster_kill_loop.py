"""SIGKILL at random instants to all that a cluster consists of, while people keep asking and replies are lost."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from pathlib import Path

import psutil

from bot.sandbox.world.standard import OLGA, PICTURES
from tests.support.edge import until
from tests.support.kill_loop import KillLoop, Outcome
from tests.support.local_backend import is_gone
from tests.support.ray_nodes import RayNode, RayNodes

KINDS = {
    "executor": 10,
    "actor": 8,
    "raylet": 4,
    "raylet-and-bridge": 2,
    "node": 4,
    "head": 1,
    "bridge": 5,
    "bot": 6,
    "stopped-bridge": 2,
}
"""how often each is drawn"""
READY_SHARE = 0.8
"""of the kills; they wait until an executor is there, the others hit whatever is on its way up"""
MEAN_SECONDS = 0.8
WATCHED_SECONDS = 60.0
LOST_SECONDS = 7.0
"""for which they hang; Ray counts the node as lost meanwhile"""


class ClusterKillLoop(KillLoop):
    """A KillLoop whose bot renders on the nodes of a cluster; see `run`."""

    settle_seconds = 300.0

    def __init__(self, folder: Path, seed: int, nodes: RayNodes, card: str = "FakeCard") -> None:
        super().__init__(folder, seed)
        self.command = (*self.command, card)
        self.environment |= {
            "VIVANT_CLUSTER__ADDRESS": nodes.address,
            "VIVANT_CLUSTER__TOKEN_FILE": str(nodes.token_file),
            "VIVANT_QUEUE__MAX_ATTEMPTS": "10",
        }
        self.nodes = nodes
        self.killed: Counter[str] = Counter()
        self.orphans: list[psutil.Process] = []
        """actors and executors of nodes whose raylet was killed: each must end by itself"""
        self.orphan_seconds = 0.0
        """the longest that one of them lived on"""
        self._watching: list[asyncio.Task[None]] = []
        self._names = itertools.count(1)

    async def run(self, kills: int) -> Outcome:
        """Kill `kills` times, let everything settle, count, and stop the bot."""
        outcome = await super().run(kills)
        await self.kill_bot()
        await asyncio.gather(*self._watching)
        return outcome

    async def random_instant(self) -> None:
        """Wait for any moment: mostly while clips are rendered, sometimes while something starts."""
        if self.random.random() < READY_SHARE:
            await until(lambda: any(node.executors for node in self.workers()), "an executor", timeout=120)
        await asyncio.sleep(self.random.expovariate(1 / MEAN_SECONDS))

    async def kill(self) -> None:
        """Kill one thing, start again what nobody else does, and let the owner resume now and then."""
        [kind] = self.random.choices(list(KINDS), list(KINDS.values()))
        self.killed[kind] += 1
        match kind:
            case "executor" | "actor":
                node = self.random.choice(self.workers())
                await asyncio.to_thread(kill_all, node.executors if kind == "executor" else node.actors)
                self.outcome.kills_executor += 1
            case "raylet" | "raylet-and-bridge" | "node":
                await self._kill_node(self.random.choice(self.workers()), kind)
            case "head":
                await asyncio.to_thread(self._restart_everything)
            case "bridge" | "stopped-bridge":
                await self._kill_bridges(stop_first=kind == "stopped-bridge")
            case "bot":
                await self.kill_bot()
                self.outcome.kills_bot += 1
        if self.random.random() < 0.2:
            with contextlib.suppress(Exception):  # the bot may just be away
                await self.sandbox.world.invoke(OLGA, PICTURES, "admin resume")

    def workers(self) -> list[RayNode]:
        """Return the nodes that have a card."""
        return [node for name, node in self.nodes.nodes.items() if name != "head"]

    async def _kill_node(self, node: RayNode, kind: str) -> None:
        left = [*node.actors, *node.executors]
        if kind == "node":
            await asyncio.to_thread(node.kill)
        else:
            doomed = node.named("raylet/raylet")
            bridges = await asyncio.to_thread(self.nodes.bridges) if kind == "raylet-and-bridge" else []
            if bridges:  # whoever would end the lost node's actors hangs: the bridge, and what started the raylet
                stop_all([*bridges, psutil.Process(node.process.pid)])
            kill_all(doomed)
            self.orphans += left
            self._watching.append(asyncio.create_task(self._watch(left)))
            await asyncio.sleep(LOST_SECONDS if bridges else 0)
            kill_all(bridges)
            node.process.kill()
            await asyncio.to_thread(node.process.wait)
        self.nodes.nodes.pop(node.name)
        await asyncio.to_thread(self.nodes.add, f"n{next(self._names)}")

    async def _watch(self, orphans: list[psutil.Process]) -> None:
        began = time.monotonic()
        while not all(is_gone(orphan.pid) for orphan in orphans) and time.monotonic() - began < WATCHED_SECONDS:
            await asyncio.sleep(0.1)
        self.orphan_seconds = max(self.orphan_seconds, time.monotonic() - began)

    def _restart_everything(self) -> None:
        """Kill the head, and start it and every node again, as their service managers do."""
        names = [node.name for node in self.workers()]
        for name in ["head", *names]:
            self.nodes.remove(name)
        self.nodes.add("head")
        for _ in names:
            self.nodes.add(f"n{next(self._names)}")

    async def _kill_bridges(self, *, stop_first: bool) -> None:
        bridges = await asyncio.to_thread(self.nodes.bridges)
        if stop_first:
            stop_all(bridges)
            await asyncio.sleep(self.random.uniform(0.1, 3.0))
        kill_all(bridges)

    async def left_processes(self, seconds: float = 60.0) -> list[str]:
        """Return what still runs of bridges, actors and executors after a while; the bot is stopped by then."""

        def left() -> list[psutil.Process]:
            found = [process for node in self.workers() for process in [*node.actors, *node.executors]]
            return [*found, *self.nodes.bridges(), *(item for item in self.orphans if not is_gone(item.pid))]

        with contextlib.suppress(AssertionError, TimeoutError):
            await until(lambda: not left(), "everything gone", timeout=seconds)
        return [f"{process.pid} {process.name()}" for process in left()]

    def left_files(self) -> list[Path]:
        """Return the pictures and clips that are left on nodes and between bot and bridge."""
        exchange = list((self.folder / "cluster").glob("*"))
        return [path for path in [*self.nodes.left_files(), *exchange] if path.exists()]


def stop_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
