"""A filter of system calls for a process that opens strangers' files: no network, no other process, no new program.

The kernel answers a forbidden call with "not permitted", so that a library which only tries goes on. Everything else
is allowed: a list of what is allowed would break with each new version of the C library. x86-64 and 64-bit ARM only.

Tested in tests/generator/process/test_confine.py.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2  # <linux/prctl.h>, <linux/seccomp.h>
_ALLOW, _DENY, _NO_SUCH_CALL, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS, 0x80000000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # <linux/bpf_common.h>
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_X32 = 0x40000000
_CLONE_THREAD = 0x00010000
_CLONE_NEW = 0x7E020080  # every namespace: CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET, -TIME

_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""by `platform.machine()`: the column of the numbers below, the kernel's name in <linux/audit.h>"""

_Calls = dict[str, tuple[int, int]]
_NETWORK: _Calls = {"socket": (41, 198), "connect": (42, 203), "io_uring_setup": (425, 425)}
_OTHER_PROCESSES: _Calls = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "kcmp": (312, 272),
}
_THE_SYSTEM: _Calls = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "unshare": (272, 97),
    "setns": (308, 268),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
_PROGRAMS: _Calls = {
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, -1),
    "vfork": (58, -1),
    "kill": (62, 129),
}
_CLONE, _CLONE3, _TGKILL, _PRLIMIT = (56, 220), (435, 435), (234, 131), (302, 261)


def install(*, programs: bool) -> bool:
    """Filter this process's calls from now on, and those of what it starts. Return whether the kernel does it.

    `programs`: it may start others, which it may end. Call it while there is one thread, after `no_new_privs`.
    """
    found = _ARCHITECTURES.get(platform.machine())
    if found is None:
        return False
    code = b"".join(_filter(*found, programs=programs))
    kept = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_char_p(program), 0, 0) == 0)


def _filter(column: int, architecture: int, *, programs: bool) -> Iterator[bytes]:
    denied = _NETWORK | _OTHER_PROCESSES | _THE_SYSTEM | ({} if programs else _PROGRAMS)
    yield from (_step(_LOAD, _ARCHITECTURE), _step(_EQUAL, architecture, 1, 0), _step(_RETURN, _KILL))
    yield _step(_LOAD, _NUMBER)
    if column == 0:  # the same calls under other numbers
        yield from (_step(_AT_LEAST, _X32, 0, 1), _step(_RETURN, _KILL))
    for number in (numbers[column] for numbers in denied.values() if numbers[column] >= 0):
        yield from (_step(_EQUAL, number, 0, 1), _step(_RETURN, _DENY))
    # Its flags lie in memory, where no filter sees them; without it the C library calls clone.
    yield from (_step(_EQUAL, _CLONE3[column], 0, 1), _step(_RETURN, _NO_SUCH_CALL))
    yield from _if_argument(
        _CLONE[column], *((_ANY_BIT, _CLONE_NEW, False) if programs else (_ANY_BIT, _CLONE_THREAD, True))
    )
    yield from _if_argument(_PRLIMIT[column], _EQUAL, 0, True)  # 0: this process
    if not programs:
        yield from _if_argument(_TGKILL[column], _EQUAL, os.getpid(), True)
    yield _step(_RETURN, _ALLOW)


def _if_argument(number: int, test: int, value: int, allowed: bool) -> Iterator[bytes]:
    """Allow the call if its first argument passes the test, or if it does not."""
    yield from (_step(_EQUAL, number, 0, 4), _step(_LOAD, _FIRST_ARGUMENT))
    yield from (_step(test, value, 0, 1), _step(_RETURN, _ALLOW if allowed else _DENY))
    yield _step(_RETURN, _DENY if allowed else _ALLOW)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)
