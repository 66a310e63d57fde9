"""Runs a container as Docker and the compose file would: the image's user, nothing gained, a root that is read-only."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

USER = 10001
_DOCKER_TMPFS = ["rw", "nosuid", "nodev", "noexec", "mode=1777"]
_NAMESPACES = ("pid", "ipc", "uts", "mount")
"""the network is the host's: the local Discord listens there"""


@dataclass(frozen=True)
class Image:
    """An image that was unpacked: its files, and what it says of itself."""

    tree: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Container:
    """What is run: a command, and what differs from the image's settings."""

    image: Image
    folder: Path
    """where runc finds its description"""
    command: Sequence[str]
    """the arguments of the image's entry point; with `whole`, the whole command"""
    data: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: Mapping[str, Path] = field(default_factory=dict)
    """path in the container -> what lies there, read-only"""
    whole: bool = False


def description(container: Container) -> dict[str, Any]:
    """Return what runc is told, after the runtime specification of the Open Container Initiative."""
    settings = container.image.settings
    arguments = [*([] if container.whole else settings["Entrypoint"]), *container.command]
    variables = dict(line.split("=", 1) for line in settings["Env"]) | dict(container.environment)
    nothing: list[str] = []
    return {
        "ociVersion": "1.0.2",
        "root": {"path": str(container.image.tree), "readonly": True},
        "process": {
            "args": arguments,
            "env": [f"{name}={value}" for name, value in variables.items()],
            "cwd": settings["WorkingDir"],
            "user": {"uid": USER, "gid": USER},
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), nothing),
            "noNewPrivileges": True,
        },
        "mounts": [
            *_usual_mounts(),
            _bind("/data", container.data, "rw"),
            *(_bind(inside, path, "ro") for inside, path in container.mounts.items()),
        ],
        "linux": {"namespaces": [{"type": name} for name in _NAMESPACES]},
    }


def _usual_mounts() -> list[dict[str, Any]]:
    def mount(path: str, kind: str, options: list[str]) -> dict[str, Any]:
        return {"destination": path, "type": kind, "source": kind, "options": options}

    return [
        mount("/proc", "proc", []),
        mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        mount("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
        mount("/tmp", "tmpfs", _DOCKER_TMPFS),
    ]


def _bind(inside: str, outside: Path, mode: str) -> dict[str, Any]:
    return {"destination": inside, "type": "bind", "source": str(outside), "options": ["bind", mode]}


@dataclass(frozen=True)
class Ended:
    """How a container ended."""

    code: int
    output: str


class Running:
    """A container that runs; `running` makes one."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._output = asyncio.create_task(process.communicate())
        self._process = process

    async def signal(self, name: str) -> None:
        """Send a signal to the container's first process, as `docker stop` does."""
        await _runc("kill", self.name, name)

    async def execute(self, command: Sequence[str]) -> Ended:
        """Run a command in the container, as `docker exec` and the health check do."""
        return await _runc("exec", self.name, *command)

    async def ended(self, seconds: float) -> Ended:
        """Wait for the end; what takes longer is killed and raises TimeoutError."""
        await asyncio.wait({self._output}, timeout=seconds)
        late = not self._output.done()
        if late:
            await self.signal("KILL")
        output = (await self._output)[0].decode(errors="replace")
        if late:
            raise TimeoutError(f"it still ran after {seconds:g} s: {output[-2000:]}")
        return Ended(int(self._process.returncode or 0), output)


@asynccontextmanager
async def running(container: Container) -> AsyncIterator[Running]:
    """Run a container while the block runs; what is left of it at the end is killed."""
    name = f"vivant-{secrets.token_hex(4)}"
    folder = container.folder / name
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(description(container)))
    process = await asyncio.create_subprocess_exec(
        *("runc", "run", "--bundle", str(folder), name),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    found = Running(name, process)
    try:
        yield found
    finally:
        await _runc("delete", "--force", name)
        with suppress(TimeoutError):
            await found.ended(10)


async def run_to_end(container: Container, seconds: float) -> Ended:
    """Run a container until it ends by itself. Raises TimeoutError when that takes longer."""
    async with running(container) as found:
        return await found.ended(seconds)


async def _runc(*command: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        "runc", *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return Ended(int(process.returncode or 0), output.decode(errors="replace"))
