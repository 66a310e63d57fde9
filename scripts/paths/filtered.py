"""Run a program under the system call filter of the systemd unit: `python -m scripts.paths.filtered UNIT PROGRAM ...`.

It asks systemd-analyze which calls the unit's groups are, and hands them to libseccomp, as systemd does itself.
Tested in tests/test_paths.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM  # SCMP_ACT_ALLOW, SCMP_ACT_ERRNO of <seccomp.h>


def allowed_calls(unit: str) -> set[str]:
    """Return the names of the system calls that a unit allows. Raises ValueError when it has no list of them."""
    found = re.search(r"^SystemCallFilter=([^~\n]+)$", unit, re.MULTILINE)
    if found is None:
        raise ValueError("the unit allows every system call")
    return {call for name in found[1].split() for call in _members(name)}


def _members(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in listed.stdout.splitlines()[1:]]
    return {call for word in words if word and not word.startswith("#") for call in _members(word)}


def install(calls: set[str]) -> None:
    """Refuse this process and all that it starts every other call. Raises OSError when that cannot be done."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_REFUSE)))
    for call in calls:
        number = library.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:  # below: another architecture's
            library.seccomp_rule_add(filter_, ctypes.c_uint32(_ALLOW), ctypes.c_int(number), ctypes.c_uint(0))
    if (failed := library.seccomp_load(filter_)) != 0:
        raise OSError(-failed, "the filter cannot be installed")


if __name__ == "__main__":
    install(allowed_calls(Path(sys.argv[1]).read_text()))
    os.execvp(sys.argv[2], sys.argv[2:])
