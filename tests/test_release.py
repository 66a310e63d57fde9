"""A release needs a tag, a version and a changelog that agree; its workflow builds, lists, sums and signs it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.release import NotReady, notes
from scripts.site.shown import Block, unknown

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / ".github/workflows"
CHANGELOG = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

### Added

- A door.

## [0.1.0] - 2026-01-01

- A house.
"""


def test_the_notes_of_a_release_are_its_section_of_the_changelog() -> None:
    assert notes("v0.2.0", "0.2.0", CHANGELOG) == "### Added\n\n- A door."
    assert notes("v0.1.0", "0.1.0", CHANGELOG) == "- A house."


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "says"),
    [
        ("v0.2.1", "0.2.0", CHANGELOG, "the tag must be v0.2.0"),
        ("0.2.0", "0.2.0", CHANGELOG, "the tag must be v0.2.0"),
        ("v0.3.0", "0.3.0", CHANGELOG, r"no section \[0.3.0\]"),
        ("v0.2.0", "0.2.0", CHANGELOG.replace(" - 2026-12-01", ""), "needs its date"),
        ("v0.2.0", "0.2.0", CHANGELOG.replace("### Added\n\n- A door.\n", ""), "is empty"),
        ("v0.2.0", "0.2.0", CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- A roof.\n"), "still has lines"),
    ],
)
def test_what_does_not_agree_is_said_before_anything_is_built(
    tag: str, version: str, changelog: str, says: str
) -> None:
    with pytest.raises(NotReady, match=says):
        notes(tag, version, changelog)


def test_today_nothing_is_released_by_chance() -> None:
    """The project's own changelog is read, and its open section keeps a tag back."""
    with pytest.raises(NotReady):
        notes("v0.0.0", "0.1.0", (ROOT / "CHANGELOG.md").read_text())


# -- the workflow ------------------------------------------------------------------------------------------------------


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return dict(found["jobs"])


def steps(job: dict[str, Any]) -> str:
    return "\n".join(f"{step.get('uses', '')}\n{step.get('run', '')}\n{step.get('with', '')}" for step in job["steps"])


def test_what_is_released_was_checked_and_comes_with_sums_a_list_of_parts_and_its_origin() -> None:
    release = jobs("release.yml")
    called = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())[True]
    assert "workflow_call" in called and release["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert {job.get("needs") for name, job in release.items() if name != "checks"} == {"checks"}
    files, images = steps(release["files"]), steps(release["images"])
    order = [files.index(part) for part in ("scripts.release", "make wheel", "cyclonedx", "sha256sum", "attest-build")]
    assert order == sorted(order) and "attest-sbom" in files and "requirements.lock" in files
    assert "attest-build-provenance" in images and "'sbom': True" in images and "mode=max" in images
    torch = {(kind["torch"], bool(kind.get("index"))) for kind in release["images"]["strategy"]["matrix"]["include"]}
    assert torch == {("cuda", False), ("cpu", True)}


def test_only_the_jobs_that_publish_may_write() -> None:
    workflow = yaml.safe_load((WORKFLOWS / "release.yml").read_text())
    assert workflow["permissions"] == {"contents": "read"}
    writes = {
        name: {right for right, how in job.get("permissions", {}).items() if how == "write"}
        for name, job in workflow["jobs"].items()
    }
    assert writes == {
        "checks": set(),
        "files": {"contents", "id-token", "attestations"},
        "images": {"packages", "id-token", "attestations"},
    }
    assert "pull_request" not in workflow[True], "nobody's change is released before it is merged"


def test_the_commands_of_the_workflow_are_there() -> None:
    known = re.findall(r"run: (make \w+|python3 -m scripts\.\w+)", (WORKFLOWS / "release.yml").read_text())
    assert len(known) == 2
    assert [problem for command in known for problem in unknown(Block("release.yml", command), [])] == []
