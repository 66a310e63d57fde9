"""The files around the code that forges and people read: they parse, and they say what belongs together."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

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
