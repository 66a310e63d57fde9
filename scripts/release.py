"""See that a tag may be released, and print what changed: `python3 -m scripts.release v1.2.3`. Standard library alone.

Tested in tests/test_release.py.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


class NotReady(Exception):
    """The text says what must be done before this tag is released."""


def notes(tag: str, version: str, changelog: str) -> str:
    """Return what the changelog says of a version. Raises NotReady when tag, version and changelog do not agree."""
    if tag != f"v{version}":
        raise NotReady(f"The tag is {tag}, and pyproject.toml says version {version}: the tag must be v{version}.")
    sections = re.findall(r"^## \[([^\]]+)\]([^\n]*)\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    found: dict[str, tuple[str, str]] = {name: (date.strip(" -"), text.strip()) for name, date, text in sections}
    if version not in found:
        raise NotReady(f"CHANGELOG.md has no section [{version}]: give [Unreleased] this name and a date.")
    date, text = found[version]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", date):
        raise NotReady(f"The section [{version}] of CHANGELOG.md needs its date, as in: ## [{version}] - 2026-11-28")
    if not text:
        raise NotReady(f"The section [{version}] of CHANGELOG.md is empty.")
    if found.get("Unreleased", ("", ""))[1]:
        raise NotReady(f"CHANGELOG.md still has lines under [Unreleased]: they belong to [{version}].")
    return text


def main(tag: str) -> int:
    """Print the notes and return 0, or say what is missing and return 1."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    try:
        sys.stdout.write(notes(tag, version, (ROOT / "CHANGELOG.md").read_text()) + "\n")
    except NotReady as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
