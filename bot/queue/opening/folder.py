"""The data folder itself: whether this user may use its files, what to do when not, and the lock of the one bot on it.

Tested in tests/bot/queue/test_database.py and tests/bot/doctor/test_machine.py.
"""

from __future__ import annotations

import fcntl
import os
import shlex
from pathlib import Path

from bot.queue.opening.faults import StoreLocked

_OWN_FILES = ("", "vivant.db", "vivant.db-wal", "vivant.db-shm", "lock", "mark", "connected", "spool", "executor")


def unusable_files(folder: Path) -> list[Path]:
    """Return the data folder's files that this user may not read and write: after a start as root they are root's."""
    return [
        path
        for path in (folder / name for name in _OWN_FILES)
        if os.access(path, os.F_OK) and not os.access(path, os.R_OK | os.W_OK, effective_ids=True)
    ]


def chown_advice(folder: Path) -> str:
    """Return the command that gives the data folder to the user that runs the bot.

    What lies in a folder that is not the bot's own stays as it is.
    """
    user, name = f"{os.geteuid()}:{os.getegid()}", shlex.quote(str(folder))
    if os.geteuid() == 0:
        return "Set data_dir to another folder."
    if not os.access(folder, os.F_OK):
        owner = f"-o {os.geteuid()} -g {os.getegid()}"
        return f"Make it for the bot's user: sudo install -d {owner} {name} Or set data_dir to another folder."
    readable = os.access(folder, os.R_OK | os.X_OK, effective_ids=True)
    names = {path.name for path in folder.iterdir()} if readable else set()
    if names and names.isdisjoint(_OWN_FILES):
        return "Set data_dir to a folder of the bot's own, in which nothing else lies."
    return f"Give it to the bot's user: sudo chown -R {user} {name} Or set data_dir to another folder."


def lock_folder(folder: Path) -> int:
    """Lock the data folder for this process, and return the file that holds it. Raises StoreLocked and OSError."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise StoreLocked(
            f"Another bot is running on {folder}. Stop it first, or give this one its own data_dir."
        ) from error
    return lock
