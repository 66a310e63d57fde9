"""The disk is full at every stage: nothing accepted is lost, and work goes on when there is free space again."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROMISED = {
    "enqueue": True,
    "claim": True,
    "settle": True,
    "give_back": True,
    "mark_sending": True,
    "read": True,
    "settled_after": "rendered",
    "sending_after": True,
    "lost": 0,
    "integrity": "ok",
}


def on_full_disk(folder: Path, how: str, *more: str) -> dict[str, Any]:
    """Run the child, on a small file system of its own if wanted."""
    command = [sys.executable, "-m", "tests.support.full_disk", str(folder), how, *more]
    if how == "tmpfs":
        mount = f"mount -t tmpfs -o size=4m none {shlex.quote(str(folder))} && {shlex.join(command)}"
        command = ["unshare", "-Urm", "sh", "-c", mount]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if how == "tmpfs" and ("mount:" in done.stderr or "unshare:" in done.stderr):
        pytest.skip(f"no file system of one's own here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    print(f"\n{how}: {found}")
    return found


@pytest.mark.parametrize("how", ["limit", "tmpfs"])
def test_a_full_disk_loses_nothing_at_any_stage(tmp_path: Path, how: str) -> None:
    found = on_full_disk(tmp_path, how)

    assert found.pop("accepted") >= 20
    assert found == PROMISED


def test_the_same_disk_catches_a_blind_rollback(tmp_path: Path) -> None:
    """The negative control: the cause is hidden by "no transaction is active"."""
    assert "no transaction is active" in on_full_disk(tmp_path, "tmpfs", "blind")["hidden_by"]
