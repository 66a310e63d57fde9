"""A machine of the cluster: how Ray is started on it, what it keeps on its disk, and how it leaves. Imports no ray."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from generator.backend.cluster.on_node.folders import LEAVING, NODE_FOLDER, WORK, is_in_use, sweep
from generator.memory import MIB
from generator.process.private import make_private

HEAD_PORT = 6379
FIRST_PORT = 6380
"""of the ports that every member listens on; see `ports`"""
_WORKER_PORTS = 100
_RESTART_SECONDS = (1.0, 60.0)
"""before the first start anew, doubled up to the second"""
_HEALTHY_SECONDS = 300.0
"""a node that lived so long begins to count anew"""

_ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    # A silent node is noticed after 10 s; with Ray's own settings after 65 s, with a threshold of 3 a busy one is lost.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "5",
    "RAY_health_check_initial_delay_ms": "0",
    # Ray would end an actor when the machine's memory is nearly full, and a load fills it: the kernel judges better.
    "RAY_memory_monitor_refresh_ms": "0",
    # A node without its head was seen to write 165 MB of logs in 90 s.
    "RAY_ROTATION_MAX_BYTES": "10000000",
    "RAY_ROTATION_BACKUP_COUNT": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """One machine of the cluster."""

    folder: Path
    """private; Ray's files, spilled objects and the actors' pictures and clips lie there"""
    token_file: Path
    address: str | None = None
    """the head's HOST:PORT; None: this is the head"""
    name: str = ""
    """what people see; empty: the machine's own name"""
    cards: int | None = None
    """graphics cards that it offers; None: as many as Ray finds"""
    ip: str | None = None
    """the address that the others reach it at; None: as Ray finds it"""
    port: int = HEAD_PORT
    """of the head"""
    first_port: int = FIRST_PORT
    """0: Ray takes any free ports, which no firewall can know"""
    store_mib: int = 200
    """of shared memory for pictures and clips on their way; Ray itself would take 30 % of the machine's memory"""


def ray_command(options: NodeOptions) -> list[str]:
    """Return the command that runs this node until it is ended."""
    given: dict[str, object] = {
        "num-cpus": 0,
        "object-store-memory": options.store_mib * MIB,
        "temp-dir": options.folder / "ray",
        "object-spilling-directory": options.folder / "spill",
        "include-log-monitor": "false",
    }
    if options.address is None:
        given |= {"port": options.port, "include-dashboard": "false"}
    else:
        given |= {"address": options.address}
    given |= {"num-gpus": options.cards} if options.cards is not None else {}
    given |= {"node-ip-address": options.ip} if options.ip else {}
    given |= {"labels": f"vivant-name={label(options.name)}"} if options.name else {}
    given |= ports(options.first_port) if options.first_port else {}
    role = ["--head"] if options.address is None else []
    words = [f"--{name}={value}" for name, value in given.items()]
    return [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats", *role, *words]


def ports(first: int) -> dict[str, object]:
    """Return the ports that a member listens on, from `first` on, so that a firewall can be written."""
    names = ("node-manager", "object-manager", "runtime-env-agent", "dashboard-agent-grpc", "metrics-export")
    found: dict[str, object] = {f"{name}-port": first + number for number, name in enumerate(names)}
    found["dashboard-agent-listen-port"] = first + len(names)
    workers = first + 20
    return found | {"min-worker-port": workers, "max-worker-port": workers + _WORKER_PORTS - 1}


def ray_environment(options: NodeOptions, ours: Mapping[str, str]) -> dict[str, str]:
    """Return what this node gets: no setting of the bot, whose token may be among them."""
    kept = {name: value for name, value in ours.items() if not name.startswith("VIVANT_")}
    token = {"RAY_AUTH_TOKEN_PATH": str(options.token_file), NODE_FOLDER: str(options.folder)}
    return _ENVIRONMENT | kept | token | {"RAY_AUTH_MODE": "token"}


def label(name: str) -> str:
    """Return a name as Ray's labels may have it: letters, digits, dots and dashes, at most 63."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", name)[:63].strip(".-") or "node"


def make_token(path: Path) -> bool:
    """Write a new token there, for this account alone, if there is none. Return whether it did. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return True


def clean(folder: Path) -> None:
    """Make the folder private, and delete what an earlier node left in it: pictures and clips of strangers."""
    make_private(folder, ())
    (folder / LEAVING).unlink(missing_ok=True)
    sweep(folder / WORK)
    for name in ("ray", "spill"):
        shutil.rmtree(folder / name, ignore_errors=True)


class NodeRunner:
    """Keeps Ray running on this machine until it is told to leave. `say` gets a sentence for the operator."""

    def __init__(self, options: NodeOptions, say: Callable[[str], None], *, grace_seconds: float = 300.0) -> None:
        self._options = options
        self._say = say
        self._grace_seconds = grace_seconds
        self._leaves = False
        self._ray: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run until SIGTERM or SIGINT. Return the exit status: 0, or that of Ray when it could not even start."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        pause, most = _RESTART_SECONDS
        while True:
            began = time.monotonic()
            status = self._run_once()
            if self._leaves:
                return 0
            if time.monotonic() - began > _HEALTHY_SECONDS:
                pause = _RESTART_SECONDS[0]
            self._say(f"Ray ended with status {status}; it is started again in {pause:g} s.")
            self._sleep(pause)
            if self._leaves:
                return 0
            pause = min(pause * 2, most)

    def _run_once(self) -> int:
        clean(self._options.folder)
        log = self._options.folder / "ray.log"
        with log.open("wb") as out:
            environment = ray_environment(self._options, os.environ)
            self._ray = subprocess.Popen(
                ray_command(self._options),
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        try:
            while self._ray.poll() is None and not self._leaves:
                self._sleep(1.0)
            if self._leaves:
                self._leave(self._ray)
            return self._ray.wait()
        finally:
            self._kill_group(self._ray)
            clean(self._options.folder)

    def _leave(self, ray: subprocess.Popen[bytes]) -> None:
        """Let the bot finish what runs here, then end Ray."""
        (self._options.folder / LEAVING).touch()
        until = time.monotonic() + self._grace_seconds
        while is_in_use(self._options.folder / WORK) and ray.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        ray.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            ray.wait(40.0)  # it waits for up to 30 s itself

    def _kill_group(self, ray: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(ray.pid, signal.SIGKILL)
        ray.wait()

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._leaves and (self._ray is None or self._ray.poll() is None):
            time.sleep(0.1)

    def _on_signal(self, number: int, frame: object) -> None:
        if self._leaves and self._ray is not None:
            self._grace_seconds = 0.0  # asked twice: now
        self._leaves = True
