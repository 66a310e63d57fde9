"""Get a variant's files from the Hugging Face hub, once: in a child process, which can be ended when nothing arrives.

The storage client of the hub waits ten silent minutes for a host that does not answer, in threads that nothing ends.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from huggingface_hub import constants, try_to_load_from_cache

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.layout import MODULES, is_complete, require_open, single_file_way, unavailable
from generator.model.checkpoint.troubles import Wanted, bad_endpoint, is_local_file, stalled
from generator.process.environment import model_environment
from generator.protocol import Phase, Progress
from generator.variants import Variant

log = logging.getLogger(__name__)

STALL_SECONDS = 90.0
"""after so long without a new byte a download counts as stalled"""
BEGIN_SECONDS = 120.0
"""for Python to start and for the hub to say what there is, which has its own, shorter limit"""
LOOK_SECONDS = 0.5

OnProgress = Callable[[Progress], None]


def fetch_weights(variant: Variant, source: str | None = None, on_progress: OnProgress | None = None) -> Path:
    """Return the folder that holds the variant's files, downloading them once if the source is a hub repository.

    `source` is a folder or a repository to use instead of the variant's. Raises WeightsUnavailable.
    """
    source = source or variant.source
    if (folder := local_folder(source)) is not None:
        return folder
    wanted = Wanted(source, variant.revision if source == variant.source else None)
    whole = source == variant.source
    return find_cached(wanted, whole=whole) or _download(wanted, whole, on_progress or (lambda progress: None))


def local_folder(source: str) -> Path | None:
    """Return a source that is a folder; None when it is a repository. Raises WeightsUnavailable when it is neither."""
    path = Path(source).expanduser() if source.startswith("~/") else Path(source)
    require_open(path)
    if path.is_dir():
        return path
    if path.is_file():
        way = (
            single_file_way(path) if path.suffix == ".safetensors" else f"{path} is a file: name a checkpoint's folder."
        )
        raise unavailable("missing", way)
    if is_local_file(source):
        raise unavailable("missing", f"There is no folder {source}. Correct the variant's `source`.")
    address, _, name = source.partition("://")
    if name and address in ("http", "https"):
        repository = "/".join(name.split("/")[1:3])
        raise unavailable(
            "missing", f"{source} is an address. Name the repository alone: {repository or 'owner/name'}."
        )
    return None


def find_cached(wanted: Wanted, *, whole: bool) -> Path | None:
    """Return the folder of a finished download, of all modules or of a UNet alone, without asking the hub.

    `snapshot_download(local_files_only=True)` finds nothing, because it misses the files that were not downloaded.
    """
    for name in ("unet/config.json", "config.json"):  # a distilled UNet may lie at the top of its repository
        try:
            found = try_to_load_from_cache(wanted.source, name, revision=wanted.revision)
        except (ValueError, OSError):  # no name of a repository, or a cache that cannot be read: the download says it
            return None
        if isinstance(found, str):
            folder = Path(found.removesuffix(name))
            modules = MODULES if whole else (name.rpartition("/")[0],)
            return folder if is_complete(folder, modules) else None
    return None


def _download(wanted: Wanted, whole: bool, on_progress: OnProgress) -> Path:
    if bad := bad_endpoint():
        raise unavailable(*bad)
    failed: WeightsUnavailable | None = None
    for with_xet in (True, False):
        child = _Child(wanted, whole, with_xet)
        try:
            return child.watch(on_progress)
        except WeightsUnavailable as error:
            failed = error
            if not child.began or error.data["why"] not in ("stalled", "hub"):
                break  # it was not the storage client that failed
            log.warning("%s; trying once more by plain HTTP", error.text)
    assert failed is not None
    raise failed


class _Child:
    """One download in a process of its own."""

    def __init__(self, wanted: Wanted, whole: bool, with_xet: bool) -> None:
        self._wanted = wanted
        request = {"source": wanted.source, "revision": wanted.revision, "whole": whole, "parent": os.getpid()}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "generator.model.checkpoint.download", json.dumps(request)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=_environment(with_xet),
        )
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._total = 0
        self.began = False
        """the hub has answered, and files are on their way"""

    def watch(self, on_progress: OnProgress) -> Path:
        """Return the folder once it is complete. Raises WeightsUnavailable; the process is gone afterwards."""
        threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True).start()
        try:
            return self._wait(on_progress)
        finally:
            self._process.kill()
            self._process.wait()

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(b"")
        stream.close()

    def _wait(self, on_progress: OnProgress) -> Path:
        seen, moved, told = -1, time.monotonic(), -1
        while True:
            arrived = _bytes_in_cache(self._wanted.source)
            if arrived != seen:
                seen, moved = arrived, time.monotonic()
            elif time.monotonic() - moved > (limit := STALL_SECONDS if self.began else BEGIN_SECONDS):
                raise unavailable(*stalled(self._wanted.source, limit))
            percent = min(99, 100 * arrived // self._total) if self._total else 0
            if percent != told and self.began:
                told = percent
                on_progress(Progress(Phase.LOAD, percent, 100))
            try:
                line = self._lines.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            if (folder := self._handle(line)) is not None:
                return folder
            moved = time.monotonic()

    def _handle(self, line: bytes) -> Path | None:
        if not line:
            raise unavailable("hub", "The process that downloads the weights ended. The log says why; try again.")
        answer: dict[str, Any] = json.loads(line)
        if "trouble" in answer:
            raise unavailable(*answer["trouble"])
        if "folder" in answer:
            return Path(answer["folder"])
        self._total, self.began = int(answer["of"]), True
        return None


def _environment(with_xet: bool) -> dict[str, str]:
    """Return the environment of a download: what the hub's client has read in this process counts there too."""
    settings = {
        "HF_ENDPOINT": constants.ENDPOINT,
        "HF_HUB_CACHE": str(constants.HF_HUB_CACHE),
        "HF_HUB_OFFLINE": "1" if constants.HF_HUB_OFFLINE else "0",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    return model_environment() | settings | ({} if with_xet else {"HF_HUB_DISABLE_XET": "1"})


def _bytes_in_cache(source: str) -> int:
    """Return how many bytes of a repository are on the disk, those of unfinished files included."""
    folder = Path(constants.HF_HUB_CACHE) / f"models--{source.replace('/', '--')}" / "blobs"
    total = 0
    try:
        for path in folder.iterdir():
            total += (
                path.stat().st_blocks * 512
            )  # not the size: the storage client makes files long before it fills them
    except OSError:
        pass  # nothing is there yet, or a file was just renamed
    return total
