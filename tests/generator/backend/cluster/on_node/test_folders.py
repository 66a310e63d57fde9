"""The folders of a node's actors: private, kept while their process lives, swept afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from generator.backend.cluster.on_node.folders import WorkFolder, is_in_use, sweep

HOLD = """
import os, sys
from pathlib import Path
from generator.backend.cluster.on_node.folders import WorkFolder
folder = WorkFolder(Path(sys.argv[1]))
(folder.path / "clip.mp4").write_bytes(b"of a stranger")
print(folder.path, flush=True)
sys.stdin.read()
"""


def test_a_folder_is_swept_when_its_process_was_killed_and_not_before(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None and child.stdin is not None
    folder = Path(child.stdout.readline().strip())
    assert folder.stat().st_mode & 0o777 == 0o700
    sweep(tmp_path)
    assert is_in_use(tmp_path) and (folder / "clip.mp4").exists()
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert not is_in_use(tmp_path)
    own = WorkFolder(tmp_path)
    assert not folder.exists() and own.path.exists(), "a new folder sweeps those that were left"
    own.delete()
    assert not own.path.exists()
