"""Which files a process may open: Linux's Landlock, which needs no rights to be used. From Linux 5.13 on.

It also keeps a process from looking into others and, where the kernel is new enough, from TCP and from signalling them.

Tested in tests/generator/process/test_confine.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_WANT_VERSION, _BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _LIST = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE, _MAKE, _TRUNCATE = 1 << 5, 1 << 8, 1 << 14  # regular files
_OF_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE
_TCP, _SCOPES = 0b11, 0b11
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""by the interface's version: how many kinds of access it knows"""


def restrict(readable: Iterable[Path], writable: Iterable[Path], *, programs: bool) -> bool:
    """Let this process, and what it starts, open only what lies below these paths. Return whether the kernel does it.

    Paths that are not there are left out. `programs`: what is readable may be run. Call it after `no_new_privs`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _WANT_VERSION)
    if version < 1:
        return False
    handled = (1 << max(count for known, count in _RIGHTS.items() if known <= version)) - 1
    asked = [handled, *([_TCP] if version >= 4 else []), *([_SCOPES] if version >= 6 else [])]
    wanted = struct.pack(f"{len(asked)}Q", *asked)
    rules = libc.syscall(_CREATE, wanted, ctypes.c_size_t(len(wanted)), 0)
    if rules < 0:
        return False
    read = _READ | _LIST | (_EXECUTE if programs else 0)
    try:
        for path in readable:
            _allow(libc, rules, path, read & handled)
        for path in writable:
            _allow(libc, rules, path, (_READ | _LIST | _WRITE | _REMOVE | _MAKE | _TRUNCATE) & handled)
        return bool(libc.syscall(_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            rule = struct.pack("=Qi", rights if path.is_dir() else rights & _OF_A_FILE, descriptor)
            libc.syscall(_ADD, rules, _BENEATH, rule, 0)
        finally:
            os.close(descriptor)
