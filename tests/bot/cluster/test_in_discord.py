"""What people and the owner see of a cluster in Discord: with the whole bot, and a cluster that is told what it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bot.cluster import capacity as capacity_module
from bot.sandbox.server import Sandbox
from bot.sandbox.world.standard import ADA, DIRECT_OLGA, OLGA, PICTURES
from generator.backend.backend import ExecutorState
from tests.support.edge import png, running_edge, until
from tests.support.fakes import Act, FakeBackend

CLUSTER = {"cluster": {"address": "10.0.0.5:6379"}}


class ToldCluster(FakeBackend):
    """A backend whose cards a test adds and takes away."""

    def __init__(self, on_state: Any) -> None:
        super().__init__(usual=Act(steps=2), slots=0, at_once=100)
        self.on_state = on_state
        self.executors = self.connected = self.resumed = 0
        self.left_out: frozenset[str] = frozenset()

    def has(self, cards: int, *left_out: str) -> None:
        self.slots = self.encoders = 2 * cards
        self.executors = self.connected = cards
        self.left_out = frozenset(left_out)
        self.on_state(ExecutorState.READY, self.describe())

    def describe(self) -> dict[str, Any]:
        return {"device": "cluster", "nodes": [{"node": "upstairs", "state": f"{self.executors} ready"}]}

    def resume(self) -> None:
        self.resumed += 1

    def want(self, jobs: int, seconds: float) -> None:
        raise AssertionError("nothing is rented")


async def test_a_request_is_kept_while_no_card_is_connected_and_rendered_by_the_first_that_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity_module, "NO_CARD_SECONDS", 0.05)
    made: list[ToldCluster] = []

    def make(config: object, options: object, *, on_state: Any) -> ToldCluster:
        made.append(ToldCluster(on_state))
        return made[-1]

    async with Sandbox() as sandbox, running_edge(tmp_path, sandbox, config=CLUSTER, cluster=make) as edge:
        [cluster] = made
        await edge.world.invoke(ADA, PICTURES, "animate", {}, {"image": png()})

        def shown() -> str:
            return str(edge.world.messages_for(ADA, PICTURES))

        await until(lambda: "No graphics card is connected just now" in shown(), "the card says so")
        assert edge.backend.requests == [] == cluster.requests, "no process of this machine renders instead"
        cluster.has(1)
        await until(lambda: ".mp4" in shown(), "the clip")
        assert "No graphics card" not in shown()
        told = await edge.answer(await edge.invoke("admin status", actor=OLGA), actor=OLGA)
        assert "Machine upstairs: state 1 ready" in told
        cluster.has(1, "cellar")
        [message] = await until(lambda: edge.world.messages_for(OLGA, DIRECT_OLGA), "a message to the owner")
        assert "cellar" in message["content"]
        await edge.answer(await edge.invoke("admin resume", actor=OLGA), actor=OLGA)
        assert cluster.resumed == 1
