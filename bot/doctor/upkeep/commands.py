"""The commands `backup`, `restore` and `upgrade-check`: their options, and how they end.

Tested in tests/bot/doctor/upkeep/test_commands.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bot.doctor.check import Status
from bot.doctor.output import command, console, load_or_stop, print_checks, stop
from bot.doctor.upkeep.backup import make_backup
from bot.doctor.upkeep.contents import BackupFailed, Contents
from bot.doctor.upkeep.restore import restore_backup
from generator.memory import MIB
from generator.process.private import write_private_files

ConfigOption = Annotated[Path | None, typer.Option("--config", help="The config file; config.toml by default.")]
Target = Annotated[Path, typer.Argument(help="A new folder, or a file such as backup.tar.gz.", show_default=False)]
Source = Annotated[Path, typer.Argument(help="What `backup` made: a folder or a file.", show_default=False)]


def backup(target: Target, config: ConfigOption = None) -> None:
    """Save the queue with its pictures and clips, also while the bot runs."""
    write_private_files()
    data_dir = load_or_stop(config).data_dir
    try:
        made = make_backup(data_dir, target.expanduser())
    except BackupFailed as error:
        stop(str(error), 1)
    contents = made.contents
    size = sum(file.bytes for file in contents.files.values()) / MIB
    console.print(
        f"{made.path}: {_holds(made.jobs, contents)}, {size:.1f} MiB",
        soft_wrap=True,
        markup=False,
    )
    for name in contents.missing:
        console.print(f"{name} is named by a job and was not there", style="yellow", soft_wrap=True, markup=False)
    text = (
        "It holds people's pictures: keep it as private as the data folder, and no longer than you need it. The config "
        "file is not in it."
    )
    console.print(text, soft_wrap=True, markup=False)


def restore(source: Source, config: ConfigOption = None) -> None:
    """Put a backup into the data folder, which must hold no database yet."""
    write_private_files()
    data_dir = load_or_stop(config).data_dir
    try:
        restored = restore_backup(source.expanduser(), data_dir)
    except BackupFailed as error:
        stop(str(error), 1)
    contents = restored.contents
    text = (
        f"{data_dir}: {_holds(restored.jobs, contents)}, as of {contents.made}\n"
        "Start it on one machine only. The bot then looks up in Discord what was answered since, and answers nothing "
        f"twice. What was asked after the backup was made is not in it. Next: {command('run', config)}"
    )
    console.print(text, soft_wrap=True, markup=False)


def _holds(jobs: int, contents: Contents) -> str:
    files = len(contents.files) - 1  # the database is one
    return (
        f"{jobs} {'job' if jobs == 1 else 'jobs'}, {files} {'picture or clip' if files == 1 else 'pictures and clips'}"
    )


def upgrade_check(
    config: ConfigOption = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False
) -> None:
    """Say whether this version fits the data folder, the config file and what is installed; change nothing."""
    from bot.doctor.upkeep.upgrade import examine_upgrade

    checks = examine_upgrade(config)
    print_checks(checks, as_json)
    if any(check.status is Status.PROBLEM for check in checks):
        raise typer.Exit(1)
