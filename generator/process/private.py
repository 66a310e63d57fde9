"""Files and folders that only this account of the machine may open. Knows nothing of their content."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

_OTHERS = 0o077
"""the rights of the group and of everybody"""


def write_private_files() -> None:
    """Give no other account a right to what this process and its children write from now on."""
    os.umask(_OTHERS)


def make_private(folder: Path, names: Iterable[str]) -> None:
    """Make the folder, and take other accounts' rights to it and to what its patterns `names` match.

    What belongs to somebody else is left as it is, with a word in the log.
    """
    with contextlib.suppress(OSError):  # told where the folder is used
        folder.mkdir(parents=True, exist_ok=True)
    for path in open_to_others(folder, names):
        try:
            path.chmod(path.stat().st_mode & 0o700)
        except FileNotFoundError:
            continue  # deleted meanwhile
        except OSError as error:
            log.warning("%s stays open to other accounts of this machine: %s", path, error.strerror)


def open_to_others(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield the folder, and what its patterns `names` match, as far as other accounts have a right to it."""
    for path in (folder, *(found for name in names for found in folder.glob(name))):
        with contextlib.suppress(OSError):
            if path.stat().st_mode & _OTHERS and (path.is_dir() or not path.is_symlink()):
                yield path
