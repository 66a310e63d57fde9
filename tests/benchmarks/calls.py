"""Record which of our functions call each other, in this process and in the children that it starts.

`recording` puts a `sitecustomize` before everything that a child imports, so that a child records from its first call
on, whatever its command is. Only the standard library is imported here: a child with a memory limit loads this as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
ROOMS = ("bot/", "generator/")
LEFT_OUT = "bot/sandbox/"
_OPTIMIZED = 1  # inspect.CO_OPTIMIZED: a function's code, not that of a module or a class body
_FOLDER = "PYTHONTRIPFOLDER"  # children get what begins like this
_CHILD = "from tests.benchmarks import calls\ncalls.Recorder.from_environment().start()\n"


class Function(NamedTuple):
    """A function of ours: its file below the repository's root, and its qualified name."""

    file: str
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """One call or resumption of `callee` at a monotonic time in seconds; `caller` is None when it is not ours."""

    at: float
    callee: Function
    caller: Function | None


class Recorder:
    """Writes a line for each call of a function of ours, at once: a child may be killed at any moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[CodeType, Function | None] = {}
        self._file, self._process = -1, -1

    @classmethod
    def from_environment(cls) -> Recorder:
        """Return the recorder of a child."""
        return cls(Path(os.environ[_FOLDER]))

    def start(self) -> None:
        """Record this thread and each thread that begins from now on."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def stop(self) -> None:
        """Record this thread no more, nor threads that begin from now on."""
        threading.setprofile(None)
        sys.setprofile(None)

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if event != "call" or not frame.f_code.co_flags & _OPTIMIZED:
            return
        callee = self._function(frame.f_code)
        if callee is None or frame.f_code.co_name.startswith("<"):
            return
        caller = self._function(frame.f_back.f_code) if frame.f_back else None
        os.write(self._descriptor(), json.dumps([time.monotonic(), callee, caller]).encode() + b"\n")

    def _function(self, code: CodeType) -> Function | None:
        if code not in self._known:
            self._known[code] = function_of(code.co_filename, code.co_qualname)
        return self._known[code]

    def _descriptor(self) -> int:
        if self._process != os.getpid():  # a forked process gets a file of its own
            self._process = os.getpid()
            path = self._folder / f"{self._process}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return self._file


def function_of(path: str, name: str) -> Function | None:
    """Return the function of ours, or None; a lambda or comprehension stands for the function around it."""
    file = path.removeprefix(f"{ROOT}/")
    if file == path or not file.startswith(ROOMS) or file.startswith(LEFT_OUT):
        return None
    return Function(file, name.partition(".<locals>.<")[0])


@contextlib.contextmanager
def recording() -> Iterator[Path]:
    """Record calls into the files of a folder until the block ends; the children started meanwhile record as well."""
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", _FOLDER)}
    with tempfile.TemporaryDirectory(prefix="vivant-calls-") as text:
        folder = Path(text)
        (folder / "sitecustomize.py").write_text(_CHILD)
        os.environ |= {"PYTHONPATH": os.pathsep.join((text, str(ROOT))), _FOLDER: text}
        recorder = Recorder(folder)
        recorder.start()
        try:
            yield folder
        finally:
            recorder.stop()
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def read_calls(folder: Path) -> Iterator[Call]:
    """Read every process's calls."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            at, callee, caller = json.loads(line)
            yield Call(at, Function(*callee), Function(*caller) if caller else None)
