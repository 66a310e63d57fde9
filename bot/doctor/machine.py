"""This machine: Python, the data folder and what may be under it, and the port of the metrics.

Tested in tests/bot/doctor/test_machine.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
from pathlib import Path

from bot.config import Config
from bot.doctor.check import Check, Status, ask_module
from bot.queue.opening.checks import missing_for_sqlite
from bot.queue.opening.folder import chown_advice, unusable_files
from bot.work.heartbeat import is_healthy
from generator.memory import GIB, HOST_BYTES, MIB
from generator.process.confine import describe
from generator.process.share import has_gpu, host_bytes, share_pinned

MOUNTS = Path("/proc/mounts")
SHARES = {"cifs", "smb3", "smbfs", "9p", "nfs", "nfs4", "drvfs", "vboxsf", "afs", "ceph", "glusterfs", "lustre"}
LOCAL_DISK = "Set data_dir to a folder on a local disk; on Windows, one inside of WSL and not under /mnt."


async def check_python(_config: Config) -> list[Check]:
    """Look at Python and SQLite."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sqlite3.sqlite_version_info < (3, 37):
        remedy = "Install a Python built with SQLite 3.37 or newer; the queue needs STRICT tables."
        return [Check("Python", Status.PROBLEM, f"{version}, SQLite {sqlite3.sqlite_version}", remedy)]
    return [Check("Python", Status.OK, f"{version}, SQLite {sqlite3.sqlite_version}")]


async def check_disk(config: Config) -> list[Check]:
    """See that the data folder can be written, has room, and lies on a disk that SQLite can work on."""
    return [await asyncio.to_thread(_check_folder, config)]


def _check_folder(config: Config) -> Check:
    folder = config.data_dir.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if os.access(parent, os.F_OK))
    if not existing.is_dir():
        remedy = "Set data_dir to a folder."
        return Check("Data folder", Status.PROBLEM, f"{existing} is a file, so {folder} can be no folder", remedy)
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=".vivant-doctor-") as trial:
            lacks = missing_for_sqlite(Path(trial))
    except OSError as error:
        seen = f"{folder} cannot be written ({error.strerror})"
        return Check("Data folder", Status.PROBLEM, seen, chown_advice(folder))
    if foreign := unusable_files(folder):
        seen = f"{foreign[0]} may not be read and written by this user"
        return Check("Data folder", Status.PROBLEM, seen, chown_advice(folder))
    if lacks:
        return Check("Data folder", Status.PROBLEM, f"{folder} lies on a disk without {lacks}", LOCAL_DISK)
    return _check_kind_and_room(config, folder, existing)


def _check_kind_and_room(config: Config, folder: Path, existing: Path) -> Check:
    free = shutil.disk_usage(existing).free
    seen = f"{folder}, {free / GIB:.1f} GiB free"
    if free < config.retention.min_free_mib * MIB:
        remedy = "Free some space or lower retention.min_free_mib; until then /animate is refused."
        return Check("Data folder", Status.PROBLEM, seen, remedy)
    kind = kind_of_disk(existing, MOUNTS.read_text() if MOUNTS.is_file() else "")
    if kind in SHARES or kind.startswith("fuse."):
        seen += f", on a share ({kind}), whose locks and shared memory cannot be relied on"
        return Check("Data folder", Status.WARNING, seen, LOCAL_DISK)
    return Check("Data folder", Status.OK, seen)


def kind_of_disk(folder: Path, mounts: str) -> str:
    """Return the file system's type of the mount that `folder` lies on, from the text of /proc/mounts."""
    real, best = folder.resolve(), ("", "")
    for line in mounts.splitlines():
        words = line.split()
        if len(words) > 2:
            where = words[1].encode().decode("unicode_escape")  # a space is written \040
            if real.is_relative_to(where) and len(where) >= len(best[0]):
                best = (where, words[2])
    return best[1]


async def check_memory(config: Config) -> list[Check]:
    """Say how much host memory the executors pin together, and whether that is as much as they want."""
    settings, total = config.generator, host_bytes()
    if (
        total is None
        or config.all_variants()[settings.variant].is_demo
        or not (settings.gpus or has_gpu(settings.device))
    ):
        return []
    executors = max(1, len(settings.gpus))
    return [describe_pinned(executors, share_pinned(total, executors), total)]


def describe_pinned(executors: int, most: int, total: int) -> Check:
    """Judge what each of the executors may pin, `most` bytes of `total`."""
    wanted = (
        f"{HOST_BYTES / GIB:.1f} GiB of weights" if executors == 1 else f"{HOST_BYTES / GIB:.1f} GiB of weights each"
    )
    who = "1 executor pins" if executors == 1 else f"{executors} executors pin"
    if most >= HOST_BYTES:
        seen = f"{who} {wanted}, {executors * HOST_BYTES / GIB:.1f} of {total / GIB:.1f} GiB together"
        return Check("Pinned memory", Status.OK, seen)
    seen = (
        f"{who} {most / GIB:.1f} of {wanted}: half of this machine's {total / GIB:.1f} GiB is the most for all together"
    )
    remedy = "It works; plans that stream their weights are slower. Add memory, or list fewer cards in generator.gpus."
    return Check("Pinned memory", Status.WARNING, seen, remedy)


async def check_port(config: Config) -> list[Check]:
    """See that the metrics' port is free, unless the bot itself runs and has it."""
    port = config.metrics_port
    if not port or is_healthy(config.data_dir):
        return []
    address = config.metrics_address
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.create_server((str(address), port), family=family):
            pass
    except OSError as error:
        remedy = "Set metrics_port to a free one, or to 0 for no metrics, and metrics_address to one of this machine."
        seen = f"port {port} of {address} cannot be used ({error.strerror})"
        return [Check("Metrics", Status.PROBLEM, seen, remedy)]
    open_to = "" if address.is_loopback else f" at {address}: whoever reaches it can read how busy the bot is"
    return [Check("Metrics", Status.OK, f"port {port} is free{open_to}")]


async def check_confinement(_config: Config) -> list[Check]:
    """Try from inside a child that opens strangers' files what it can reach on this machine."""
    name = "Confined children"
    answer = await ask_module("generator.process.confine")
    if isinstance(answer, str):
        remedy = "Report it, with this line: strangers' pictures are opened with fewer walls around them."
        return [Check(name, Status.WARNING, f"not tried: {answer[-200:]}", remedy)]
    holds, missing = describe(answer)
    seen = f"holds: {', '.join(holds) or 'nothing'}"
    if not missing:
        return [Check(name, Status.OK, seen)]
    remedy = "What opens strangers' files is best shut in by Linux 6.12 or newer with Landlock and seccomp turned on."
    return [Check(name, Status.WARNING, f"{seen}; missing: {', '.join(missing)}", remedy)]
