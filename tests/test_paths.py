"""The ways to install: the service's rules, the wheel's content, and that a trial that fails is seen."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from scripts.paths import __main__ as command
from scripts.paths.bare import Failed, Machine
from scripts.paths.filtered import allowed_calls
from scripts.paths.trials import MOST_EXPOSURE, UNIT, Bench, exposure_of, shown, wheel

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAKEFILE = (ROOT / "Makefile").read_text()

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="NO SYSTEMD: the service is NOT tried here. Install systemd"
)

# -- the service -------------------------------------------------------------------------------------------------------


def verified(unit: str, folder: Path) -> str:
    """Return what systemd says against a unit, whose program and folder are replaced by some that are here."""
    text = unit.replace("/opt/vivant/.venv/bin/python", sys.executable)
    (folder / "vivant.service").write_text(text)
    command = ["systemd-analyze", "verify", "--man=no", str(folder / "vivant.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "vivant.service" in line]
    return "\n".join(said)


@needs_systemd
def test_systemd_has_nothing_against_the_service_and_finds_it_little_exposed(tmp_path: Path) -> None:
    assert verified(UNIT.read_text(), tmp_path) == ""
    assert exposure_of(UNIT) < MOST_EXPOSURE


@needs_systemd
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("Restart=on-failure", "Restart=sometimes"),
        ("ProtectProc=invisible", "ProtectProcs=invisible"),
        ("landlock_create_ruleset", "landlock_make_ruleset"),
        ("ExecStart=", "ExecStart=nowhere/"),
    ],
)
def test_a_mistake_in_the_service_would_be_seen(tmp_path: Path, was: str, becomes: str) -> None:
    text = UNIT.read_text()
    assert was in text and verified(text.replace(was, becomes), tmp_path)


@needs_systemd
def test_an_open_service_would_be_seen(tmp_path: Path) -> None:
    text = UNIT.read_text()
    (tmp_path / "vivant.service").write_text(text[: text.index("# What it may do.")] + text[text.index("[Install]") :])
    assert exposure_of(tmp_path / "vivant.service") > MOST_EXPOSURE
    with pytest.raises(Failed, match="no exposure"):
        exposure_of(tmp_path / "nowhere.service")


def confined_under(unit: Path) -> subprocess.CompletedProcess[str]:
    """Let the child that opens strangers' files shut itself in, under a unit's system calls."""
    child = (sys.executable, "-m", "generator.process.confine")
    return subprocess.run(
        [sys.executable, "-m", "scripts.paths.filtered", str(unit), *child],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@needs_systemd
def test_the_child_that_opens_strangers_files_shuts_itself_in_under_the_services_system_calls(tmp_path: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "-m", "generator.process.confine"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert confined_under(UNIT).stdout == plain.stdout, "as well as without them"
    narrow = tmp_path / "vivant.service"
    narrow.write_text(re.sub(r" landlock_\w+", "", UNIT.read_text()))
    if '"no other files": true' in plain.stdout:
        assert '"no other files": false' in confined_under(narrow).stdout, "the negative control: without Landlock"


@needs_systemd
def test_what_an_ordinary_service_never_does_is_refused(tmp_path: Path) -> None:
    calls = allowed_calls(UNIT.read_text())
    assert {"read", "clone", "landlock_restrict_self", "unshare"} <= calls
    assert calls.isdisjoint({"reboot", "mount", "init_module", "ptrace", "clock_settime"})
    with pytest.raises(ValueError, match="every system call"):
        allowed_calls("[Service]\nUser=vivant\n")


# -- the wheel ---------------------------------------------------------------------------------------------------------


def packed(folder: Path, *names: str) -> Bench:
    with zipfile.ZipFile(folder / "vivant-0.0.0-py3-none-any.whl", "w") as made:
        for name in names:
            made.writestr(name, "")
    return Bench(folder / "debian.tar", folder)


WHOLE = (
    "bot/sandbox/page/static/demo.js",
    "bot/queue/opening/versions/schema.sql",
    "generator/model/demo_model/checkpoint/unet/config.json",
)


def test_a_wheel_without_its_files_or_with_the_tests_is_seen(tmp_path: Path) -> None:
    assert wheel(packed(tmp_path, *WHOLE)) == "3 files"
    for number in range(len(WHOLE)):
        with pytest.raises(Failed, match=re.escape(WHOLE[number].rsplit("/", 2)[0])):
            wheel(packed(tmp_path, *WHOLE[:number], *WHOLE[number + 1 :]))
    with pytest.raises(Failed, match=r"tests/test_a\.py"):
        wheel(packed(tmp_path, *WHOLE, "tests/test_a.py"))
    with pytest.raises(Failed, match="no wheel"):
        wheel(Bench(tmp_path, tmp_path / "empty"))


def test_every_file_beside_the_code_comes_into_the_wheel() -> None:
    """What git knows in the packages and is no Python is named as data of the package; of catalogues what is read."""
    listed = subprocess.run(
        ["git", "ls-files", "bot", "generator"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    data = {name for name in listed.stdout.splitlines() if not name.endswith((".py", ".md", ".po", ".pot"))}
    found = {
        path.relative_to(ROOT).as_posix()
        for package, patterns in PROJECT["tool"]["setuptools"]["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
    }
    assert len(data) > 20 and data - found == set()


def test_the_command_of_the_wheel_is_the_one_of_the_bot() -> None:
    module, _, name = PROJECT["project"]["scripts"]["vivant"].partition(":")
    assert (ROOT / (module.replace(".", "/") + ".py")).is_file() and name


# -- what a server gets ------------------------------------------------------------------------------------------------


def test_a_server_gets_nothing_of_the_tests() -> None:
    assert re.search(r"^setup: \.venv/\.demo$", MAKEFILE, re.MULTILINE)
    assert re.search(r"^dev: \.venv/\.installed$", MAKEFILE, re.MULTILINE)
    demo = {re.split("[>=]", item)[0] for item in PROJECT["project"]["optional-dependencies"]["demo"]}
    assert demo == {"trustme", "psutil"}
    assert not any("mkdocs" in item for item in PROJECT["project"]["dependencies"])
    for target in ("test", "check", "docs", "reference"):
        assert re.search(rf"^{target}: dev$", MAKEFILE, re.MULTILINE), target


# -- the trials --------------------------------------------------------------------------------------------------------


def test_a_trial_runs_what_its_page_shows_and_fails_without_it() -> None:
    assert "make setup" in shown("docs/install/source.md", "source")
    assert "pipx install" in shown("docs/install/wheel.md", "pipx")
    assert "uv tool install" in shown("docs/install/wheel.md", "uv")
    with pytest.raises(Failed, match="nothing to try"):
        shown("docs/install/wheel.md", "snap")


def test_where_the_tools_are_missing_it_says_so_and_ends_with_77(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["paths"])
    assert command.main() == 77
    assert "NOT TRIED" in capsys.readouterr().out


def test_a_command_that_fails_on_a_machine_is_told_with_what_it_was(tmp_path: Path) -> None:
    if command.lacking():
        pytest.skip(f"NO BARE MACHINE: {command.lacking()}")
    for name in ("proc", "dev", "root/work"):
        (tmp_path / name).mkdir(parents=True)
    with pytest.raises(Failed, match=r"it ended with.*\ntrue"):
        Machine(tmp_path).run("true")  # nothing is in it yet, not even a shell
