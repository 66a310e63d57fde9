"""The bridge with a cluster that plays a script: each request has one answer, whatever its actor and its node do."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from generator.backend.cluster import bridge as bridge_module
from generator.backend.cluster.bridge import Bridge, BridgeLimits
from generator.backend.cluster.losses import MOST_LOSSES
from generator.backend.cluster.seam import AnswerLost, CardLost, Node
from generator.errors import DiskFull, OutOfMemory, RenderCrashed, WeightsUnavailable
from generator.protocol import from_line, to_line
from tests.support.fake_cluster import A_CLIP, READY, RENDERED, FakeActor, FakeCluster
from tests.support.fakes import a_request
from tests.support.local_backend import eventually

A, B = Node("1", "a", 1), Node("2", "b", 1)


class Bot:
    """The bot's end of the pipe, and the cluster at the other one."""

    def __init__(self, cluster: FakeCluster, folder: Path, limits: BridgeLimits) -> None:
        self.cluster, self.folder = cluster, folder
        self.heard: list[dict[str, Any]] = []
        self.bridge = Bridge(cluster, {"preload": "demo"}, self._say, limits)

    def _say(self, kind: str, **keys: Any) -> None:
        self.heard.append(from_line(to_line(kind, **keys)))

    async def ready(self, count: int) -> list[FakeActor]:
        """Let each actor get ready, and return them."""
        await eventually(lambda: len(self.living()) == count, 5)
        for actor in self.living():
            actor.said.put_nowait(dict(READY))
        await eventually(lambda: self.told("ready")[-1]["executors"] == count, 5)
        return self.living()

    def living(self) -> list[FakeActor]:
        return [actor for actor in self.cluster.actors if not actor.is_killed]

    def told(self, *kinds: str) -> list[dict[str, Any]]:
        return [line for line in self.heard if line["type"] in kinds]

    async def render(self, job: int, attempt: int = 1, **settings: Any) -> FakeActor:
        """Send a request, and return the actor that got it."""
        self.bridge.handle(from_line(to_line("render", a_request(self.folder, job, attempt=attempt, **settings))))
        key = job, attempt
        await eventually(
            lambda: bool([*self._with(key), *(line for line in self.answers(job) if line["attempt"] == attempt)])
        )
        return next(iter(self._with(key)), self.cluster.actors[0])

    def _with(self, key: tuple[int, int]) -> list[FakeActor]:
        return [actor for actor in self.cluster.actors if key in actor.events]

    def answers(self, job: int) -> list[dict[str, Any]]:
        return [line for line in self.told("rendered", "failed", "cancelled") if line["job"] == job]

    async def answer(self, job: int) -> dict[str, Any]:
        await eventually(lambda: bool(self.answers(job)), 5)
        [answer] = self.answers(job)
        return answer


@asynccontextmanager
async def bot(folder: Path, *nodes: Node, most_cards: int = 9, most_rented: int = 0) -> AsyncIterator[Bot]:
    limits = BridgeLimits(most_cards=most_cards, most_rented=most_rented, cool_down_seconds=0.0)
    found = Bot(FakeCluster(*nodes), folder, limits)
    running = asyncio.create_task(found.bridge.run())
    try:
        yield found
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge_module, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(bridge_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(bridge_module, "BEAT_SECONDS", 0.02)


async def test_slots_follow_the_cards_that_are_ready(tmp_path: Path) -> None:
    async with bot(tmp_path, A, Node("2", "b", 2)) as it:
        await it.ready(3)
        assert {key: it.told("ready")[-1][key] for key in ("slots", "encoders", "executors", "connected")} == {
            "slots": 6,
            "encoders": 6,
            "executors": 3,
            "connected": 3,
        }
        it.cluster.alive.pop()
        for actor in it.cluster.actors[1:]:
            actor.die()
        await eventually(lambda: it.told("ready")[-1]["executors"] == 1)
        assert it.told("ready")[-1]["slots"] == 2
        await eventually(lambda: it.cluster.actors[0].beats > 1)


async def test_no_more_cards_are_used_than_the_operator_allows(tmp_path: Path) -> None:
    async with bot(tmp_path, Node("1", "a", 5), most_cards=2) as it:
        await it.ready(2)
        await asyncio.sleep(0.1)
        assert len(it.cluster.actors) == 2


async def test_a_request_goes_to_the_least_busy_card_and_its_clip_comes_back(tmp_path: Path) -> None:
    async with bot(tmp_path, A, B) as it:
        await it.ready(2)
        first, second = await it.render(1), await it.render(2)
        assert first is not second
        first.say((1, 1), *A_CLIP, RENDERED)
        answer = await it.answer(1)
        assert answer["type"] == "rendered" and Path(answer["clip_path"]).read_bytes() == b"clip"
        assert it.told("progress")[0]["step"] == 1
        assert it.told("progress")[0]["preview"] == "iVBORw0K"


async def test_a_lost_actor_costs_its_request_an_innocent_attempt_and_nothing_later_counts(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        actor.say((1, 1), A_CLIP[0])
        await eventually(lambda: bool(it.told("progress")))
        actor.die()
        error = (await it.answer(1))["error"]
        assert error["code"] == "executor-lost"
        assert (error["data"]["cause"], error["data"]["node"], error["data"]["innocent"]) == ("node", "a", True)
        assert actor.is_killed, "unavailable is not dead"
        actor.say((1, 1), *A_CLIP, RENDERED)  # it was only cut off
        [other] = await it.ready(1)
        assert other is not actor
        assert len(it.answers(1)) == 1 and not list(tmp_path.glob("*.mp4"))


async def test_the_loss_of_an_actor_is_heard_although_its_render_says_nothing(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        actor.said.put_nowait(CardLost("ActorDiedError"))
        assert (await it.answer(1))["error"]["data"]["innocent"] is True


async def test_a_job_that_loses_node_after_node_is_no_longer_innocent(tmp_path: Path) -> None:
    async with bot(tmp_path, *(Node(str(n), f"node-{n}", 1) for n in range(6))) as it:
        await it.ready(6)
        told: list[bool] = []
        for attempt in range(1, 6):
            actor = await it.render(1, attempt)
            actor.say((1, attempt), A_CLIP[0])
            await eventually(lambda attempt=attempt: len(it.told("progress")) == attempt)  # type: ignore[misc]
            actor.die()
            await eventually(lambda attempt=attempt: len(it.answers(1)) == attempt)  # type: ignore[misc]
            told.append(it.answers(1)[-1]["error"]["data"]["innocent"])
        assert told == [True] * 4 + [False]


async def test_a_node_that_loses_again_and_again_is_left_out_until_somebody_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("generator.backend.cluster.losses.AT_ONCE_SECONDS", 0.0)
    async with bot(tmp_path, A, B) as it:
        for _ in range(MOST_LOSSES):
            await it.ready(2)
            actor = next(actor for actor in it.living() if actor.node == A)
            actor.die()
            await eventually(lambda actor=actor: actor.is_killed)  # type: ignore[misc]
        await eventually(lambda: it.told("ready")[-1]["left_out"] == ["a"])
        count = len(it.cluster.actors)
        await asyncio.sleep(0.1)
        assert len(it.cluster.actors) == count and it.told("ready")[-1]["executors"] == 1
        it.bridge.handle({"type": "resume"})
        await it.ready(2)
        assert it.told("ready")[-1]["left_out"] == []


async def test_a_request_without_a_card_is_answered_at_once(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        await eventually(lambda: bool(it.cluster.actors))
        await it.render(1)
        error = (await it.answer(1))["error"]
        assert (error["data"]["cause"], error["data"]["innocent"]) == ("node", True)


async def test_a_card_that_cannot_load_the_variant_gets_no_more_of_it(tmp_path: Path) -> None:
    async with bot(tmp_path, A, B) as it:
        await it.ready(2)
        refused = WeightsUnavailable("no weights here", variant="svd", why="missing").to_wire()
        first = await it.render(1, variant="svd")
        first.say((1, 1), {"type": "failed", "error": refused})
        error = (await it.answer(1))["error"]
        assert error["code"] == "executor-lost" and error["data"]["innocent"] is True
        second = await it.render(1, 2, variant="svd")
        assert second is not first
        await eventually(
            lambda: "no weights here" in {node.get("problem") for node in it.told("ready")[-1]["facts"]["nodes"]}
        )
        second.say((1, 2), {"type": "failed", "error": refused})
        await eventually(lambda: len(it.answers(1)) == 2)
        assert it.answers(1)[1]["error"]["code"] == "weights", "no card can: the person is told why"


async def test_a_clip_that_fits_no_small_card_goes_to_another(tmp_path: Path) -> None:
    async with bot(tmp_path, A, B) as it:
        await it.ready(2)
        first = await it.render(1)
        first.say((1, 1), {"type": "failed", "error": OutOfMemory("too small").to_wire()})
        assert (await it.answer(1))["error"]["code"] == "executor-lost"
        assert await it.render(1, 2) is not first


async def test_an_executors_loss_names_the_node_and_stays_what_it_was(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        data = {"cause": "signal", "detail": "SIGSEGV", "innocent": False}
        actor.say((1, 1), {"type": "failed", "error": {"code": "executor-lost", "text": "gone", "data": data}})
        assert (await it.answer(1))["error"]["data"] == data | {"node": "a"}


async def test_a_cancel_reaches_the_actor_and_is_answered_by_it_alone(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        it.bridge.handle({"type": "cancel", "job": 1, "attempt": 1})
        it.bridge.handle({"type": "cancel", "job": 7, "attempt": 1})  # nobody knows it
        assert actor.cancelled == [(1, 1)] and not it.answers(1)
        actor.say((1, 1), {"type": "cancelled"})
        assert (await it.answer(1))["type"] == "cancelled"


async def test_a_cancel_before_the_request_reached_an_actor_starts_nothing(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        it.bridge.handle(from_line(to_line("render", a_request(tmp_path, 1))))
        it.bridge.handle({"type": "cancel", "job": 1, "attempt": 1})
        assert (await it.answer(1))["type"] == "cancelled"
        assert not actor.events


async def test_an_actor_that_cancels_unasked_is_not_believed(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        actor.say((1, 1), {"type": "cancelled"})
        assert (await it.answer(1))["error"]["code"] == "executor-lost"


async def test_an_answer_that_is_lost_in_a_full_store_ends_no_actor(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        actor.say((1, 1), *A_CLIP, AnswerLost("OutOfDiskError"))
        assert (await it.answer(1))["error"]["data"]["innocent"] is True
        assert not actor.is_killed and not list(tmp_path.glob("*.mp4"))


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, DiskFull.code), (errno.EACCES, RenderCrashed.code)])
async def test_a_full_disk_of_the_bot_is_told_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(files: object, of: str, part: bytes) -> None:
        raise OSError(number, "not here")

    monkeypatch.setattr("generator.backend.cluster.arriving.ArrivingFiles.write", refuse)
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        await it.render(1)
        actor.say((1, 1), *A_CLIP, RENDERED)
        assert (await it.answer(1))["error"]["code"] == code


async def test_a_variant_is_loaded_by_every_card_and_by_every_later_one(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        [actor] = await it.ready(1)
        it.bridge.handle({"type": "preload", "variant": "svd"})
        assert actor.preloaded == ["svd"]
        it.cluster.alive.append(B)
        await eventually(lambda: len(it.cluster.actors) == 2)
        assert it.cluster.actors[1].config["preload"] == "svd"


async def test_a_leaving_node_finishes_what_it_has_and_gets_nothing_more(tmp_path: Path) -> None:
    async with bot(tmp_path, A, B) as it:
        await it.ready(2)
        actor = await it.render(1)
        actor.said.put_nowait({"state": "leaving", "facts": {}})
        await eventually(lambda: it.told("ready")[-1]["executors"] == 1)
        assert await it.render(2) is not actor
        assert not actor.is_killed
        actor.say((1, 1), *A_CLIP, RENDERED)
        assert (await it.answer(1))["type"] == "rendered"
        await eventually(lambda: actor.is_killed)
        actor.die()
        await asyncio.sleep(0.1)
        assert len(it.cluster.actors) == 2, "it must not come back while its node drains"


async def test_a_mismatch_is_named_and_the_node_gets_no_work(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        await eventually(lambda: bool(it.cluster.actors))
        it.cluster.actors[0].said.put_nowait({"state": "mismatch", "facts": {"problem": "it has Vivant 0.0"}})
        await eventually(lambda: "problem" in it.told("ready")[-1]["facts"]["nodes"][0])
        told = it.told("ready")[-1]
        assert told["facts"]["nodes"][0]["problem"] == "it has Vivant 0.0"
        assert (told["slots"], told["connected"]) == (0, 0)


async def test_an_unreachable_cluster_is_told_and_tried_again(tmp_path: Path) -> None:
    cluster = FakeCluster(A)
    cluster.unreachable = ["nobody there", "another token"]
    it = Bot(cluster, tmp_path, BridgeLimits(most_cards=1, most_rented=0))
    running = asyncio.create_task(it.bridge.run())
    await it.ready(1)
    running.cancel()
    assert [line["error"]["text"][-12:] for line in it.told("broken")] == ["nobody there", "nother token"]


async def test_cards_are_asked_for_only_where_the_operator_allows_it(tmp_path: Path) -> None:
    async with bot(tmp_path, A) as it:
        await it.ready(1)
        it.bridge.handle({"type": "want", "jobs": 9, "seconds": 3000.0})
        assert it.cluster.requested == []
    async with bot(tmp_path, A, most_rented=4) as it:
        await it.ready(1)
        it.bridge.handle({"type": "want", "jobs": 9, "seconds": 3000.0})
        assert it.cluster.requested == [0, 4], "what an earlier bridge asked for is taken back first"


async def test_a_rented_card_gets_its_actor_only_while_it_is_needed(tmp_path: Path) -> None:
    async with bot(tmp_path, A, Node("3", "rented", 1, is_rented=True), most_rented=4) as it:
        await it.ready(1)
        it.bridge.handle({"type": "want", "jobs": 1, "seconds": 60.0})
        _, rented = await it.ready(2)
        it.bridge.handle({"type": "want", "jobs": 0, "seconds": 0.0})
        await eventually(lambda: rented.is_killed)
        rented.die()
        await eventually(lambda: it.told("ready")[-1]["executors"] == 1)
        assert len(it.living()) == 1 and it.told("ready")[-1]["left_out"] == []
