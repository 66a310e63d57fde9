"""The page of commands: from the tree that the bot registers with Discord.

Tested in tests/test_written.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import discord
from discord import app_commands

from bot.config.generator import GeneratorConfig
from bot.edge.commands import add_commands
from scripts.site.written import row

Json = Mapping[str, Any]

_HEAD = """# Commands in Discord

What people type, as the bot registers it with Discord. In the demo, on the page of `make demo`, they are the same ones.

This page is written from the code by `make reference`.
"""
_KINDS = {3: "text", 4: "whole number", 5: "yes or no", 6: "person", 7: "channel", 8: "role", 10: "number", 11: "file"}
_SUBCOMMANDS = (1, 2)
_PLACES = {0: "servers", 1: "direct messages with the bot", 2: "other direct messages and groups"}


def tree() -> list[Json]:
    """Return every command as Discord gets it."""
    client = discord.Client(intents=discord.Intents.none())
    commands = app_commands.CommandTree(client)
    add_commands(commands, GeneratorConfig())
    kinds = (discord.AppCommandType.chat_input, discord.AppCommandType.message, discord.AppCommandType.user)
    return [command.to_dict(commands) for kind in kinds for command in commands.get_commands(type=kind)]


def flat(commands: list[Json]) -> Iterator[tuple[str, Json]]:
    """Yield each command that a person can run, with what is typed for it; a group yields those in it."""
    for command in commands:
        if command["type"] == discord.AppCommandType.chat_input.value:
            yield from _inside(f"/{command['name']}", command)
        else:
            yield f"*Apps → {command['name']}*", command


def _inside(name: str, command: Json) -> Iterator[tuple[str, Json]]:
    inner = [option for option in command.get("options", []) if option["type"] in _SUBCOMMANDS]
    if not inner:
        yield f"`{name}`", command
    for option in inner:
        yield from _inside(f"{name} {option['name']}", option)


def commands_page() -> str:
    """Return the page."""
    text = [_HEAD]
    for typed, command in flat(tree()):
        text += [f"## {typed}", "", _sentence(command), ""]
        if contexts := command.get("contexts"):
            text += [f"It works in {', '.join(_PLACES[place] for place in contexts)}.", ""]
        if options := command.get("options"):
            text += [row("option", "holds", "what it does"), "|---|---|---|", *map(_option, options), ""]
    return "\n".join(text)


def _sentence(command: Json) -> str:
    if description := command.get("description"):
        return f"{description}."
    return "Right-click or hold a message, then *Apps*: the same for the picture in it, without typing."


def _option(option: Json) -> str:
    kind = _KINDS[option["type"]]
    if choices := option.get("choices"):
        kind = " or ".join(f"*{choice['name']}*" for choice in choices)
    low, high = (option.get(name) for name in ("min_value", "max_value"))
    if low is not None and high is not None:
        kind += f", {low:g} to {high:.16g}"
    needed = ", needed" if option.get("required") else ""
    return row(f"`{option['name']}`{needed}", kind, option["description"])
