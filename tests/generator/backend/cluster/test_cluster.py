"""A cluster of real Ray nodes on this host: it renders, and what dies costs what it should and no more.

The figures of the faults are those that were measured on a host with two cores, with room for a busier one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from generator.backend.cluster.cluster_backend import ClusterBackend
from generator.errors import ExecutorLost
from generator.protocol import Rendered
from tests.support.fakes import a_request
from tests.support.local_backend import eventually, ignore, is_gone, start_render
from tests.support.ray_nodes import RayNodes, cluster_backend, ray_nodes

pytest.importorskip(
    "ray", reason="RAY IS NOT INSTALLED, so nothing of a cluster is tested: pip install 'vivant[cluster]'"
)
pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = 100
"""steps of a render that is to be interrupted"""
NUMBERS = itertools.count(100)
"""of jobs whose renders a failed test may leave behind"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with ray_nodes("a", "b", FAKE_CARD="--step-seconds 0.2") as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(nodes: RayNodes, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ClusterBackend]:
    found = cluster_backend(nodes, tmp_path_factory.mktemp("bot"))
    await found.start()
    await cards(found, 2)
    yield found
    await found.close()


async def cards(backend: ClusterBackend, count: int, seconds: float = 30.0) -> None:
    """Wait until so many cards can begin something."""
    await eventually(lambda: backend.executors == count, seconds)
    assert (backend.slots, backend.encoders) == (2 * count, 2 * count)


def busy(backend: ClusterBackend) -> dict[str, int]:
    """Return how many requests each node has."""
    return {node["node"]: node["running"] for node in backend.describe()["nodes"] if "running" in node}


async def on_both(backend: ClusterBackend, folder: Path) -> list[asyncio.Task[Rendered]]:
    """Return two long renders, one on each of two nodes, and forget what the nodes have lost before."""
    backend.resume()
    tasks = [await start_render(backend, a_request(folder, next(NUMBERS), steps=LONG)) for _ in range(2)]
    await eventually(lambda: list(busy(backend).values()) == [1, 1])
    return tasks


async def stop(*tasks: asyncio.Task[Rendered]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def first_loss(
    tasks: list[asyncio.Task[Rendered]], seconds: float
) -> tuple[ExecutorLost, asyncio.Task[Rendered]]:
    """Return how the first of two renders is lost, and the other one, which goes on."""
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=seconds)
    [lost] = [task for task in tasks if task.done()]
    [other] = [task for task in tasks if not task.done()]
    error = lost.exception()
    assert isinstance(error, ExecutorLost)
    return error, other


async def gone(processes: list[psutil.Process], seconds: float) -> None:
    pids = [process.pid for process in processes]
    assert pids
    await eventually(lambda: all(map(is_gone, pids)), seconds)


async def test_it_renders_on_every_card_and_leaves_nothing_behind(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    requests = [a_request(tmp_path, job, steps=3) for job in range(1, 7)]
    seen: set[str] = set()

    def look(progress: object) -> None:
        seen.update(name for name, count in busy(backend).items() if count)

    for request, rendered in zip(
        requests, await asyncio.gather(*(backend.render(r, look) for r in requests)), strict=True
    ):
        assert rendered.clip_path == request.clip_path
        assert request.clip_path.stat().st_size == rendered.bytes
        assert b"ftyp" in request.clip_path.read_bytes()[:12]
    assert not nodes.left_files()
    await eventually(lambda: list(busy(backend).values()) == [0, 0])
    assert seen == {"a", "b"}


async def test_a_cancelled_render_stops_within_a_step_and_its_card_goes_on(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    request = a_request(tmp_path, steps=LONG)
    task = await start_render(backend, request)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert time.monotonic() - began < 0.2 + 0.5
    assert not request.clip_path.exists() and not nodes.left_files()
    assert (await backend.render(a_request(tmp_path, 2), ignore)).clip_path.exists()


async def test_a_render_that_is_cancelled_before_it_reached_a_card_renders_nothing(
    backend: ClusterBackend, tmp_path: Path
) -> None:
    heard: list[object] = []
    task = asyncio.create_task(backend.render(a_request(tmp_path, steps=LONG), heard.append))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert len(heard) < 5


async def test_every_node_switches_the_variant_and_renders_others_still(
    backend: ClusterBackend, tmp_path: Path
) -> None:
    backend.preload("svd")
    await eventually(lambda: [node["variant"] for node in backend.describe()["nodes"]] == ["svd", "svd"])
    rendered = await backend.render(a_request(tmp_path, 1, variant="demo"), ignore)
    assert rendered.bytes > 0
    backend.preload("demo")
    await eventually(lambda: [node["variant"] for node in backend.describe()["nodes"]] == ["demo", "demo"])


async def test_a_node_joins_and_leaves_when_its_render_is_done(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    joined = nodes.add("c")
    await cards(backend, 3)
    tasks = [await start_render(backend, a_request(tmp_path, job, steps=15)) for job in (1, 2, 3)]
    await eventually(lambda: busy(backend) == {"a": 1, "b": 1, "c": 1})
    joined.leave()
    await cards(backend, 2)
    assert all(rendered.bytes for rendered in await asyncio.gather(*tasks))
    await eventually(lambda: not joined.actors)
    nodes.remove("c")
    await eventually(lambda: busy(backend).keys() == {"a", "b"})


async def test_a_killed_executor_is_one_ordinary_loss(backend: ClusterBackend, nodes: RayNodes, tmp_path: Path) -> None:
    tasks = await on_both(backend, tmp_path)
    nodes.nodes["a"].executors[0].kill()
    error, other = await first_loss(tasks, 2)
    assert (error.data["cause"], error.data["detail"], error.data["node"]) == ("signal", "SIGKILL", "a")
    assert error.data["innocent"] is False
    await cards(backend, 1)
    await cards(backend, 2)
    await stop(other)


async def test_a_killed_actor_takes_its_executor_along_and_is_replaced(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    tasks = await on_both(backend, tmp_path)
    node = nodes.nodes["a"]
    executors = node.executors
    node.actors[0].kill()
    error, other = await first_loss(tasks, 3)
    assert (error.data["cause"], error.data["node"], error.data["innocent"]) == ("node", "a", True)
    await gone(executors, 2)
    await cards(backend, 1)
    await cards(backend, 2)
    await stop(other)


async def test_a_node_that_dies_is_noticed_and_its_job_runs_elsewhere(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    tasks = await on_both(backend, tmp_path)
    began = time.monotonic()
    nodes.remove("a")
    error, other = await first_loss(tasks, 12)
    assert (error.data["cause"], error.data["node"], error.data["innocent"]) == ("node", "a", True)
    await cards(backend, 1)
    await stop(other)
    again = await backend.render(a_request(tmp_path, 1, attempt=2), ignore)
    assert again.bytes > 0 and time.monotonic() - began < 12
    nodes.add("a")
    await cards(backend, 2)


async def test_what_outlives_a_killed_raylet_ends_itself(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    tasks = await on_both(backend, tmp_path)
    node = nodes.nodes["a"]
    left = [*node.actors, *node.executors]
    node.raylet.kill()
    await gone(left, 5)
    error, other = await first_loss(tasks, 12)
    assert (error.data["cause"], error.data["node"], error.data["innocent"]) == ("node", "a", True)
    await cards(backend, 1)
    nodes.remove("a")
    nodes.add("a")
    await cards(backend, 2)
    await stop(other)


async def test_a_killed_bridge_takes_its_actors_along_and_the_next_one_finds_the_nodes(
    backend: ClusterBackend, nodes: RayNodes, tmp_path: Path
) -> None:
    tasks = await on_both(backend, tmp_path)
    executors = nodes.nodes["a"].executors + nodes.nodes["b"].executors
    [bridge] = nodes.bridges()
    bridge.kill()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(error, ExecutorLost) and error.data["innocent"] and error.data["node"] == "bridge"
    assert (backend.slots, backend.encoders, backend.executors) == (0, 0, 0)
    await gone(executors, 5)
    await cards(backend, 2)
    assert (await backend.render(a_request(tmp_path, 1, attempt=2), ignore)).bytes > 0
