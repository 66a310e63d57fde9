"""Puts a backup into an empty data folder. The bot then looks up in Discord what was answered after it was made.

Everything is copied and checked in a folder inside the data folder first; then the names change, the database's last. A
bot does not start on a folder where that was cut off, and the next restoration begins anew.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from bot.doctor.upkeep.contents import DATABASE, LIST, BackupFailed, Contents, check_database, copy, reading
from bot.queue.life.named_files import count_jobs, named_files
from bot.queue.opening.copies import RESTORING, is_half_restored, mark_as_restored
from bot.queue.opening.faults import StoreLocked
from bot.queue.opening.folder import lock_folder
from generator.process.durable import publish

_MOST_LIST_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Restored:
    """A backup that was put into a data folder."""

    contents: Contents
    jobs: int


class _Opened(Protocol):
    """A backup that is open for reading."""

    def open(self, name: str) -> BinaryIO:
        """Return a file's stream. Raises KeyError or OSError when there is none."""
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")


class _Archive:
    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar

    def open(self, name: str) -> BinaryIO:
        found = self._tar.extractfile(name)  # nothing but a plain file has a stream
        if found is None:
            raise KeyError(name)
        return found  # type: ignore[return-value]


def restore_backup(source: Path, data_dir: Path) -> Restored:
    """Put a backup into a data folder that holds no database yet. Raises BackupFailed, and has changed nothing then."""
    data_dir = data_dir.absolute()
    try:
        with _opened(source) as backup:
            contents = _read_list(source, backup)
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = lock_folder(data_dir)
            try:
                return _restore(backup, contents, data_dir)
            finally:
                os.close(lock)
    except StoreLocked as error:
        raise BackupFailed(f"A bot is running on {data_dir}. Stop it, and move its folder away first.") from error
    except OSError as error:
        raise BackupFailed(
            f"The backup cannot be restored: {error.filename or source}: {error.strerror or error}."
        ) from error
    except (sqlite3.Error, tarfile.TarError, zlib.error, EOFError) as error:
        raise BackupFailed(f"The backup {source} is damaged: {error}. Take another one.") from error


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[_Opened]:
    if not source.exists():
        raise BackupFailed(f"There is no backup at {source}.")
    if source.is_dir():
        yield _Folder(source)
        return
    try:
        tar = tarfile.open(source)  # noqa: SIM115 - closed below
    except tarfile.ReadError as error:
        raise BackupFailed(f"{source} is no backup: it is neither a folder nor an archive.") from error
    with tar:
        yield _Archive(tar)


def _read_list(source: Path, backup: _Opened) -> Contents:
    try:
        with backup.open(LIST) as file:
            return Contents.from_json(file.read(_MOST_LIST_BYTES).decode())
    except (KeyError, FileNotFoundError, UnicodeDecodeError) as error:
        raise BackupFailed(
            f"{source} is no backup of `vivant backup`: it holds no {LIST}. A copy of a whole data folder, made while "
            "the bot was stopped, is put into its place as it is."
        ) from error


def _restore(backup: _Opened, contents: Contents, data_dir: Path) -> Restored:
    aside = data_dir / RESTORING
    if is_half_restored(data_dir):
        shutil.rmtree(data_dir / "spool", ignore_errors=True)
    _require_empty(data_dir)
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir(mode=0o700)
    try:
        jobs = _copy_and_check(backup, contents, aside)
    except BaseException:
        shutil.rmtree(aside)
        raise
    _give_to_owner(data_dir, aside)
    with contextlib.suppress(FileNotFoundError):
        (data_dir / "spool").rmdir()
    publish(aside / "spool", data_dir / "spool")
    mark_as_restored(data_dir)
    publish(aside / DATABASE, data_dir / DATABASE)
    _give_to_owner(data_dir, data_dir)
    shutil.rmtree(aside)
    return Restored(contents, jobs)


def _require_empty(data_dir: Path) -> None:
    there = list(data_dir.glob("vivant.db*"))
    there += list((data_dir / "spool").glob("*"))
    if there:
        raise BackupFailed(
            f"{data_dir} is in use: it holds {there[0].name}. Move it away first: mv {data_dir} {data_dir}-before"
        )


def _copy_and_check(backup: _Opened, contents: Contents, folder: Path) -> int:
    """Copy everything, and see that it is what was saved. Return the number of jobs."""
    (folder / "spool").mkdir(mode=0o700)
    for name, expected in contents.files.items():
        try:
            with backup.open(name) as file:
                found = copy(file, folder / name)
        except (KeyError, FileNotFoundError) as error:
            raise BackupFailed(f"The backup is not complete: {name} is missing. Take another one.") from error
        if found != expected:
            raise BackupFailed(f"The backup is damaged: {name} is not what was saved. Take another one.")
    with reading(folder / DATABASE) as db:
        check_database(db, folder / DATABASE)
        names = named_files(db) - {name.removeprefix("spool/") for name in contents.files} - set(contents.missing)
        jobs = count_jobs(db)
    if names:
        raise BackupFailed(f"The backup is not complete: a row names {min(names)}, which is missing. Take another one.")
    return jobs


def _give_to_owner(data_dir: Path, folder: Path) -> None:
    """Give what root has restored to the account that the data folder belongs to."""
    if os.geteuid() != 0:
        return
    owner = data_dir.stat()
    for path in (folder, *folder.rglob("*")) if folder != data_dir else (data_dir / "mark", data_dir / "lock"):
        os.chown(path, owner.st_uid, owner.st_gid)
