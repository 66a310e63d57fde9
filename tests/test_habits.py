"""The files around the code that forges and people read say what belongs together; the tests keep their habits."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import LONG
from tests.support.source_checks import claimless_tests, private_uses

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def read_yaml(name: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / name).read_text())
    assert isinstance(found, dict)
    return found


def test_the_workflow_calls_ci_run_on_every_supported_python() -> None:
    (job,) = read_yaml(".github/workflows/ci.yml")["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    assert [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step] == [
        "actions/checkout",
        "actions/setup-python",
    ]
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert job["strategy"]["matrix"]["python"] == [oldest, "3.12"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o100, "it must be executable"


def test_the_issue_form_asks_for_what_a_maintainer_needs() -> None:
    fields = {item["id"]: item for item in read_yaml(".github/ISSUE_TEMPLATE/bug.yml")["body"] if "id" in item}
    required = {name for name, item in fields.items() if item.get("validations", {}).get("required")}
    assert required == {"happened", "expected", "version", "doctor"}
    assert fields.keys() - required == {"log"}
    assert "python -m bot doctor --json" in fields["doctor"]["attributes"]["description"]
    assert "token" in fields["log"]["attributes"]["description"]


def test_the_pre_commit_file_runs_ruff_alone_in_the_version_of_the_constraints() -> None:
    (repository,) = read_yaml(".pre-commit-config.yaml")["repos"]
    assert [hook["id"] for hook in repository["hooks"]] == ["ruff-check", "ruff-format"]
    pinned = re.search(r"^ruff==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned and repository["rev"] == f"v{pinned[1]}"


def test_the_changelog_begins_with_what_is_unreleased_and_dates_this_version() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(PROJECT['project']['version'])}\] - \d{{4}}-\d\d-\d\d", headings[1])


def test_the_security_notice_names_rooms_that_exist() -> None:
    text = (ROOT / "SECURITY.md").read_text()
    rooms = re.findall(r"`((?:bot|generator)/[^`]*)`", text)
    assert rooms and all((ROOT / room).exists() for room in rooms)


def test_what_the_deployments_write_is_nobody_elses_to_read() -> None:
    unit = (ROOT / "docs/vivant.service").read_text().splitlines()
    assert {"UMask=0077", "StateDirectoryMode=0700", "NoNewPrivileges=yes", "LimitCORE=0"} <= set(unit)
    for service in read_yaml("compose.yaml")["services"].values():
        assert (service["security_opt"], service["cap_drop"]) == (["no-new-privileges:true"], ["ALL"])
    assert "install -d -o vivant -m 0700 /data" in (ROOT / "Dockerfile").read_text()


# -- the tests ---------------------------------------------------------------------------------------------------------

TESTS = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "tests").rglob("*.py"))}


def test_no_test_uses_a_private_name_of_ours() -> None:
    assert [f"{name}:{use}" for name, source in TESTS.items() for use in private_uses(source)] == []


@pytest.mark.parametrize(
    "source",
    [
        "worker._renders",
        "workers[0]._renders",
        "super()._play()",
        "from bot.app import _parts",
        "setattr(spool, '_min_free_bytes', 0)",
        "monkeypatch.setattr('bot.edge.client._DELAY', 0)",
        "class Stubborn(FakeBackend):\n    def render(self):\n        return self._closing",
    ],
)
def test_each_way_to_a_private_name_is_found(source: str) -> None:
    assert len(private_uses(source)) == 1


def test_names_of_its_own_and_named_exceptions_are_no_private_uses() -> None:
    own = "class Own:\n    def __init__(self):\n        self._here = 1\n    def _mine(self):\n        return self._here"
    derived = "class Derived(Own):\n    def ask(self):\n        return self._mine() + self.__doc__"
    assert private_uses(f"{own}\n{derived}\nos._exit(1)\nfrom torch import __version__") == []


def test_the_tests_begin_with_long_files_that_exist_in_the_order_that_xdist_keeps() -> None:
    assert set(LONG) <= TESTS.keys()
    assert "--dist loadfile --no-loadscope-reorder\n" in (ROOT / "Makefile").read_text()


def test_every_test_states_its_claim() -> None:
    assert [f"{name}: {test}" for name, source in TESTS.items() for test in claimless_tests(source)] == []


def test_a_test_without_a_claim_is_found() -> None:
    claims = "def test_a(): assert x\ndef test_b(): assert_it(x)\nasync def test_c():\n    await until(x)\n"
    assert claimless_tests(claims + 'def test_d():\n    """A ValueError would fail this."""\n    f()\n') == []
    assert claimless_tests(claims + "async def test_d():\n    await backend.close()\n") == ["test_d"]
