"""Folders for strangers' pictures and clips on a node: private, and swept when their process is gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

NODE_FOLDER = "VIVANT_NODE_FOLDER"
"""names the node's folder in the environment of its actors"""
WORK = "work"
"""the folder in it that holds the actors' own"""
LEAVING = "leaving"
"""the file in it that says that the node takes no more requests"""
_LOCK = ".lock"


def node_folder() -> Path:
    """Return the folder of this machine's node: what `cluster join` set, else one in the account's cache."""
    return Path(os.environ.get(NODE_FOLDER) or Path.home() / ".cache" / "vivant-node")


class WorkFolder:
    """A folder of one process below `root`, for as long as the process holds its lock."""

    def __init__(self, root: Path) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (root / _LOCK).open("a") as turn:  # a folder that has no lock yet must not be swept by another process
            fcntl.flock(turn, fcntl.LOCK_EX)
            sweep(root)
            self.path = Path(tempfile.mkdtemp(prefix="work-", dir=root))  # its mode is 0700
            self._lock = (self.path / _LOCK).open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def delete(self) -> None:
        """Delete it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(root: Path) -> None:
    """Delete the work folders below `root` whose process is gone: the kernel has given up its lock."""
    for folder in root.glob("work-*"):
        with contextlib.suppress(OSError):
            if _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def is_in_use(root: Path) -> bool:
    """Tell whether a process has a work folder below `root`."""
    return any(not _is_left(folder) for folder in root.glob("work-*"))


def _is_left(folder: Path) -> bool:
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
