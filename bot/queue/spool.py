"""The folder of pictures and clips; the rows hold their names. Knows no job states and no SQL.

incoming-<key>           the picture as uploaded, until it is framed
picture-<key>.png        the conditioning image
picture-<key>-before.mp4 begins with the frames that a clip of it continues; goes with it
<job>-<attempt>.<format> the clip; two attempts never share a file
<job>-<attempt>-master.<format>
<job>-<attempt>-frames.mp4   the rendered frames, where the clip does not hold them as they are; kept as long as it
<job>-<attempt>-as-<change>.<format>   the clip in another format, as another loop, ...: made when somebody asked
.<job>-<attempt>.frames.png  some frames of a clip, while the filter looks at them
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
from typing import NamedTuple

from bot.queue.job import Job
from generator.clip import Format, holds_frames
from generator.protocol import before_path

# 7-2.mp4, 7-2-master.mp4, .7-2.mp4.part
_OF_ATTEMPT = re.compile(r"\.?(\d+-\d+)[-.]")
_FRAMES = re.compile(r"(\d+-\d+)-frames\.mp4")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


class SpoolFull(Exception):
    """The disk is nearly full: `free_bytes` are free, `needed_bytes` should be."""

    def __init__(self, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(f"{free_bytes} bytes free, {needed_bytes} needed")
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes


class AttemptPaths(NamedTuple):
    """The files of one attempt: its conditioning image, its clip, the clip in full quality, and its frames."""

    picture: Path
    clip: Path
    master: Path
    frames: Path


class ClipGone(Exception):
    """A job's clip is no longer kept."""


class Spool:
    """A folder of files that appear complete or not at all."""

    def __init__(self, folder: Path, min_free_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._min_free_bytes = min_free_bytes

    # -- names --------------------------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Return the path of a file. Raises ValueError when `name` could lie outside the folder."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name in the spool: {name!r}")
        return self.folder / name

    def incoming_path(self, key: str) -> Path:
        """Return the path for an upload of the request with this key. Raises ValueError for an unsafe key."""
        return self.path(f"incoming-{key}")

    def request_paths(self, key: str) -> tuple[Path, Path]:
        """Return the paths for one request's picture: as uploaded, and as conditioning image."""
        return self.incoming_path(key), self.path(f"picture-{key}.png")

    def attempt_paths(self, job: Job) -> AttemptPaths:
        """Return the paths of the files that one attempt reads and writes."""
        name, suffix = f"{job.id}-{job.attempt}", job.settings.format
        return AttemptPaths(
            picture=self.path(job.picture),
            clip=self.path(f"{name}.{suffix}"),
            master=self.path(f"{name}-master.{suffix}"),
            frames=self.path(f"{name}-frames.mp4"),
        )

    def clip_of(self, job: Job) -> Path:
        """Return the path of a rendered job's clip. Raises ClipGone when it is no longer kept."""
        path = self.path(job.clip) if job.clip else None
        if path is None or not path.is_file():
            raise ClipGone(f"job {job.id}")
        return path

    def frames_of(self, job: Job) -> Path:
        """Return the file that begins with a rendered job's frames as they are. Raises ClipGone when there is none."""
        clip, made = self.clip_of(job), job.settings
        kept = clip.with_name(f"{clip.stem}-frames.mp4")
        if kept.is_file():
            return kept
        if not holds_frames(made.format, made.loop, made.smooth):
            raise ClipGone(f"frames of job {job.id}")
        master = self.path(job.master) if job.master else clip
        return master if master.is_file() else clip

    def with_frames(self, names: Iterable[str]) -> list[Path]:
        """Return the paths of files, and of the frames that are kept beside the clips among them."""
        paths = [self.path(name) for name in names]
        beside = [path.with_name(f"{path.stem}-frames.mp4") for path in paths]
        return paths + [path for path in beside if path.is_file()]

    # -- free space ---------------------------------------------------------------------------------------------

    def free_bytes(self) -> int:
        """Return how many bytes are free on the disk."""
        return shutil.disk_usage(self.folder).free

    def require_room(self) -> None:
        """Raise SpoolFull when less than the configured minimum is free."""
        free = self.free_bytes()
        if free < self._min_free_bytes:
            raise SpoolFull(free, self._min_free_bytes)

    # -- files --------------------------------------------------------------------------------------------------

    def delete(self, names: Iterable[str]) -> None:
        """Delete files that no row names any more; one that is gone already is fine."""
        for name in names:
            path = self.path(name)
            path.unlink(missing_ok=True)
            # Made for channels with a lower limit, kept beside the clip, made from it.
            endings = (f"[0-9]*{path.suffix}", "frames.mp4", "as-*", "before.mp4")
            for pattern in (f"{path.stem}-{ending}" for ending in endings):
                for other in self.folder.glob(pattern):
                    other.unlink(missing_ok=True)

    def delete_request(self, key: str) -> None:
        """Delete the picture of a request that becomes no job, also half written."""
        incoming, picture = self.request_paths(key)
        for path in (incoming, picture, before_path(picture)):
            path.unlink(missing_ok=True)
            path.with_name(f".{path.name}.part").unlink(missing_ok=True)

    def delete_attempts(self, job_id: int) -> None:
        """Delete whatever the attempts of one job have written, also half written."""
        for pattern in (f"{job_id}-*", f".{job_id}-*"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def sweep(self, known: Collection[str], older_than_seconds: float = 3600.0) -> list[str]:
        """Delete what no row names, left over from a crash between file and row. Return the names.

        `known` also holds running attempts (<job>-<attempt>): while a full disk keeps one from being settled, its clip
        stays here.
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
    if name.removesuffix("-before.mp4") + ".png" in known:
        return True
    attempt, frames = _OF_ATTEMPT.match(name), _FRAMES.fullmatch(name)
    if frames is not None and any(f"{frames[1]}.{format}" in known for format in Format):
        return True
    return name in known or (attempt is not None and attempt[1] in known)
