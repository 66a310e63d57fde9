"""The folder that the bot and its bridge share: pictures go in, clips come out, and nothing else is in it.

The bridge may be another account of the machine and speaks for machines of others, so that what lies there is looked at
before the bot takes it.

Tested in tests/generator/backend/cluster/test_cluster_backend.py.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
import stat
from pathlib import Path

from generator.errors import DiskFull, ExecutorLost, RenderCrashed, RenderError
from generator.memory import MIB
from generator.process.durable import written_aside
from generator.protocol import Rendered, RenderRequest

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
MOST_MASTER_BYTES = 1024 * MIB


class Exchange:
    """Lends pictures to the bridge and takes clips from it. `owner` is the bridge's uid and gid, None: our own."""

    def __init__(self, folder: Path, owner: tuple[int, int] | None = None) -> None:
        self._folder = folder
        self._owner = owner

    def open(self) -> None:
        """Make the folder, private and empty: what lies there is of a bridge that is gone. Raises OSError."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o700, parents=True)
        if self._owner is not None:
            os.chown(self._folder, *self._owner)

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def paths(self, request: RenderRequest) -> RenderRequest:
        """Return the request with paths in the folder."""
        stem = self._folder / f"{request.job}-{request.attempt}"
        return dataclasses.replace(
            request,
            picture_path=stem.with_name(f"{stem.name}{request.picture_path.suffix}"),
            clip_path=stem.with_name(f"{stem.name}.clip{request.clip_path.suffix}"),
            master_path=request.master_path and stem.with_name(f"{stem.name}.master{request.master_path.suffix}"),
            frames_path=request.frames_path and stem.with_name(f"{stem.name}.frames{request.frames_path.suffix}"),
        )

    def lend(self, request: RenderRequest, lent: RenderRequest) -> None:
        """Copy the picture into the folder. Raises OSError."""
        shutil.copyfile(request.picture_path, lent.picture_path)
        if self._owner is not None:
            os.chown(lent.picture_path, *self._owner)

    def take(self, rendered: Rendered, lent: RenderRequest, request: RenderRequest) -> Rendered:
        """Move the files to where the bot wants them. Raises ExecutorLost for what is no clip of ours, and OSError."""
        master = _take_kept(rendered.master_path, lent.master_path, request.master_path)
        frames = _take_kept(rendered.frames_path, lent.frames_path, request.frames_path)
        size = _move(lent.clip_path, request.clip_path, request.max_bytes)
        return dataclasses.replace(
            rendered, clip_path=request.clip_path, master_path=master, frames_path=frames, bytes=size
        )

    def take_back(self, lent: RenderRequest) -> None:
        """Delete what is left of a request."""
        for path in (lent.picture_path, lent.clip_path, lent.master_path, lent.frames_path):
            if path is not None:
                path.unlink(missing_ok=True)


def disk_error(error: OSError) -> RenderError:
    """Return what an error of the disk is to a request: no room, which mends itself, or a crash of this attempt."""
    if error.errno in _NO_ROOM:
        return DiskFull(str(error))
    return RenderCrashed(str(error), type=type(error).__name__)


def _take_kept(made: Path | None, source: Path | None, target: Path | None) -> Path | None:
    """Move a file that is kept beside the clip, if there is one, and return where it is."""
    if made is None or source is None or target is None:
        return None
    _move(source, target, MOST_MASTER_BYTES)
    return target


def _move(source: Path, target: Path, most_bytes: int) -> int:
    """Copy a file that somebody else wrote; never a link, never more than `most_bytes`. Return its size in bytes."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ExecutorLost(
            f"the bridge left no clip: {error}", cause="garbage", detail="file", node="bridge"
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not 0 < found.st_size <= most_bytes:
            text = f"the bridge left no clip: {found.st_size} bytes, at most {most_bytes} are allowed"
            raise ExecutorLost(text, cause="garbage", detail="file", node="bridge")
        with written_aside(target) as aside:
            aside.write_bytes(file.read(most_bytes))
        return found.st_size
