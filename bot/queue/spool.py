"""Where pictures and clips lie on disk, one flat folder; rows name them. Knows no jobs' states and no SQL.

incoming-<key>           the picture as uploaded, until it is framed
picture-<key>.png        the conditioning image
<job>-<attempt>.<format> the clip; two tries never share a file
<job>-<attempt>-master.<format>
.<any of these>.part     being written: see generator.process.durable

The order is always: write aside, fsync, rename, fsync the folder, and only then commit the row that names it.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from bot.queue.job import Job

# 7-2.mp4, 7-2-master.mp4, .7-2.mp4.part
_OF_TRY = re.compile(r"\.?(\d+-\d+)[-.]")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class SpoolFull(Exception):
    """The disk is full or nearly so. `free_bytes` is what is left, `needed_bytes` what should be."""

    def __init__(self, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(f"{free_bytes} bytes free, {needed_bytes} needed")
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class Spool:
    """A folder of files that appear complete or not at all."""

    def __init__(self, folder: Path, min_free_bytes: int = 1024**3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._min_free_bytes = min_free_bytes

    # -- names --------------------------------------------------------------------------------------------------

    def incoming_path(self, key: str) -> Path:
        """Give where the picture of one request is uploaded to."""
        return self._path(f"incoming-{key}")

    def picture_name(self, key: str) -> str:
        """Name the conditioning image of one request."""
        return self._path(f"picture-{key}.png").name

    def picture_path(self, name: str) -> Path:
        """Give where a conditioning image lies."""
        return self._path(name)

    def clip_name(self, job: Job) -> str:
        """Name the clip of one try."""
        return f"{job.id}-{job.attempt}.{job.settings.format}"

    def master_name(self, job: Job) -> str:
        """Name the full-quality clip of one try."""
        return f"{job.id}-{job.attempt}-master.{job.settings.format}"

    def clip_path(self, name: str) -> Path:
        """Give where a clip or master lies."""
        return self._path(name)

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name in the spool: {name!r}")
        return self.folder / name

    # -- room ---------------------------------------------------------------------------------------------------

    def free_bytes(self) -> int:
        """Tell how much the disk still takes."""
        return shutil.disk_usage(self.folder).free

    def require_room(self, more_bytes: int = 0) -> None:
        """Raise SpoolFull when `more_bytes` would leave less than the configured minimum."""
        free, needed = self.free_bytes(), self._min_free_bytes + more_bytes
        if free < needed:
            raise SpoolFull(free, needed)

    # -- files --------------------------------------------------------------------------------------------------

    def delete(self, names: Iterable[str]) -> None:
        """Delete files that no row names any more; one that is gone already is fine."""
        for name in names:
            path = self._path(name)
            path.unlink(missing_ok=True)
            for smaller in self.folder.glob(f"{path.stem}-[0-9]*{path.suffix}"):  # made for places that take less
                smaller.unlink(missing_ok=True)

    def sweep(self, known: Collection[str], older_than_seconds: float = 3600.0) -> list[str]:
        """Delete what no row names, left over from a crash between file and row. Give the names.

        `known` also names tries (<job>-<attempt>): the clip of one that cannot be settled for want of room on the disk
        waits here as long as that takes.
        """
        before = time.time() - older_than_seconds
        swept = []
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # others rename and delete here meanwhile
                if not _is_known(path.name, known) and path.is_file() and path.stat().st_mtime < before:
                    path.unlink()
                    swept.append(path.name)
        return sorted(swept)


def _is_known(name: str, known: Collection[str]) -> bool:
    of_try = _OF_TRY.match(name)
    return name in known or (of_try is not None and of_try[1] in known)
