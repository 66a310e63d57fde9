"""A cluster of real Ray nodes on this host, each as `cluster head` and `cluster join` start it, with a made-up card."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from generator.backend.cluster.cluster_backend import ClusterBackend, ClusterOptions
from generator.backend.cluster.on_node.folders import LEAVING, WORK
from generator.backend.cluster.on_node.start import NodeOptions, clean, make_token, ray_command, ray_environment
from generator.backend.stalls import StallLimits
from tests.support.fake_bridge import FAKE_BRIDGE
from tests.support.local_backend import CONFIG

ROOT = Path(__file__).parent.parent.parent
STARTED = b"Ray runtime started"


@dataclass
class RayNode:
    """One `ray start --block` and everything below it."""

    name: str
    options: NodeOptions
    process: subprocess.Popen[bytes]

    @property
    def processes(self) -> list[psutil.Process]:
        """Return all its processes, those of its actors and executors too."""
        with contextlib.suppress(psutil.NoSuchProcess):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def named(self, word: str) -> list[psutil.Process]:
        """Return its processes whose command has a word."""
        found = []
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    @property
    def raylet(self) -> psutil.Process:
        return self.named("raylet/raylet")[0]

    @property
    def actors(self) -> list[psutil.Process]:
        return [
            actor
            for name in ("FakeCard", "FencelessCard", "FatCard", "TimedCard")
            for actor in self.named(f"ray::{name}")
        ]

    @property
    def executors(self) -> list[psutil.Process]:
        return self.named("tests.support.fake_executor")

    def wait(self, seconds: float = 60.0) -> None:
        """Wait until Ray says that it runs."""
        log, until = self.options.folder / "ray.log", time.monotonic() + seconds
        while STARTED not in log.read_bytes():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)

    def leave(self) -> None:
        """Take no more requests, as `cluster join` does before it ends."""
        (self.options.folder / LEAVING).touch()

    def kill(self) -> list[psutil.Process]:
        """Kill every process of it at once, and return them."""
        processes = self.processes
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what outlived a raylet that was killed
        self.process.wait()
        return processes


@dataclass
class RayNodes:
    """A head and its nodes, in a folder with a short name: Ray's sockets lie in it."""

    folder: Path
    port: int
    environment: dict[str, str] = field(default_factory=dict)
    nodes: dict[str, RayNode] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    def start(self, name: str, cards: int = 1, **environment: str) -> RayNode:
        """Start a node, and return before it runs: `wait` for it."""
        is_head = name == "head"
        options = NodeOptions(
            folder=self.folder / name,
            token_file=self.token_file,
            address=None if is_head else self.address,
            name=name,
            cards=0 if is_head else cards,
            ip="127.0.0.1",
            port=self.port,
            first_port=0,
            store_mib=80,
        )
        clean(options.folder)
        ours = os.environ | {"PYTHONPATH": str(ROOT)} | self.environment | environment
        with (options.folder / "ray.log").open("wb") as out:
            process = subprocess.Popen(
                ray_command(options),
                env=ray_environment(options, ours),
                cwd=options.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self.nodes[name] = RayNode(name, options, process)
        return self.nodes[name]

    def add(self, name: str, cards: int = 1, **environment: str) -> RayNode:
        """Start a node, and return when it runs."""
        node = self.start(name, cards, **environment)
        node.wait()
        return node

    def remove(self, name: str) -> list[psutil.Process]:
        """Kill every process of a node at once, and return them."""
        return self.nodes.pop(name).kill()

    def bridges(self) -> list[psutil.Process]:
        """Return the bridges of this cluster; each has a guard process with its own command, which is left out."""
        found = [process for process in self.everything() if "--address" in process.cmdline()]
        found = [process for process in found if "fake_bridge" in " ".join(process.cmdline())]
        return [process for process in found if process.ppid() not in {other.pid for other in found}]

    def everything(self) -> list[psutil.Process]:
        """Return every process that was started below this folder, by whoever it was adopted."""
        mark, found = str(self.folder), []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                environment = process.environ()
                if mark in environment.get("VIVANT_NODE_FOLDER", "") + environment.get("RAY_AUTH_TOKEN_PATH", ""):
                    found.append(process)
        return found

    def close(self) -> None:
        for node in self.nodes.values():
            node.kill()
        for process in self.everything():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def left_files(self) -> list[Path]:
        """Return what lies in the actors' folders."""
        return [path for node in self.nodes.values() for path in (node.options.folder / WORK).rglob("*-*.*")]


@contextlib.contextmanager
def ray_nodes(*names: str, base: Path | None = None, **environment: str) -> Iterator[RayNodes]:
    """Run a head and the named nodes, with their folders below `base`."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    nodes = RayNodes(Path(tempfile.mkdtemp(prefix="vr-", dir=base)), port, environment)
    make_token(nodes.token_file)
    try:
        nodes.add("head")
        for node in [nodes.start(name) for name in names]:
            node.wait()
        yield nodes
    finally:
        nodes.close()


def cluster_backend(
    nodes: RayNodes, folder: Path, *more: str, command: Sequence[str] = FAKE_BRIDGE, token: Path | None = None
) -> ClusterBackend:
    """Return a backend of this cluster, not started yet; `more` is for the fake bridge."""
    options = ClusterOptions(
        address=nodes.address,
        exchange_folder=folder / "exchange",
        token_file=token or nodes.token_file,
        command=[*command, *more],
        limits=StallLimits(backoff_seconds=0.2, term_seconds=1.0),
    )
    return ClusterBackend(CONFIG, options)
