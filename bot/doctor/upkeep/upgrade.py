"""What this version of the program would find and change on this machine: a look before an update, no change."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from bot.config import Config, load_config
from bot.config.file import ConfigError
from bot.doctor.check import Check, Status
from bot.doctor.machine import check_python
from bot.doctor.output import command
from bot.doctor.upkeep.contents import DATABASE, BackupFailed, check_database, reading
from bot.queue.opening.copies import is_half_restored
from bot.queue.opening.migrations import migrate, scripts
from bot.work.heartbeat import is_healthy
from generator.memory import MIB

_COPIES = 3
"""of the database that lie on the disk at most while it is migrated: itself, the copy before, and SQLite's own"""


def examine_upgrade(path: Path | None) -> list[Check]:
    """Look at the installed packages, the config file and the data folder."""
    checks = [Check("Version", Status.OK, f"Vivant {version('vivant')}, schema {len(scripts())} of the database")]
    checks += asyncio.run(check_python(Config()))
    checks.append(check_packages(requires("vivant") or ()))
    try:
        config = load_config(path)
    except ConfigError as error:
        remedy = "Correct it; config.example.toml lists every key of this version."
        return [*checks, *(Check("Configuration", Status.PROBLEM, line, remedy) for line in str(error).splitlines())]
    return [*checks, check_settings(config), *check_data(config.data_dir, path)]


def check_packages(requirements: Iterable[str]) -> Check:
    """See whether each package that this version needs is installed in a version that it was made for."""
    wrong = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            wrong.append(f"{requirement.name} is not installed")
            continue
        if not requirement.specifier.contains(found, prereleases=True):
            wrong.append(f"{requirement.name} is {found}, needed is {requirement.specifier}")
    if wrong:
        return Check("Packages", Status.PROBLEM, "; ".join(wrong), "Install this version again, with its dependencies.")
    return Check("Packages", Status.OK, "all that this version needs are installed")


def check_settings(config: Config) -> Check:
    """Name the settings that this version reads and does not follow any more."""
    if config.generator.compile:
        remedy = "Take it out of the config file when it is convenient."
        return Check("Configuration", Status.WARNING, "generator.compile does nothing any more", remedy)
    return Check("Configuration", Status.OK, "every key is known")


def check_data(folder: Path, path: Path | None = None) -> list[Check]:
    """Say whether the data folder fits this version and what its first start would change; try that on a copy."""
    name = "Data folder"
    if is_half_restored(folder):
        remedy = f"Run {command('restore BACKUP', path)} again."
        return [Check(name, Status.PROBLEM, "a backup was not restored into it to its end", remedy)]
    try:
        if not (folder / DATABASE).exists():
            return [Check(name, Status.OK, f"{folder} holds no database yet; the first start makes one")]
        checks = [_judge(folder, path)]
    except BackupFailed as error:
        remedy = f"Restore a backup into an empty folder: {command('restore BACKUP', path)}"
        return [Check(name, Status.PROBLEM, str(error), remedy)]
    except OSError as error:
        return [
            Check(name, Status.PROBLEM, f"{folder} cannot be read ({error.strerror})", "Run this as the bot's user.")
        ]
    if is_healthy(folder):
        checks.append(Check("Running bot", Status.WARNING, "a bot runs on it", "Stop it before you start the new one."))
    return checks


def _judge(folder: Path, path: Path | None) -> Check:
    name, database = "Data folder", folder / DATABASE
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:  # leaves nobody's data behind
        with reading(database) as live:
            live.backup(copy)
        found, known = check_database(copy, database), len(scripts())
        if found == known:
            return Check(name, Status.OK, f"{folder} has schema {found}; nothing is to be migrated")
        [(size,)] = copy.execute("select page_count * page_size from pragma_page_count, pragma_page_size").fetchall()
        if shutil.disk_usage(folder).free < _COPIES * size:
            remedy = f"Free {_COPIES * size // MIB + 1} MiB: the old database is kept beside the new one for a while."
            return Check(name, Status.PROBLEM, f"too little room on the disk to migrate {folder}", remedy)
        seconds = _migrate(copy, database)
    tried = f"tried on a copy: {seconds:.1f} s"
    seen = f"{folder} has schema {found}; the first start migrates it to {known} ({tried})"
    backup = command("backup vivant-backup.tar.gz", path)
    return Check(name, Status.WARNING, seen, f"Make a backup first: {backup}. No older version opens it afterwards.")


def _migrate(copy: sqlite3.Connection, database: Path) -> float:
    """Migrate a copy; return the seconds that took. Raises BackupFailed."""
    begun = time.monotonic()
    try:
        migrate(copy, scripts(), None)
        check_database(copy, database)
    except sqlite3.Error as error:
        raise BackupFailed(f"A copy of {database} could not be migrated: {error}. Please report it.") from error
    return time.monotonic() - begun
