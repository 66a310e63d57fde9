"""Makes a backup while the bot runs: the database at one moment, and each file that its rows name at that moment.

SQLite copies the database within one read transaction. The spool's files are never changed once they have their name,
so copying them later gives the same bytes; but one may be deleted meanwhile, as its row let go of it. Then the copy of
the database is older than the folder, and another one is made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO

from bot.doctor.upkeep.contents import (
    DATABASE,
    LIST,
    BackupFailed,
    Contents,
    File,
    check_database,
    copy,
    describe,
    reading,
)
from bot.queue.life.named_files import count_jobs, named_files
from generator.process.durable import publish, sync

MOST_SNAPSHOTS = 20
ARCHIVES = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup."""

    path: Path
    contents: Contents
    jobs: int


def make_backup(data_dir: Path, target: Path, then: Callable[[], None] = lambda: None) -> Made:
    """Write a backup of the data folder to `target`: an archive where its name ends so, else a new folder.

    It appears complete or not at all. `then` runs after each copy of the database, before the files are copied.
    Raises BackupFailed.
    """
    data_dir, target = data_dir.absolute(), target.absolute()
    aside = target.with_name(f".{target.name}.part")
    try:
        _check(data_dir, target)
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove(aside)  # of a backup that was killed
        aside.mkdir(mode=0o700)
        made = _fill(data_dir, aside, target, then)
        _publish(aside, target)
        return made
    except OSError as error:
        raise BackupFailed(
            f"The backup cannot be written: {error.filename or target}: {error.strerror or error}."
        ) from error
    except sqlite3.Error as error:
        raise BackupFailed(f"The database cannot be copied: {error}.") from error
    finally:
        with contextlib.suppress(OSError):
            _remove(aside)


def is_archive(path: Path) -> bool:
    """Tell by a name whether it is that of an archive."""
    return path.name.lower().endswith(ARCHIVES)


def _check(data_dir: Path, target: Path) -> None:
    if not (data_dir / DATABASE).exists():
        raise BackupFailed(f"There is no database in {data_dir}: the bot has not run on it yet, or data_dir is wrong.")
    if target.resolve().is_relative_to(data_dir.resolve()):
        raise BackupFailed(f"{target} lies in the data folder itself. Name a place outside of it.")
    if target.is_dir() and not is_archive(target):
        if any(target.iterdir()):
            raise BackupFailed(
                f"{target} is not empty. Name a folder that is not there yet, or a file such as x.tar.gz."
            )
    elif os.path.lexists(target):
        raise BackupFailed(f"{target} is there already. Name another file.")


def _fill(data_dir: Path, folder: Path, target: Path, then: Callable[[], None]) -> Made:
    spool, copied = folder / "spool", dict[str, File]()
    spool.mkdir(mode=0o700)
    for _ in range(MOST_SNAPSHOTS):
        _snapshot(data_dir / DATABASE, folder / DATABASE)
        then()
        with reading(folder / DATABASE) as db:
            schema, names = check_database(db, folder / DATABASE), named_files(db)
            jobs = count_jobs(db)
        gone = _copy_files(data_dir / "spool", spool, names - copied.keys(), copied)
        with reading(data_dir / DATABASE) as db:
            missing = gone & named_files(db)  # no row lets go of them: they were lost some other way
        if gone == missing:
            break
    else:
        raise BackupFailed("Files were deleted faster than they could be copied. Try again in a quieter moment.")
    for name in copied.keys() - names:
        (spool / name).unlink()
        del copied[name]
    files = {DATABASE: describe(folder / DATABASE), **{f"spool/{name}": copied[name] for name in sorted(copied)}}
    made = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    contents = Contents(version("vivant"), schema, made, files, sorted(missing))
    (folder / LIST).touch(mode=0o600)
    (folder / LIST).write_text(contents.to_json(), encoding="utf-8")
    return Made(target, contents, jobs)


def _snapshot(source: Path, target: Path) -> None:
    """Copy the database as it is at one moment, and leave one file without a log beside it."""
    target.unlink(missing_ok=True)
    target.touch(mode=0o600)
    with reading(source) as live, contextlib.closing(sqlite3.connect(target, isolation_level=None)) as db:
        live.execute("select 1 from sqlite_schema").fetchall()  # waits for a lock a while; the next line would for ever
        live.backup(db)  # all pages in one step: one read transaction, which keeps no writer waiting
        db.execute("pragma journal_mode = delete").fetchall()


def _copy_files(source: Path, target: Path, names: Iterable[str], copied: dict[str, File]) -> set[str]:
    """Copy files into `target` and note them in `copied`; return the names of those that are not there."""
    gone = set()
    for name in names:
        try:
            with (source / name).open("rb") as file:
                copied[name] = copy(file, target / name)
        except FileNotFoundError:
            gone.add(name)
    return gone


def _publish(aside: Path, target: Path) -> None:
    if not is_archive(target):
        for path in (aside / LIST, aside / "spool"):
            sync(path)
        publish(aside, target)
        return
    archive = target.with_name(f".{target.name}.part.tar")
    try:
        descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file, _writing(file, target) as tar:
            for name in (LIST, DATABASE, "spool"):
                tar.add(aside / name, name)
        publish(archive, target)
    finally:
        archive.unlink(missing_ok=True)


def _writing(file: IO[bytes], target: Path) -> tarfile.TarFile:
    if target.name.lower().endswith(".tar"):
        return tarfile.open(fileobj=file, mode="w")
    return tarfile.open(fileobj=file, mode="w:gz", compresslevel=1)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
