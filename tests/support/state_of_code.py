"""Which code a run was about, for figures that are quoted."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@functools.cache
def state_of_code() -> str:
    """Return the commit, with a plus when files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    return f"commit {commit}{'+' if _git('status', '--porcelain') else ''}" if commit else "no commit"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
