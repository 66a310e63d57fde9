"""How far one /animate travels through the code: the functions and files it visits, the file borders it crosses.

The whole bot runs in this process against the local Discord, with the real picture child and the real executor's loop
around a device without torch. `sys.setprofile` records the calls in all three processes (see `calls`), from the moment
the person sends the command until the clip is posted and the status card has its last text. What is counted:

- functions: those of bot/ (without bot/sandbox/) and generator/ that were called. A lambda or a comprehension is no
  function of its own; module and class bodies are none either.
- files: the files that hold these functions.
- borders: the distinct pairs of functions where one called the other directly and their files differ. A call by another
  library, the event loop or a thread is no border: the caller is not ours. A resumed coroutine is a call by the one
  that awaits it, so it adds no pair. The ten or so functions that the database runs inside a transaction are called
  by contextlib and therefore add none either.
- climbs: those of the borders that go to a row above in the table of ARCHITECTURE.md.

Commit dc01e8b had 277 functions in 44 files, 164 borders and 12 climbs; one of the borders came from this measurement,
which then looked into the store as well. A figure varies by one or two with the timing of a run.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.sandbox.server import Sandbox
from generator.backend.local_backend import LocalBackend
from generator.protocol import ExecutorConfig
from generator.variants import BUILT_IN
from tests.benchmarks.calls import Call, Function, read_calls, recording
from tests.benchmarks.report import Report
from tests.support.edge import running_edge, until
from tests.support.fakes import FAKE_EXECUTOR
from tests.test_walls import row_of, rows

Border = tuple[Function, Function]


@dataclass(frozen=True, slots=True)
class Trip:
    """What one /animate visited and crossed."""

    functions: frozenset[Function]
    borders: frozenset[Border]
    climbs: frozenset[Border]

    @property
    def files(self) -> frozenset[str]:
        """The files that hold the functions."""
        return frozenset(function.file for function in self.functions)


def follow(calls: Iterable[Call], known_rows: Mapping[str, int]) -> Trip:
    """Return what the calls visited and crossed; `known_rows` are the numbers of the rooms' rows, from the top."""
    functions, borders = set[Function](), set[Border]()
    for call in calls:
        functions.add(call.callee)
        if call.caller and call.caller.file != call.callee.file:
            borders.add((call.caller, call.callee))
    climbs = {pair for pair in borders if _row(pair[1], known_rows) < _row(pair[0], known_rows)}
    return Trip(frozenset(functions), frozenset(borders), frozenset(climbs))


def _row(function: Function, known_rows: Mapping[str, int]) -> int:
    module = function.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    row = row_of(module, known_rows)
    assert row is not None, f"ARCHITECTURE.md has no row for {module}"
    return row


async def _animate(folder: Path) -> tuple[float, float]:
    """Animate one picture, and return when this began and ended, in seconds of the monotonic clock."""
    config = ExecutorConfig(variants=BUILT_IN, preload="demo", threads=1)
    # running_edge names FakeBackend, and takes every Backend
    backend: Any = LocalBackend(config, command=FAKE_EXECUTOR)
    async with Sandbox() as sandbox, running_edge(folder, sandbox, backend=backend) as edge:
        await backend.start()
        try:
            await asyncio.wait_for(backend.ready.wait(), 60)
            begun = time.monotonic()
            await edge.animate()
            await until(lambda: edge.clips() and len(edge.seen()) == 1, "the clip, without its card", timeout=60)
            return begun, time.monotonic()
        finally:
            await backend.close()


def trip() -> Trip:
    """Animate one picture in the whole bot and follow it."""
    with tempfile.TemporaryDirectory(prefix="vivant-trip-") as data, recording() as folder:
        begun, ended = asyncio.run(_animate(Path(data)))
        return follow([call for call in read_calls(folder) if begun <= call.at <= ended], rows())


def _table(borders: Iterable[Border]) -> str:
    return "\n".join(f"  {a.file} {a.name} -> {b.file} {b.name}" for a, b in sorted(borders))


def run() -> Report:
    """Follow one /animate."""
    found = trip()
    return Report(
        name="trip",
        figures={
            "functions": len(found.functions),
            "files": len(found.files),
            "borders": len(found.borders),
            "climbs": len(found.climbs),
            "machine_load": os.getloadavg()[0],
        },
        targets={"borders": "< 120", "climbs": "< 5"},
        libraries=("discord.py", "aiohttp", "aiosqlite"),
        tables=[f"climbs:\n{_table(found.climbs)}"] if found.climbs else [],
    )
