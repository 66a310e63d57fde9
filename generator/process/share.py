"""How much of this machine an executor takes: CPU threads, set before its libraries load, and pinned host memory."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

GPU_THREADS = 4
"""of an executor on a GPU, at most. With 4 each, four executors on four H200 and 64 cores rendered 34.8 clips a minute,
0.99 of four times one; with 64 each 17.1, and their first picture took 27 s to prepare instead of 1.8"""

_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""read by torch and numpy, once, when they load"""
_CARDS = ("nvidia[0-9]*", "dxg", "kfd")
"""the devices of NVIDIA's driver, of a GPU in WSL and of AMD's driver, below /dev"""


def usable_cores(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return how many cores this process may use: those it is bound to, or fewer by its container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = quota.read_text().split()
        return max(1, min(cores, int(most) // int(period)))
    except (OSError, ValueError):  # no control groups, or "max"
        return cores


def has_gpu(device: str, devices: Path = Path("/dev")) -> bool:
    """Tell whether an executor on `device` will have a GPU, as far as that is known without torch."""
    if device != "auto":
        return device != "cpu"
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(next(devices.glob(name), None) for name in _CARDS)


def share_cores(cores: int, executors: int, *, on_gpu: bool) -> int:
    """Return the threads of one of several executors: its part of the cores, on a GPU no more than it has use for."""
    share = max(1, cores // executors)
    return min(share, GPU_THREADS) if on_gpu else share


def thread_environment(threads: int) -> dict[str, str]:
    """Return the environment in which torch, numpy and their libraries take that many threads.

    Threads that wait for the others sleep: beside two busy processes on two cores, the demo's clip took 9 s of
    processor time in place of 51 (one run each).
    """
    return dict.fromkeys(_VARIABLES, str(threads)) | {"OMP_WAIT_POLICY": "PASSIVE"}


def executor_environment(
    threads: int, executors: int, *, on_gpu: bool, ours: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the thread variables of an executor: `threads` are the operator's, 0: as many as it needs.

    What our own environment says stands unless the operator has set `threads`.
    """
    if threads:
        return thread_environment(threads)
    wanted = thread_environment(share_cores(usable_cores(), executors, on_gpu=on_gpu))
    return {name: ours.get(name, count) for name, count in wanted.items()}


def host_bytes(field: str = "MemTotal", system: Path = Path("/")) -> int | None:
    """Return this machine's memory in bytes by a field of /proc/meminfo, no more than its container may have.

    None where /proc/meminfo does not say it.
    """
    try:
        lines = dict(line.split(":", 1) for line in (system / "proc/meminfo").read_text().splitlines())
        found = int(lines[field].split()[0]) * 1024
    except (OSError, ValueError, KeyError):
        return None
    try:
        return min(found, int((system / "sys/fs/cgroup/memory.max").read_text()))
    except (OSError, ValueError):  # no control groups, or "max"
        return found


def share_pinned(total: int, executors: int) -> int:
    """Return the bytes that one of several executors may pin: together no more than half of the machine's memory.

    Pinned memory is never swapped and never shared, and the kernel needs the other half for files and programs.
    """
    return total // 2 // executors
