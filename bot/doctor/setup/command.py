"""The commands `setup` and `invite`: their options, and how they end.

Tested in tests/bot/doctor/setup/test_flow.py.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot.config.file import ConfigError
from bot.doctor.account import Account, find_account
from bot.doctor.output import console, errors, load_or_stop, stop
from bot.doctor.setup.asking import can_ask
from bot.doctor.setup.ending import finish, show_link
from bot.doctor.setup.flow import Given, Setup, SetupStopped, collect, file_to_write, start, write
from generator.process.confine import hide_memory

_MOST_LETTERS = 4096
"""of a token's file: more is another file"""

Config = Annotated[Path | None, typer.Option(help="The file to write; $VIVANT_CONFIG, else config.toml by default.")]
ReadConfig = Annotated[Path | None, typer.Option("--config", help="The config file; config.toml by default.")]
TokenFile = Annotated[str | None, typer.Option(help="A file that holds the bot's token; - for the standard input.")]
Token = Annotated[str | None, typer.Option(help="The token itself. Other users may see it: better --token-file.")]
Owner = Annotated[list[str] | None, typer.Option(help="A user id that may use /admin; again for more, - for nobody.")]
Language = Annotated[str | None, typer.Option(help="The bot's own language: en, de, fr, es, pt-BR or ja.")]
Variant = Annotated[str | None, typer.Option(help="svd-xt, svd, demo, or one of your own.")]
Memory = Annotated[str | None, typer.Option(help='auto, full, model-offload, lean, minimal or a cap: "6GiB".')]
DataDir = Annotated[str | None, typer.Option(help="Where the queue, pictures and clips lie.")]
Proxy = Annotated[str | None, typer.Option(help="An outbound proxy: http://host:port.")]
Download = Annotated[bool | None, typer.Option("--download/--no-download", help="Fetch the weights now, or not.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Ask nothing; without a terminal nothing is asked anyway.")]


def setup(
    config: Config = None,
    token_file: TokenFile = None,
    token: Token = None,
    owner: Owner = None,
    language: Language = None,
    variant: Variant = None,
    memory: Memory = None,
    data_dir: DataDir = None,
    proxy: Proxy = None,
    download: Download = None,
    no_input: NoInput = False,
) -> None:
    """Ask what the bot needs, write the config file, and check everything. Run it again to change an answer."""
    hide_memory()  # the token will be in it
    answers = {
        "token": _read_token(token_file) if token_file is not None else token,
        "owners": ",".join(owner) if owner else None,
        "language": language,
        "generator.variant": variant,
        "generator.memory": memory,
        "data_dir": data_dir,
        "proxy": proxy,
    }
    given = Given(
        answers={key: answer for key, answer in answers.items() if answer is not None},
        download=download,
        asks=not no_input and can_ask(),
    )
    try:
        prepared = start(file_to_write(config), given, console)
        account = _ask_and_write(prepared)
    except (SetupStopped, ConfigError) as error:
        stop(f"{error}\nNothing was changed.", os.EX_CONFIG)
    except (KeyboardInterrupt, EOFError):
        errors.print("\nNothing was changed.")
        raise typer.Exit(130) from None
    _end(prepared, account)


def _ask_and_write(prepared: Setup) -> Account | None:
    account = collect(prepared)
    try:
        lines = write(prepared)
    except OSError as error:
        raise SetupStopped(f"{prepared.path} cannot be written ({error.strerror}).") from error
    console.print(f"\n{prepared.path}: {'written' if lines else 'as before'}", markup=False, soft_wrap=True)
    for line in lines:
        console.print(f"    {line}", markup=False, soft_wrap=True)
    return account


def _end(prepared: Setup, account: Account | None) -> None:
    try:
        if not finish(prepared, account):
            raise typer.Exit(1)
    except ConfigError as error:
        stop(str(error), os.EX_CONFIG)
    except (KeyboardInterrupt, EOFError):
        errors.print(f"\nStopped. {prepared.path} is written; run the same command again to go on.", soft_wrap=True)
        raise typer.Exit(130) from None


def _read_token(name: str) -> str:
    """Return what a token's file holds. Leaves with a sentence where there is none."""
    try:
        if name == "-":
            return getpass.getpass("The bot's token: ") if sys.stdin.isatty() else sys.stdin.read(_MOST_LETTERS)
        with Path(name).expanduser().open(encoding="utf-8-sig") as file:
            return file.read(_MOST_LETTERS)
    except (OSError, RuntimeError) as error:
        stop(f"--token-file: {name} cannot be read ({getattr(error, 'strerror', None) or error}).", os.EX_CONFIG)
    except UnicodeDecodeError:
        stop(f"--token-file: {name} holds no text.", os.EX_CONFIG)


def invite(config: ReadConfig = None) -> None:
    """Print the link that adds the bot to a server, on a terminal as a QR code too."""
    settings = load_or_stop(config)
    found = asyncio.run(find_account(settings))
    if not show_link(console, settings, found if isinstance(found, Account) else None):
        assert not isinstance(found, Account)
        stop(f"{found.seen}. {found.remedy}", 1)
