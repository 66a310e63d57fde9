"""Nothing lost, nothing twice, nothing left over: under SIGKILL of everything that a cluster consists of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import cluster_kill_loop
from tests.support.cluster_kill_loop import ClusterKillLoop
from tests.support.ray_nodes import RayNodes, ray_nodes

pytest.importorskip(
    "ray", reason="RAY IS NOT INSTALLED, so nothing of a cluster is tested: pip install 'vivant[cluster]'"
)
pytestmark = [pytest.mark.soak, pytest.mark.timeout(0)]

MOST_ORPHAN_SECONDS = 6.0
"""an actor whose node is gone ends itself within half a second, on a quiet host"""
SEED = int(os.environ.get("SEED", "1"))


@pytest.fixture
def nodes() -> Iterator[RayNodes]:
    with ray_nodes("n-a", "n-b", FAKE_CARD="--step-seconds 0.05") as found:
        yield found


@pytest.mark.parametrize("kills", [pytest.param(20, id="short"), pytest.param(300, id="long")])
async def test_every_accepted_request_gets_its_clip_once_and_nothing_is_left(
    nodes: RayNodes, tmp_path: Path, kills: int
) -> None:
    loop = ClusterKillLoop(tmp_path, SEED, nodes)
    outcome = await loop.run(kills)
    print(f"{outcome}; {dict(loop.killed)}; orphans lived for {loop.orphan_seconds:.1f} s at most")
    assert loop.orphan_seconds < MOST_ORPHAN_SECONDS
    assert (outcome.lost, outcome.duplicates, outcome.integrity) == (0, 0, "ok")
    assert outcome.accepted and outcome.replies_lost and sum(loop.killed.values()) == kills
    assert (await loop.left_processes(), loop.left_files()) == ([], [])


async def test_the_loop_sees_the_orphans_of_actors_without_a_fence(
    nodes: RayNodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_kill_loop, "KINDS", {"raylet-and-bridge": 1})
    loop = ClusterKillLoop(tmp_path, SEED, nodes, "FencelessCard")
    await loop.run(4)
    cluster_kill_loop.kill_all(loop.orphans)
    print(f"without a fence orphans live for {loop.orphan_seconds:.1f} s")
    assert loop.orphan_seconds > MOST_ORPHAN_SECONDS
