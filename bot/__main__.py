"""The command line: run, demo, doctor, setup, status, backups and the container's health check.

Tested in tests/bot/doctor/test_init.py and tests/bot/test_app.py.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bot.cluster.commands import app as cluster_commands
from bot.config import load_config
from bot.config.file import ConfigError
from bot.doctor import Check, Status, examine
from bot.doctor.bench import run_bench
from bot.doctor.output import console, load_or_stop, log_and_stop, print_checks, stop
from bot.doctor.setup.command import invite, setup
from bot.doctor.upkeep.commands import backup, restore, upgrade_check
from generator.__main__ import render
from generator.process.terminal import show_letters_that_a_terminal_lacks

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The command line: run, demo, doctor, setup, status, backups and the container's health check.",
)
app.add_typer(cluster_commands, name="cluster")
app.command()(setup)
app.command()(invite)
app.command()(render)
app.command()(backup)
app.command()(restore)
app.command()(upgrade_check)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.print(f"Vivant {version('vivant')}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and stop.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="The config file; config.toml by default.")]


@app.callback()
def every(version: VersionOption = False) -> None:
    """Carry the options that all commands share."""
    show_letters_that_a_terminal_lacks()


@app.command()
def run(config: ConfigOption = None) -> None:
    """Run the bot."""
    from bot.app import StartError, run_bot
    from bot.edge.redact import hide_tokens_in_logs, log_what_nobody_caught
    from bot.monitoring.logs import set_up_logs
    from bot.queue.database import StoreError
    from generator.process.confine import hide_memory
    from generator.process.private import write_private_files

    hide_memory()  # the token will be in it
    write_private_files()
    settings = load_or_stop(config)
    set_up_logs(settings.log_level, settings.log_format)
    hide_tokens_in_logs()
    log_what_nobody_caught()
    end = log_and_stop if settings.log_format == "json" else stop
    try:
        asyncio.run(run_bot(settings))
    except StartError as error:
        end(str(error), os.EX_CONFIG)  # a restart would not help: tells a service manager not to try
    except StoreError as error:
        end(str(error), os.EX_TEMPFAIL)  # a full disk, a lock: a later start may work


@app.command()
def demo(
    picture: Annotated[Path | None, typer.Option(help="Animate this picture without a browser.")] = None,
    out: Annotated[Path, typer.Option(help="Where the clip and transcript.json go.")] = Path("demo-out"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = 8787,
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the clip, with --picture.")] = 300,
) -> None:
    """Try everything in a local Discord: no token, no GPU, nothing leaves this machine."""
    try:
        from bot.sandbox.demo import DemoError, animate_once, serve
    except ImportError as error:
        stop(f"The demo needs {error.name}: pip install 'vivant[demo]'", 1)
    logging.basicConfig(level="WARNING", format="%(levelname)-7s %(name)s: %(message)s")
    try:
        if picture is None:
            asyncio.run(serve(port))
        else:
            clip = asyncio.run(animate_once(picture, out, timeout))
            console.print(f"{clip}\n{out / 'transcript.json'}", soft_wrap=True)
    except DemoError as error:
        stop(str(error), 1)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.command()
def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    bench: Annotated[bool, typer.Option("--bench", help="Measure this machine instead: one line to share.")] = False,
) -> None:
    """Say what is wrong with this installation and how to mend it."""
    try:
        settings = load_config(config)
    except ConfigError as error:
        if not as_json:
            stop(str(error), os.EX_CONFIG)
        print_checks([Check("Configuration", Status.PROBLEM, line) for line in str(error).splitlines()], True)
        raise typer.Exit(os.EX_CONFIG) from None
    logging.basicConfig(level=settings.log_level, format="%(levelname)-7s %(name)s: %(message)s")
    if bench:
        went_well, line = asyncio.run(run_bench(settings))
        if not went_well:
            stop(line, 1)
        console.print(line, soft_wrap=True, markup=False)
        return
    checks = asyncio.run(examine(settings))
    print_checks(checks, as_json)
    if any(check.status is Status.PROBLEM for check in checks):
        raise typer.Exit(1)


@app.command()
def healthy(config: ConfigOption = None) -> None:
    """Exit 0 while the running bot is connected: the container's health check."""
    from bot.work.heartbeat import is_healthy

    if not is_healthy(load_or_stop(config).data_dir):
        stop("No bot is connected to Discord on this data folder.", 1)


@app.command()
def status(
    config: ConfigOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print it once, also on a terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show how the bot does: its queue, its cards and the last errors. Needs no token and no running bot."""
    from bot.monitoring.status import look_at
    from bot.monitoring.watch import show, show_json, watch

    try:
        look = partial(look_at, load_config(config))
    except ConfigError as error:
        if as_json:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
            raise typer.Exit(os.EX_CONFIG) from None
        stop(str(error), os.EX_CONFIG)
    if console.is_terminal and not (once or as_json):
        watch(look, console)
    elif not (show_json(look, sys.stdout) if as_json else show(look, console)):
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
