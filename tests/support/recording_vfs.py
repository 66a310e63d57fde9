"""A SQLite VFS that records every write and sync, and rebuilds what a power cut would leave.

A write that was not followed by a sync of its file is, piece by piece of 512 bytes, kept, lost or torn at random.
"""

# ruff: noqa: N802 - the methods carry SQLite's own names

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

PIECE = 512


@dataclass(frozen=True)
class Event:
    """Something that reached the disk's cache, or `ack`: a transaction of ours that returned."""

    kind: str
    file: str = ""
    offset: int = 0
    data: bytes = b""
    number: int = 0


class RecordingVFS(apsw.VFS):
    """Passes everything on to the real file system and keeps a log of it. Close its connections before `unregister`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log: list[Event] = []
        super().__init__(name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _RecordingFile(self.log, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.log.append(Event("delete", Path(filename).name))
        super().xDelete(filename, syncdir)

    def ack(self, number: int) -> None:
        """Note that transaction `number` was acknowledged."""
        self.log.append(Event("ack", number=number))


class _RecordingFile(apsw.VFSFile):
    def __init__(self, log: list[Event], name: Any, flags: list[int]) -> None:
        self._log = log
        self._file = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._log.append(Event("write", self._file, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:
        self._log.append(Event("truncate", self._file, size))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._log.append(Event("sync", self._file))


@dataclass
class _File:
    synced: bytearray
    pending: list[Event] = field(default_factory=list)


def power_cuts(
    base: dict[str, bytes], log: list[Event], cuts: Iterable[int], rng: random.Random
) -> Iterator[tuple[int, dict[str, bytes]]]:
    """Yield, for each index in `cuts`, the last acknowledged number before it and one disk that may be left."""
    files = {name: _File(bytearray(data)) for name, data in base.items()}
    acked, done = 0, 0
    for cut in sorted(cuts):
        for event in log[done:cut]:
            if event.kind == "ack":
                acked = event.number
            elif event.kind == "sync":
                file = files.setdefault(event.file, _File(bytearray()))
                for pending in file.pending:
                    _apply(file.synced, pending)
                file.pending.clear()
            elif event.kind == "delete":
                files.pop(event.file, None)
            else:
                files.setdefault(event.file, _File(bytearray())).pending.append(event)
        done = cut
        kept = rng.choice((0.0, 0.1, 0.5, 0.9, 1.0))
        yield acked, {name: _after_cut(file, kept, rng) for name, file in files.items()}


def _after_cut(file: _File, kept: float, rng: random.Random) -> bytes:
    content = bytearray(file.synced)
    for event in file.pending:
        if event.kind == "truncate":
            if rng.random() < kept:
                _apply(content, event)
            continue
        for start in range(0, len(event.data), PIECE):
            piece = event.data[start : start + PIECE]
            if rng.random() >= kept:
                continue
            if rng.random() < 0.1:
                piece = piece[: rng.randrange(len(piece))]
            _apply(content, Event("write", event.file, event.offset + start, piece))
    return bytes(content)


def _apply(content: bytearray, event: Event) -> None:
    if event.kind == "truncate":
        del content[event.offset :]
        return
    if len(content) < event.offset:
        content.extend(bytes(event.offset - len(content)))
    content[event.offset : event.offset + len(event.data)] = event.data
