"""What the commands print: checks, a sentence before they stop, and how this program is called here.

Tested in tests/bot/doctor/test_output.py, tests/bot/doctor/test_init.py and tests/bot/doctor/setup/test_flow.py.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from bot.config import Config, load_config
from bot.config.file import ConfigError
from bot.doctor.check import Check, Status

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

_PIP = re.compile(r"\bpip install\b")
_OURS = re.compile(r"`(?:python -m bot|vivant) (?=[a-z])")


def stop(text: str, code: int) -> NoReturn:
    """Print a sentence for the operator, and leave with that exit status."""
    errors.print(as_typed_here(text), style="red", soft_wrap=True, markup=False)
    raise typer.Exit(code)


def log_and_stop(text: str, code: int) -> NoReturn:
    """Log a sentence for the operator, and leave with that exit status."""
    logging.getLogger(__name__).critical("%s", text)
    raise typer.Exit(code)


def load_or_stop(path: Path | None) -> Config:
    """Return the configuration, or leave with a sentence for each mistake in it."""
    try:
        return load_config(path)
    except ConfigError as error:
        stop(str(error), os.EX_CONFIG)


def print_checks(checks: list[Check], as_json: bool) -> None:
    """Print JSON, or each check on one line, however narrow the terminal: a link that is cut in two leads nowhere."""
    if as_json:
        sys.stdout.write(json.dumps({"checks": [asdict(check) for check in checks]}) + "\n")
        return
    colours = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}
    for check in checks:
        colour = colours[check.status]
        console.print(f"[{colour}]{check.status:8s}[/] {check.name:22s} {escape(check.seen)}", soft_wrap=True)
        if check.remedy:
            console.print(f"[{colour}]{'→':>31s}[/] {escape(as_typed_here(check.remedy))}", soft_wrap=True)


def command(words: str, config: Path | None = None) -> str:
    """Return a command as a person types it here: of the installed `vivant`, or of the module."""
    called = Path(sys.argv[0])
    program = _shortest(called) if called.name == "vivant" else f"{_shortest(Path(sys.executable))} -m bot"
    return f"{program} {words}" + (f" --config {shlex.quote(str(config))}" if config is not None else "")


def as_typed_here(text: str) -> str:
    """Return a sentence with the commands in it as they work here: a virtual environment's are on nobody's path.

    Only for the terminal: in Discord nobody needs to know where the bot is installed.
    """
    text = _OURS.sub(lambda _: f"`{command('')}", text)
    return _PIP.sub(lambda _: f"{_shortest(Path(sys.executable))} -m pip install", text)


def _shortest(program: Path) -> str:
    """Return the shortest way to call a program in this folder: its name, a way from here, or its whole path."""
    found = shutil.which(program.name)
    if found is not None and Path(found).absolute() == program.absolute():
        return program.name
    whole = program.absolute()
    return shlex.quote(str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole))
