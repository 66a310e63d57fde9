"""What a cluster costs beside local executors, and how soon a lost node is noticed.

Four real Ray nodes on this host, each with one made-up card and an executor without torch, beside four LocalBackends.
The two are measured in turns, so that the host's load hits both. The nodes' folders are in memory, as
`cluster join --help` advises: what lies there is of strangers, and a node's disk need not keep it.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import psutil

from generator.backend.backend import Backend
from generator.backend.local_backend import LocalBackend
from generator.errors import ExecutorLost
from generator.protocol import Progress
from tests.benchmarks.report import Report
from tests.support.fakes import FAKE_EXECUTOR, a_request
from tests.support.local_backend import CONFIG, eventually, ignore, start_render
from tests.support.ray_nodes import RayNodes, cluster_backend, ray_nodes

CARDS = 4
STEP_SECONDS = 0.1
STEPS = 4
"""so that a job holds its card for 0.4 s"""
ROUNDS = 3
ONE_BY_ONE = 15
JOBS = 48
CANCELS = 8
MEMORY = Path("/dev/shm")
NUMBERS = itertools.count(1)
TARGETS = {
    "added_p50_ms": "<= 15",
    "throughput_of_local": ">= 0.9",
    "cancel_max_s": f"<= {STEP_SECONDS + 0.5}",
    "killed_node_elsewhere_s": "<= 12",
    "silent_node_noticed_s": "<= 12",
}


def run() -> Report:
    """Measure on this host. Raises SystemExit where Ray is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise SystemExit("Ray is not installed, so no cluster can be measured: pip install 'vivant[cluster]'")
    report = Report("cluster", targets=TARGETS, libraries=("ray",))
    names = [f"node-{number}" for number in range(CARDS)]
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        ray_nodes(*names, base=MEMORY, FAKE_CARD=f"--step-seconds {STEP_SECONDS}") as nodes,
    ):
        report.figures["nodes_up_s"] = time.monotonic() - began
        asyncio.run(_measure(report, nodes, Path(folder)))
    report.figures["load_average"] = os.getloadavg()[0]
    return report


async def _measure(report: Report, nodes: RayNodes, folder: Path) -> None:
    async with AsyncExitStack() as stack:
        local = [await stack.enter_async_context(_local()) for _ in range(CARDS)]
        cluster = cluster_backend(nodes, folder, "--card", "TimedCard")
        began = time.monotonic()
        await cluster.start()
        stack.push_async_callback(cluster.close)
        await eventually(lambda: cluster.executors == CARDS, 120)
        report.figures["bridge_ready_s"] = time.monotonic() - began
        await _compare(report, local, cluster, folder)
        await _cancels(report, cluster, folder)
        _memory(report, nodes)
        await _lost_nodes(report, cluster, nodes, folder)


@asynccontextmanager
async def _local() -> AsyncIterator[LocalBackend]:
    backend = LocalBackend(CONFIG, command=(*FAKE_EXECUTOR, "--step-seconds", str(STEP_SECONDS)))
    await backend.start()
    await asyncio.wait_for(backend.ready.wait(), 60)
    try:
        yield backend
    finally:
        await backend.close()


async def _job(backend: Backend, folder: Path, on_progress: Callable[[Progress], None] = ignore) -> float:
    began = time.monotonic()
    await backend.render(a_request(folder, next(NUMBERS), steps=STEPS, frames=4), on_progress)
    return time.monotonic() - began


async def _pump(backends: Sequence[Backend], width: int, folder: Path) -> float:
    """Return the jobs per second of `width` requests at once at each backend."""
    jobs = iter(range(JOBS))

    async def work(backend: Backend) -> None:
        for _ in jobs:
            await _job(backend, folder)

    began = time.monotonic()
    await asyncio.gather(*(work(backend) for backend in backends for _ in range(width)))
    return JOBS / (time.monotonic() - began)


async def _compare(report: Report, local: list[LocalBackend], cluster: Backend, folder: Path) -> None:
    lags: list[float] = []
    alone: dict[str, list[float]] = {"local": [], "cluster": []}
    rates: dict[str, list[float]] = {"local": [], "cluster": []}

    def note(progress: Progress) -> None:
        lags.append(time.monotonic() - progress.of / 1e6)

    await _pump(local, 2, folder)
    await _pump([cluster], 2 * CARDS, folder)
    for _ in range(ROUNDS):
        for _ in range(ONE_BY_ONE):
            alone["local"].append(await _job(local[0], folder))
            alone["cluster"].append(await _job(cluster, folder, note))
        rates["local"].append(await _pump(local, 2, folder))
        rates["cluster"].append(await _pump([cluster], 2 * CARDS, folder))
    medians = {name: statistics.median(times) * 1e3 for name, times in alone.items()}
    report.figures |= {f"{name}_p50_ms": value for name, value in medians.items()}
    report.figures["added_p50_ms"] = medians["cluster"] - medians["local"]
    report.figures |= {f"{name}_jobs_per_s": statistics.median(values) for name, values in rates.items()}
    ratios = [of / beside for of, beside in zip(rates["cluster"], rates["local"], strict=True)]
    report.figures["throughput_of_local"] = statistics.median(ratios)
    report.figures["progress_lag_p50_ms"] = statistics.median(lags) * 1e3
    report.figures["progress_lag_p95_ms"] = statistics.quantiles(lags, n=20)[-1] * 1e3


async def _cancels(report: Report, cluster: Backend, folder: Path) -> None:
    times = []
    for _ in range(CANCELS):
        task = await start_render(cluster, a_request(folder, next(NUMBERS), steps=100))
        began = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        times.append(time.monotonic() - began)
    report.figures |= {"cancel_p50_s": statistics.median(times), "cancel_max_s": max(times)}


def _memory(report: Report, nodes: RayNodes) -> None:
    """Add the proportional set sizes: of the head, of a node without its executor, of an actor, of the bridge."""
    node = nodes.nodes["node-0"]
    actors, executors = node.actors, node.executors
    rest = [item for item in node.processes if item not in (*actors, *executors)]
    for name, processes in (
        ("head", nodes.nodes["head"].processes),
        ("node", rest),
        ("actor", actors),
        ("bridge", nodes.bridges()),
    ):
        report.figures[f"{name}_mib"] = sum(_pss(process) for process in processes) / 2**20


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


async def _lost_nodes(report: Report, cluster: Backend, nodes: RayNodes, folder: Path) -> None:
    """Kill a node, then stop one, each while it renders, and wait until its job runs elsewhere."""
    for name, silent in (("killed", False), ("silent", True)):
        tasks = [await start_render(cluster, a_request(folder, next(NUMBERS), steps=100)) for _ in range(_cards(nodes))]
        node = next(item for key, item in nodes.nodes.items() if key != "head")
        processes = node.processes
        began = time.monotonic()
        for process in processes if silent else ():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        if not silent:
            await asyncio.to_thread(node.kill)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED, timeout=120)
        report.figures[f"{name}_node_noticed_s"] = time.monotonic() - began
        assert any(task.done() and isinstance(task.exception(), ExecutorLost) for task in tasks)
        for task in tasks:
            task.cancel()  # so that a card is free at once
        again = await start_render(cluster, a_request(folder, next(NUMBERS), steps=100), step=0)
        report.figures[f"{name}_node_elsewhere_s"] = time.monotonic() - began
        again.cancel()
        await asyncio.gather(again, *tasks, return_exceptions=True)
        nodes.remove(node.name)


def _cards(nodes: RayNodes) -> int:
    return len(nodes.nodes) - 1
