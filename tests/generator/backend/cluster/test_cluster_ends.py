"""What else can end or be wrong around a cluster: the bot, the head, the token, a version, the store, a stopped node.

One node is enough for most of it. The long ones are left to `make soak`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from generator.backend.cluster.cluster_backend import ClusterBackend
from generator.errors import ExecutorLost
from tests.support.fake_cards import FAT_BYTES
from tests.support.fakes import a_request
from tests.support.local_backend import eventually, ignore, is_gone, start_render
from tests.support.ray_nodes import ROOT, RayNodes, cluster_backend, ray_nodes

pytest.importorskip(
    "ray", reason="RAY IS NOT INSTALLED, so nothing of a cluster is tested: pip install 'vivant[cluster]'"
)

OTHER_VERSION = "import ray; ray.__version__ = '2.0.0'\nfrom tests.support.fake_bridge import main\nmain()"


@pytest.fixture(scope="module")
def nodes() -> Iterator[RayNodes]:
    with ray_nodes("a", FAKE_CARD="--step-seconds 0.2") as found:
        yield found


@asynccontextmanager
async def running(
    nodes: RayNodes, folder: Path, *more: str, cards: int = 1, **options: Any
) -> AsyncIterator[ClusterBackend]:
    backend = cluster_backend(nodes, folder, *more, **options)
    await backend.start()
    try:
        await eventually(lambda: backend.executors == cards, 60)
        yield backend
    finally:
        await backend.close()


async def all_gone(processes: list[psutil.Process], seconds: float) -> None:
    assert processes
    await eventually(lambda: all(is_gone(process.pid) for process in processes), seconds)


async def test_a_killed_bot_takes_bridge_actors_and_executors_along(nodes: RayNodes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.cluster_bot", nodes.address, str(nodes.token_file), str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdout is not None and "rendering" in await asyncio.to_thread(bot.stdout.readline)
        node = nodes.nodes["a"]
        processes = [*nodes.bridges(), *node.actors, *node.executors]
        bot.kill()
    await all_gone(processes, 3)


async def test_another_version_of_ray_is_named(nodes: RayNodes, tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER_VERSION]
    async with running(nodes, tmp_path, command=command, cards=0) as backend:
        await eventually(lambda: "problem" in backend.describe(), 30)
        assert "2.0.0" in backend.describe()["problem"] and "Version mismatch" in backend.describe()["problem"]
        assert backend.slots == 0


async def test_a_machine_joins_with_one_command_and_leaves_when_its_render_is_done(
    nodes: RayNodes, tmp_path: Path
) -> None:
    folder = nodes.folder / "b"
    command = [sys.executable, "-m", "bot", "cluster", "join", nodes.address, "--cards", "1", "--name", "b"]
    options = ["--token-file", str(nodes.token_file), "--folder", str(folder), "--first-port", "0", "--ip", "127.0.0.1"]
    environment = os.environ | {"FAKE_CARD": "--step-seconds 0.2", "PYTHONPATH": str(ROOT)}
    async with running(nodes, tmp_path) as backend:
        with subprocess.Popen([*command, *options], cwd=ROOT, env=environment) as joined:
            await eventually(lambda: backend.executors == 2, 60)
            tasks = [await start_render(backend, a_request(tmp_path, job, steps=20)) for job in (1, 2)]
            joined.terminate()
            await eventually(lambda: backend.executors == 1, 10)
            assert all(rendered.bytes for rendered in await asyncio.gather(*tasks)), "what runs is finished"
            assert await asyncio.to_thread(joined.wait, 60) == 0
        assert (folder / "ray").exists() is False and (folder.stat().st_mode & 0o077) == 0
        assert [node["node"] for node in backend.describe()["nodes"]] == ["a"]


async def test_a_clip_that_does_not_fit_the_store_arrives_whole(nodes: RayNodes, tmp_path: Path) -> None:
    async with running(nodes, tmp_path, "--card", "FatCard") as backend:
        [bridge] = nodes.bridges()
        request = a_request(tmp_path, steps=2, max_bytes=2 * FAT_BYTES)
        task = await start_render(backend, request)
        bridge.suspend()  # so that nobody empties the store
        spilled = nodes.nodes["a"].options.folder / "spill"
        try:
            await eventually(lambda: any(path.is_file() for path in spilled.rglob("*")), 30)
        finally:
            bridge.resume()
        rendered = await asyncio.wait_for(task, 60)
        assert rendered.bytes > FAT_BYTES
        with request.clip_path.open("rb") as clip:
            assert all(set(clip.read(FAT_BYTES // 25)) == {number} for number in range(25))
        assert spilled.stat().st_mode & 0o077 == 0 or nodes.nodes["a"].options.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("card", "ends"), [("FakeCard", True), ("FencelessCard", False)])
async def test_an_actor_that_nobody_can_reach_ends_itself_only_by_its_fence(
    nodes: RayNodes, tmp_path: Path, card: str, ends: bool
) -> None:
    """Whoever could kill it is gone at once: raylet, its keeper, bridge. Without a fence: the negative control."""
    node = nodes.nodes["a"]
    async with running(nodes, tmp_path, "--card", card) as backend:
        task = await start_render(backend, a_request(tmp_path, steps=100))
        left = [*node.actors, *node.executors]
        [bridge] = nodes.bridges()
        for process in (psutil.Process(node.process.pid), bridge, node.raylet):
            process.suspend()
        node.raylet.kill()
        bridge.kill()
        with contextlib.suppress(TimeoutError):
            await all_gone(left, 5)
        assert all(is_gone(process.pid) for process in left) is ends
        assert isinstance((await asyncio.gather(task, return_exceptions=True))[0], ExecutorLost)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    nodes.remove("a")
    nodes.add("a")


# -- long ones ---------------------------------------------------------------------------------------------------------


@pytest.mark.soak
async def test_a_wrong_token_is_named(nodes: RayNodes, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("y" * 64)
    async with running(nodes, tmp_path, token=token, cards=0) as backend:
        await eventually(lambda: "problem" in backend.describe(), 90)
        assert "token" in backend.describe()["problem"]


@pytest.mark.soak
@pytest.mark.parametrize("seconds", [10, 60])
async def test_a_node_that_is_stopped_renders_on_or_is_given_up(tmp_path: Path, seconds: float) -> None:
    """A short stop is none, or costs one innocent try; a long one is noticed within 12 s. No clip comes twice."""
    with ray_nodes("a", FAKE_CARD="--step-seconds 0.2") as nodes:
        async with running(nodes, tmp_path) as backend:
            task = await start_render(backend, a_request(tmp_path, steps=100))
            processes = nodes.nodes["a"].processes
            for process in processes:
                process.suspend()
            began = time.monotonic()
            await asyncio.wait({task}, timeout=seconds)
            noticed = time.monotonic() - began
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()
            if seconds > 12:
                assert task.done() and noticed < 12
            await asyncio.wait({task}, timeout=60)
            error = task.exception()
            print(f"stopped for {seconds} s: {error or 'rendered'} after {noticed:.1f} s")
            if error is not None:
                assert isinstance(error, ExecutorLost) and error.data["innocent"]
                await all_gone([p for p in processes if "raylet" in p.name() or "Fake" in p.name()] or processes, 30)
                assert not list(tmp_path.glob("*.mp4"))


@pytest.mark.soak
async def test_a_lost_head_lets_renders_finish_and_leaves_nothing_running(tmp_path: Path) -> None:
    with ray_nodes("a", FAKE_CARD="--step-seconds 0.1") as nodes:
        async with running(nodes, tmp_path) as backend:
            task = await start_render(backend, a_request(tmp_path, steps=100))
            actors = [*nodes.nodes["a"].actors, *nodes.nodes["a"].executors]
            [bridge] = nodes.bridges()
            began = time.monotonic()
            nodes.remove("head")
            rendered = await asyncio.wait_for(asyncio.gather(task, return_exceptions=True), 90)
            print(f"head killed: {rendered[0]!r:.80} after {time.monotonic() - began:.1f} s")
            await all_gone([bridge], 90)
            await all_gone(actors, 60)
            print(f"head killed: bridge and actors gone after {time.monotonic() - began:.1f} s")
            assert backend.slots == 0
            nodes.add("head")
            nodes.remove("a")
            nodes.add("a")
            await eventually(lambda: backend.executors == 1, 120)
            assert (await backend.render(a_request(tmp_path, 2), ignore)).bytes > 0
