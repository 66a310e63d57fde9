"""The commands that start a machine of a cluster: `python -m bot cluster head`, `join` and `doctor`. Hides Ray's own.

Tested in tests/bot/cluster/test_commands.py.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from bot.doctor.check import Status
from bot.doctor.cluster import examine_node
from bot.doctor.output import console, print_checks, stop
from generator.backend.cluster.on_node.folders import node_folder
from generator.backend.cluster.on_node.start import FIRST_PORT, HEAD_PORT, NodeOptions, NodeRunner, make_token

app = typer.Typer(no_args_is_help=True, help="Many machines: start the head, join it, look at this machine.")

TokenOption = Annotated[Path, typer.Option(help="The file with the cluster's token; the same on every machine.")]
FolderOption = Annotated[Path | None, typer.Option(help="A private folder for this node; on tmpfs, or encrypted.")]
NameOption = Annotated[str, typer.Option(help="What /admin status calls this machine; by default its own name.")]
IpOption = Annotated[str | None, typer.Option(help="The address at which the other machines reach this one.")]
FirstPortOption = Annotated[int, typer.Option(help="The first of 120 ports that this machine listens on; 0: any free.")]
TOKEN = Path("~/.vivant-cluster-token")


@app.command()
def head(
    ip: IpOption = None,
    port: Annotated[int, typer.Option(help="The port that nodes join at.")] = HEAD_PORT,
    cards: Annotated[int, typer.Option(help="Graphics cards of this machine that render too.")] = 0,
    token_file: TokenOption = TOKEN,
    folder: FolderOption = None,
    name: NameOption = "",
    first_port: FirstPortOption = FIRST_PORT,
) -> None:
    """Start the cluster beside the bot, and keep it running."""
    token = token_file.expanduser()
    if make_token(token):
        console.print(f"A new token is in {token}. Copy this file to each machine, with mode 600.", soft_wrap=True)
    options = NodeOptions(
        folder=folder or node_folder(),
        token_file=token,
        name=name,
        cards=cards,
        ip=ip,
        port=port,
        first_port=first_port,
    )
    console.print(f"Nodes join with: python -m bot cluster join {ip or 'THIS-MACHINE'}:{port}", soft_wrap=True)
    _run(options)


@app.command()
def join(
    address: Annotated[str, typer.Argument(help="The head's address and port, such as 10.0.0.5:6379.")],
    cards: Annotated[int | None, typer.Option(help="Graphics cards to offer; by default all.")] = None,
    ip: IpOption = None,
    token_file: TokenOption = TOKEN,
    folder: FolderOption = None,
    name: NameOption = "",
    first_port: FirstPortOption = FIRST_PORT,
) -> None:
    """Let this machine's graphics cards render for the cluster at ADDRESS, until it is stopped."""
    token = token_file.expanduser()
    if not token.is_file():
        stop(f"There is no token in {token}. Copy that file from the head, with mode 600.", os.EX_CONFIG)
    options = NodeOptions(
        folder=folder or node_folder(),
        token_file=token,
        address=address,
        name=name,
        cards=cards,
        ip=ip,
        first_port=first_port,
    )
    _run(options)


@app.command()
def doctor(
    address: Annotated[str, typer.Argument(help="The head's address and port; left out: none is asked.")] = "",
    token_file: TokenOption = TOKEN,
    folder: FolderOption = None,
) -> None:
    """Say whether this machine can be part of a cluster, and how to mend what is wrong."""
    checks = asyncio.run(examine_node(address, token_file.expanduser(), folder or node_folder()))
    print_checks(checks, as_json=False)
    if any(check.status is Status.PROBLEM for check in checks):
        raise typer.Exit(1)


def _run(options: NodeOptions) -> None:
    try:
        status = NodeRunner(options, lambda text: console.print(text, soft_wrap=True)).run()
    except OSError as error:
        stop(f"The node cannot be started: {error}", os.EX_CONFIG)
    raise typer.Exit(status)
