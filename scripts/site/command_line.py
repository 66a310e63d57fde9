"""The page of the command line: from the trees of `python -m bot` and `python -m generator`.

Tested in tests/test_written.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from bot.__main__ import app as bot_app
from generator.__main__ import app as generator_app
from scripts.site.written import row

PROGRAMS = {"python -m bot": bot_app, "python -m generator": generator_app}
_HEAD = """# Command line

Installed from a wheel, `vivant` is the same as `python -m bot`. From the source it is `.venv/bin/python -m bot`, in
the folder of the source.

This page is written from the code by `make reference`.
"""


def programs() -> dict[str, Any]:
    """Return click's tree of each program, by what is typed for it."""
    return {name: typer.main.get_command(app) for name, app in PROGRAMS.items()}


def leaves(typed: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Yield each command that can be run, with what is typed for it."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield typed, command
        return
    for name, item in inner.items():
        if not item.hidden:
            yield from leaves(f"{typed} {name}", item)


def command_line_page() -> str:
    """Return the page."""
    text = [_HEAD]
    for program, command in programs().items():
        for typed, leaf in leaves(program, command):
            text += [f"## `{typed}`", "", _first_sentences(leaf.help), ""]
            if rows := [_parameter(item) for item in leaf.params if not getattr(item, "hidden", False)]:
                text += [row("option", "default", "what it does"), "|---|---|---|", *rows, ""]
    return "\n".join(text)


def _first_sentences(text: str | None) -> str:
    return " ".join((text or "").split("\f")[0].split())


def _parameter(item: Any) -> str:
    names = item.opts + item.secondary_opts if item.param_type_name == "option" else [item.name.upper()]
    default = item.default
    if item.required or default in (None, "", False) or callable(default):
        default = "needed" if item.required else ""
    else:
        default = f"`{getattr(default, 'value', default)}`"
    return row(" ".join(f"`{name}`" for name in names), default, getattr(item, "help", "") or "")
