"""Workers, times and people follow the cards of a cluster: with a real store and gate, and a backend that is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bot.cluster import capacity as capacity_module
from bot.cluster.capacity import Capacity, Followers, ask_for_cards, cluster_options
from bot.config import Config
from bot.queue.store import JobStore
from bot.texts.explanations import explain_hold
from bot.work.crew import Crew
from bot.work.gate import Gate, HoldCause
from generator.backend.backend import ExecutorState
from tests.support.jobs import opened
from tests.support.local_backend import eventually

CONFIG = Config(cluster={"address": "10.0.0.5:6379"})


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_module, "NO_CARD_SECONDS", 0.05)


class ToldBackend:
    """What the capacity reads of a ClusterBackend."""

    def __init__(self, config: object, options: object, *, on_state: Any) -> None:
        self.on_state = on_state
        self.executors = self.connected = self.resumed = 0
        self.left_out: frozenset[str] = frozenset()
        self.wanted: list[tuple[int, float]] = []

    def say(self, executors: int, connected: int | None = None, left_out: frozenset[str] = frozenset()) -> None:
        self.executors, self.connected = executors, executors if connected is None else connected
        self.left_out = left_out
        self.on_state(ExecutorState.READY, {"nodes": [{"node": "a", "state": "1 ready"}]})

    def resume(self) -> None:
        self.resumed += 1

    def want(self, jobs: int, seconds: float) -> None:
        self.wanted.append((jobs, seconds))


@dataclass
class Scene:
    store: JobStore
    gate: Gate = field(default_factory=Gate)
    crew: Crew = field(default_factory=Crew)
    told: list[str] = field(default_factory=list)

    def capacity(self, config: Config = CONFIG, **more: Any) -> tuple[Capacity, ToldBackend]:
        capacity = Capacity(config, ToldBackend, "demo", **more)  # type: ignore[arg-type]
        capacity.attach(
            Followers(
                jobs=self.store.jobs,
                crew=self.crew,
                gate=self.gate,
                on_hold=lambda: self.told.append("hold"),
                on_left_out=self.told.append,
            )
        )
        assert isinstance(capacity.backend, ToldBackend)
        return capacity, capacity.backend


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as store:
        yield Scene(store)


async def test_times_and_the_share_of_one_person_follow_the_cards(scene: Scene) -> None:
    _, backend = scene.capacity()
    backend.say(8)
    assert scene.store.jobs.executors == 8
    backend.say(0)
    assert scene.store.jobs.executors == 1, "nobody divides by nothing"


async def test_cards_of_this_machine_count_too(scene: Scene) -> None:
    _, backend = scene.capacity(local_executors=2)
    backend.say(3)
    assert scene.store.jobs.executors == 5
    backend.say(0)
    await asyncio.sleep(0.1)
    assert scene.gate.hold is None


async def test_people_are_told_that_no_card_is_there_and_it_goes_on_by_itself(scene: Scene) -> None:
    _, backend = scene.capacity()
    await eventually(lambda: scene.gate.hold is not None)
    assert scene.gate.hold is not None and scene.gate.hold.cause is HoldCause.NO_CARD
    assert "No graphics card is connected just now" in explain_hold(scene.gate.hold)
    backend.say(0, connected=1)  # it loads
    assert scene.gate.hold is None and scene.told == ["hold", "hold"]


async def test_a_bridge_that_is_back_at_once_alarms_nobody(scene: Scene) -> None:
    _, backend = scene.capacity()
    backend.say(1)
    backend.say(0)
    backend.say(1)
    await asyncio.sleep(0.1)
    assert scene.told == [] and scene.gate.hold is None


async def test_workers_are_woken_by_every_change(scene: Scene) -> None:
    _, backend = scene.capacity()
    waiting = asyncio.create_task(scene.crew.wait_for_change())
    await asyncio.sleep(0)
    backend.say(1)
    await asyncio.wait_for(waiting, 1)
    assert waiting.done()


async def test_the_owner_is_told_once_of_each_node_that_is_left_out_and_resume_reaches_the_bridge(scene: Scene) -> None:
    _, backend = scene.capacity()
    backend.say(1, left_out=frozenset({"b"}))
    backend.say(1, left_out=frozenset({"b"}))
    assert scene.told == ["b"]
    scene.crew.resume()
    assert backend.resumed == 1


async def test_an_empty_queue_asks_for_no_card(scene: Scene) -> None:
    _, backend = scene.capacity()
    await ask_for_cards(backend, scene.store.jobs)  # type: ignore[arg-type]
    assert backend.wanted == [(0, 0.0)]


def test_the_bridge_of_another_account_gets_a_folder_that_it_can_reach() -> None:
    own = cluster_options(CONFIG)
    assert own.exchange_folder.is_relative_to(CONFIG.data_dir) and own.owner is None
    other = cluster_options(Config(cluster={"address": "10.0.0.5:6379", "user": "nobody"}))
    assert not other.exchange_folder.is_relative_to(CONFIG.data_dir) and other.owner is not None
