"""The command `vivant` and `python -m bot` are one program, with everything that there was before."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
import typer

from bot.__main__ import app
from bot.doctor.output import command

ROOT = Path(__file__).parents[3]


def test_the_console_script_is_the_program_of_the_module() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"vivant": "bot.__main__:app"}


def test_every_command_is_there() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    found = set(group.list_commands(context))  # type: ignore[attr-defined]
    before = {"run", "demo", "doctor", "healthy", "cluster"}
    assert found >= before | {"setup", "invite", "render", "backup", "restore", "upgrade-check"}


@pytest.mark.parametrize(
    ("called", "told"),
    [("/usr/local/bin/vivant", "vivant run"), ("/srv/bot/__main__.py", "python -m bot run"), ("", "python -m bot run")],
)
def test_the_next_command_is_named_as_this_one_was_typed(
    monkeypatch: pytest.MonkeyPatch, called: str, told: str
) -> None:
    monkeypatch.setattr(sys, "argv", [called])
    assert command("run") == told
    assert command("run", Path("my config.toml")) == f"{told} --config 'my config.toml'"
