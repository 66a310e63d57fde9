"""What a backup holds: the database, the spool's files that its rows name, and a list of them with their hashes.

Tested in tests/bot/doctor/upkeep/test_backup.py and tests/bot/doctor/upkeep/test_restore.py.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from bot.queue.opening.checks import find_damage, find_foreign
from bot.queue.opening.migrations import scripts, version_of

LIST = "backup.json"
DATABASE = "vivant.db"
FORMAT = 1
BUSY_SECONDS = 30.0
"""how long to wait for a program that holds the database locked"""
_NAME = re.compile(r"vivant\.db|spool/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_PIECE = 1 << 20


class BackupFailed(Exception):
    """A backup can be neither made nor restored; the text is a sentence for the operator."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Contents:
    """The list of what a backup holds."""

    version: str
    """of Vivant"""
    schema: int
    made: str
    """in UTC, as in 2026-11-28T03:45:00Z"""
    files: dict[str, File]
    missing: list[str] = field(default_factory=list)
    """files that a row names and that were not in the data folder either"""

    def to_json(self) -> str:
        """Return the list as text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Contents:
        """Read the list. Raises BackupFailed when it is none, or one of a later format."""
        try:
            wire: dict[str, Any] = json.loads(text)
            if wire["format"] > FORMAT:
                raise BackupFailed("A newer version of Vivant made this backup. Install that version to restore it.")
            files = {name: File(int(item["bytes"]), str(item["sha256"])) for name, item in wire["files"].items()}
            found = cls(str(wire["version"]), int(wire["schema"]), str(wire["made"]), files, list(wire["missing"]))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise BackupFailed(f"The backup's list {LIST} cannot be read. Take another backup.") from error
        if strange := [name for name in files if not _NAME.fullmatch(name)]:
            raise BackupFailed(f"The backup holds {strange[0]!r}, which is nothing of Vivant's. It is not restored.")
        if DATABASE not in files:
            raise BackupFailed("The backup holds no database. Take another backup.")
        return found


def copy(source: BinaryIO, target: Path) -> File:
    """Copy a stream to a new file that only its owner may read, down to the disk. Return what it holds."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := source.read(_PIECE):
            digest.update(piece)
            size += len(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    return File(size, digest.hexdigest())


def describe(path: Path) -> File:
    """Read what a file holds."""
    with path.open("rb") as file:
        return File(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that may be in use, for reading alone. Raises BackupFailed when that is impossible."""
    try:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        with contextlib.closing(db):
            yield db
    except sqlite3.Error as error:
        raise BackupFailed(f"{path} cannot be read: {error}.") from error


def check_database(db: sqlite3.Connection, path: Path) -> int:
    """Return the schema of a database of ours that is whole. Raises BackupFailed, also for one of a newer version."""
    if wrong := find_foreign(db, path) or find_damage(db, path):
        raise BackupFailed(wrong)
    found, known = version_of(db), len(scripts())
    if found > known:
        raise BackupFailed(
            f"A newer version of Vivant wrote {path} (schema {found}; this one knows {known}). Install that version."
        )
    return found
