"""What a cluster needs: Ray in the right version, the token, a head that answers, and ports and folders of a node.

Nothing here imports ray: it is asked in a child. Tested in tests/bot/doctor/test_cluster.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bot.config import Config
from bot.doctor.check import Check, Status, ask_module
from generator.memory import GIB, MIB
from generator.process.environment import child_environment

_CONNECT_SECONDS = 3.0
_LONGEST_FOLDER = 40
"""letters: Ray's sockets lie below it, and a socket's path has at most 107"""
_SHARED = Path("/dev/shm")


async def check_cluster(config: Config) -> list[Check]:
    """Look at the bot's end of a cluster; nothing where the settings name none."""
    settings = config.cluster
    if not settings.address:
        return []
    checks = [_check_ray(), _check_token(settings.token_path), await _check_head(settings.address)]
    if all(check.status is Status.OK for check in checks):
        checks += await _check_nodes(settings.address, settings.token_path)
    return checks + ([_check_account(settings.user)] if settings.user else [])


async def examine_node(address: str, token: Path, folder: Path) -> list[Check]:
    """Look at a machine that shall join a cluster, or is its head."""
    checks = [_check_ray(), _check_token(token), _check_folder(folder), _check_shared_memory()]
    if address:
        checks.append(await _check_head(address))
    facts = await ask_module("generator.model.gpu_trial")
    if isinstance(facts, str):
        checks.append(Check("torch", Status.PROBLEM, facts, "pip install 'vivant[cluster]'"))
    elif not facts["cards"]:
        checks.append(Check("GPU", Status.WARNING, "torch sees none", "Only a head needs no card."))
    else:
        checks += [Check("GPU", Status.OK, f"{card['name']}, {card['gib']:.1f} GiB") for card in facts["cards"]]
    return checks


def _check_ray() -> Check:
    try:
        return Check("Ray", Status.OK, f"{version('ray')}; the same on every machine, and the same Python minor")
    except PackageNotFoundError:
        return Check("Ray", Status.PROBLEM, "not installed", "pip install 'vivant[cluster]'")


def _check_token(path: Path) -> Check:
    name = "Cluster token"
    try:
        state = path.stat()
        with path.open("rb") as file:
            size = len(file.read(1024).strip())
    except OSError as error:
        remedy = f"Run `python -m bot cluster head` once, and copy {path} to every machine, with mode 600."
        return Check(name, Status.PROBLEM, f"{path} cannot be read ({error.strerror})", remedy)
    if state.st_mode & 0o077:
        return Check(name, Status.PROBLEM, f"others may read {path}", f"chmod 600 {path}")
    if size < 32:
        return Check(name, Status.PROBLEM, f"{path} holds no token", f"Copy the token again from the head into {path}.")
    return Check(name, Status.OK, str(path))


async def _check_head(address: str) -> Check:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, int(port))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    except (OSError, ValueError) as error:  # TimeoutError is one
        why = str(error) or f"no answer within {_CONNECT_SECONDS:.0f} s"
        remedy = f"Start it with `python -m bot cluster head`, and let the firewall pass port {port or 6379}."
        return Check("Cluster head", Status.PROBLEM, f"{address}: {why}", remedy)
    return Check("Cluster head", Status.OK, f"{address} answers")


async def _check_nodes(address: str, token: Path) -> list[Check]:
    """Ask the head, as the bridge does, which machines it has."""
    environment = child_environment() | {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    found = await ask_module("generator.backend.cluster.ray_cluster", address, seconds=60, environment=environment)
    if isinstance(found, str) or found.get("problem"):
        seen = found if isinstance(found, str) else str(found["problem"])
        return [Check("Cluster", Status.PROBLEM, seen, "Use one token, one Ray and one Python minor everywhere.")]
    nodes = [f"{name}: {cards}" for name, cards in found["nodes"]]
    if not nodes:
        remedy = f"Run `python -m bot cluster join {address}` on each machine with a graphics card."
        return [Check("Cluster", Status.WARNING, "no graphics card is connected", remedy)]
    return [Check("Cluster", Status.OK, f"graphics cards by machine: {', '.join(nodes)}")]


def _check_account(user: str) -> Check:
    name = "Bridge's account"
    if os.geteuid() != 0 and pwd.getpwuid(os.geteuid()).pw_name != user:
        remedy = "Start the bot as root (a container does), or leave cluster.user empty."
        return Check(name, Status.PROBLEM, f"only root can start a process as {user}", remedy)
    if shutil.which("setpriv") is None:
        return Check(name, Status.PROBLEM, "there is no setpriv", "Install util-linux.")
    return Check(name, Status.OK, user)


def _check_folder(folder: Path) -> Check:
    name = "Node's folder"
    if len(str(folder)) > _LONGEST_FOLDER:
        seen = f"{folder} is too long for Ray's sockets"
        return Check(name, Status.PROBLEM, seen, f"Use --folder with at most {_LONGEST_FOLDER} letters.")
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=".vivant-doctor-"):
            free = shutil.disk_usage(existing).free
    except OSError as error:
        return Check(name, Status.PROBLEM, f"{folder} cannot be written ({error.strerror})", "Use another --folder.")
    if free < GIB:
        return Check(name, Status.WARNING, f"{folder}: {free / GIB:.1f} GiB free", "Let it have at least 1 GiB.")
    return Check(name, Status.OK, f"{folder}, {free / GIB:.0f} GiB free")


def _check_shared_memory() -> Check:
    free = shutil.disk_usage(_SHARED).free if _SHARED.is_dir() else 0
    if free < 256 * MIB:
        remedy = "Let the container have more: docker run --shm-size 512m, in compose shm_size: 512m."
        return Check("Shared memory", Status.PROBLEM, f"{free / MIB:.0f} MiB free in {_SHARED}", remedy)
    return Check("Shared memory", Status.OK, f"{free / MIB:.0f} MiB free; the cluster takes 200")
