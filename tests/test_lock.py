"""requirements.lock holds what runs: every dependency in the version of the constraints, each file with its hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> dict[str, str]:
    """Return the version of each package that a file of requirements pins."""
    return {normal(name): version for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)}


def without_hash(lock: str) -> list[str]:
    """Return the requirements of a lock that could be installed from any file."""
    whole = re.sub(r"\\\n\s*", " ", lock)
    lines = [line for line in whole.splitlines() if line and not line.startswith("#")]
    return [line.split()[0] for line in lines if not re.fullmatch(r"[^ ]+==[^#]*?( --hash=sha256:[0-9a-f]{64})+", line)]


def test_each_requirement_of_the_lock_has_a_hash() -> None:
    assert without_hash(LOCK) == []
    assert len(pins(LOCK)) > 50


def test_a_requirement_without_a_hash_would_be_seen() -> None:
    """The negative control."""
    hashed = f"a==1 ; sys_platform == 'linux' \\\n    --hash=sha256:{'0' * 64}\n"
    assert without_hash(f"# made\n{hashed}b==2\nc>=3 --hash=sha256:{'0' * 64}\n") == ["b==2", "c>=3"]


def test_the_lock_holds_every_dependency_in_the_version_of_the_constraints() -> None:
    locked, tested = pins(LOCK), pins((ROOT / "constraints.txt").read_text())
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["demo"]]
    missing = {normal(re.split(r"[<>=~ ]", name)[0]) for name in wanted} - locked.keys()
    assert missing == set(), "run make lock"
    assert {name: (locked[name], tested[name]) for name in locked.keys() & tested if locked[name] != tested[name]} == {}


def test_what_runs_on_a_server_is_installed_by_hash() -> None:
    [install] = re.findall(r"^install:\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    script, dockerfile = ((ROOT / name).read_text() for name in ("deploy/image/install.sh", "Dockerfile"))
    of_the_lock, of_torch_for_cpus = re.findall(r"pip install (.+)", script)
    for installs in (
        re.findall(r"pip install (.+)", install),
        [of_the_lock, *re.findall("pip install (.+)", dockerfile)],
    ):
        assert len(installs) == 2
        assert installs[0].startswith("--require-hashes --only-binary :all: ")
        assert installs[1].startswith("--no-deps --no-build-isolation "), "the code itself, with nothing fetched for it"
    assert of_torch_for_cpus.endswith('"torch==$version+cpu"'), "its hashes are in no lock; its version is the lock's"
