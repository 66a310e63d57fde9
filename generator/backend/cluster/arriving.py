"""A clip, its master and its frames while they come from a node in parts, so that no whole one is in memory.

Tested in tests/generator/backend/cluster/test_bridge.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO


class ArrivingFiles:
    """The files of one request while their parts arrive. What is not kept is deleted."""

    def __init__(self, wire: dict[str, Any]) -> None:
        self._paths: dict[str, Any] = {of: wire.get(f"{of}_path") for of in ("clip", "master", "frames")}
        self._open: dict[str, BinaryIO] = {}
        self._kept = False

    def __enter__(self) -> ArrivingFiles:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._open.values():
            file.close()
        if not self._kept:
            for of in self._open:
                Path(self._paths[of]).unlink(missing_ok=True)

    def write(self, of: str, part: bytes) -> None:
        """Add a part to a file. Raises OSError."""
        if of not in self._open:
            self._open[of] = Path(self._paths[of]).open("wb")  # noqa: SIM115 - __exit__ closes it
        self._open[of].write(part)

    def keep(self, facts: dict[str, Any]) -> dict[str, Any]:
        """Finish the files, and return the facts with their paths. Raises OSError."""
        for file in self._open.values():
            file.flush()
        self._kept = True
        return facts | {f"{of}_path": self._paths[of] for of in self._open}
