"""The command `vivant` and `python -m bot` are one program, with everything that there was before."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
import typer

from bot.__main__ import app
from bot.doctor.check import Check, Status
from bot.doctor.output import as_typed_here, command, print_checks

ROOT = Path(__file__).parents[3]


def test_the_console_script_is_the_program_of_the_module() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"] == {"vivant": "bot.__main__:app"}


def test_every_command_is_there() -> None:
    group = typer.main.get_command(app)
    context = typer.Context(group)
    found = set(group.list_commands(context))  # type: ignore[attr-defined]
    before = {"run", "demo", "doctor", "healthy", "cluster"}
    assert found >= before | {"setup", "invite", "render", "backup", "restore", "upgrade-check"}


def use(root: Path, monkeypatch: pytest.MonkeyPatch, called: str) -> None:
    """Be in the folder `here`, whose virtual environment is on no path; `called` is what a person started."""
    for name in ("path/vivant", "path/python3", "here/.venv/bin/python3"):
        program = root / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(0o755)
    monkeypatch.chdir(root / "here")
    monkeypatch.setenv("PATH", str(root / "path"))
    monkeypatch.setattr(sys, "argv", [str(root / called)])
    monkeypatch.setattr(sys, "executable", str(root / "here/.venv/bin/python3"))


def test_a_remedy_is_typed_as_it_works_here_and_other_words_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(tmp_path, monkeypatch, "path/vivant")
    text = "Run `python -m bot doctor`, or `vivant setup`; pip install 'vivant[filter]'. `vivant.db` is no command."
    print_checks([Check("Filter", Status.WARNING, "none", text)], as_json=False)
    assert (
        "Run `vivant doctor`, or `vivant setup`; .venv/bin/python3 -m pip install 'vivant[filter]'. "
        "`vivant.db` is no command."
    ) in capsys.readouterr().out
    monkeypatch.setattr(sys, "executable", str(tmp_path / "path/python3"))
    assert as_typed_here("pip install torch") == "python3 -m pip install torch", "an environment that is active"


@pytest.mark.parametrize(
    ("called", "told"),
    [
        ("path/vivant", "vivant run"),
        ("here/.venv/bin/vivant", ".venv/bin/vivant run"),
        ("else where/vivant", "'{root}/else where/vivant' run"),
        ("here/bot/__main__.py", ".venv/bin/python3 -m bot run"),
    ],
)
def test_the_next_command_is_named_as_it_works_in_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: str, told: str
) -> None:
    use(tmp_path, monkeypatch, called)
    told = told.format(root=tmp_path)
    assert command("run") == told
    assert command("run", Path("my config.toml")) == f"{told} --config 'my config.toml'"
