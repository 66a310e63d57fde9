"""The fence ends its process when nobody beats any more, or when the parent is gone, and not before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import psutil
import pytest

from generator.backend.cluster.on_node import fence as fence_module
from generator.backend.cluster.on_node.fence import Fence

CHILD = """
import os, sys, time
from generator.backend.cluster.on_node.fence import Fence
Fence(lambda: os._exit(7)).start()
print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fence_module, "LOOK_SECONDS", 0.01)


def test_silence_for_the_whole_lease_ends_it() -> None:
    ended = threading.Event()
    began = time.monotonic()
    Fence(ended.set, lease_seconds=0.3).start()
    assert ended.wait(5) and time.monotonic() - began >= 0.3


def test_beats_keep_it() -> None:
    ended = threading.Event()
    fence = Fence(ended.set, lease_seconds=0.5)
    fence.start()
    until = time.monotonic() + 1.0
    while time.monotonic() < until:
        fence.beat()
        assert not ended.wait(0.02)
    assert ended.wait(5), "the negative control: nobody beats any more"


def test_another_parent_ends_it() -> None:
    ended = threading.Event()
    Fence(ended.set, parent=os.getppid() + 1).start()
    assert ended.wait(5)


def test_a_process_whose_parent_was_killed_ends_itself() -> None:
    script = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {CHILD!r}]); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(10)
    assert not child.is_running()
