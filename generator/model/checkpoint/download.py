"""Be the process that downloads one repository. Its answers are JSON lines: the size, then the folder or the trouble.

Started by `generator.model.checkpoint.hub`. Tested in tests/generator/model/checkpoint/test_hub.py.
"""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import HfApi, constants, snapshot_download

from generator.memory import MIB
from generator.model.checkpoint.troubles import Trouble, Wanted, explain, no_room
from generator.process.lifeline import die_with_parent, take_stdout

log = logging.getLogger(__name__)

HUB_SECONDS = 30.0
"""after so long without an answer the hub counts as unreachable"""


class _NoRoom(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble[1])
        self.trouble = trouble


def download(wanted: Wanted, answers: BinaryIO) -> Path:
    """Download what is needed of a repository, and return its folder. Raises what the hub's client raises."""
    # list_repo_files would need 23 s to notice that there is no network.
    repository = HfApi().model_info(wanted.source, revision=wanted.revision, timeout=HUB_SECONDS, files_metadata=True)
    sizes = {item.rfilename: int(item.size or 0) for item in repository.siblings or ()}
    names = wanted_files(list(sizes))
    total = sum(sizes[name] for name in names)
    _require_room(wanted, total)
    _write(answers, {"of": total})
    return Path(snapshot_download(wanted.source, revision=wanted.revision, allow_patterns=names))


def wanted_files(names: list[str]) -> list[str]:
    """Return the configuration files and, for each module, the half-precision weights if there are any, else all."""
    wanted = [name for name in names if name.endswith(".json")]
    folders = sorted({name.rpartition("/")[0] for name in names if name.endswith(".safetensors")})
    for folder in folders:
        weights = [name for name in names if name.rpartition("/")[0] == folder and name.endswith(".safetensors")]
        wanted += [name for name in weights if ".fp16" in name] or weights
    top = {name for name in wanted if "/" not in name and name.endswith(".safetensors")}
    has_modules = any(name.startswith("unet/") for name in wanted)
    return [name for name in wanted if not (has_modules and name in top)]


def _require_room(wanted: Wanted, total: int) -> None:
    """Raise before hours of downloading that cannot end well."""
    cache = Path(constants.HF_HUB_CACHE)
    blobs = cache / f"models--{wanted.source.replace('/', '--')}" / "blobs"
    here = sum(path.stat().st_size for path in blobs.iterdir() if path.is_file()) if blobs.is_dir() else 0
    existing = next(parent for parent in (cache, *cache.absolute().parents) if parent.exists())
    if shutil.disk_usage(existing).free < total - here:
        raise _NoRoom(no_room(str(cache), total - here))


def _write(answers: BinaryIO, line: dict[str, Any]) -> None:
    answers.write(json.dumps(line).encode() + b"\n")


def main(request: str) -> None:
    """Download what the request names, and say how it went."""
    answers = take_stdout()
    values = json.loads(request)
    die_with_parent(int(values["parent"]))
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    constants.DOWNLOAD_CHUNK_SIZE = (
        MIB  # a slow line that needs minutes for the usual 10 MB would look like a stalled one
    )
    wanted = Wanted(values["source"], values["revision"])
    try:
        _write(answers, {"folder": str(download(wanted, answers))})
    except _NoRoom as error:
        _write(answers, {"trouble": error.trouble})
    except Exception as error:  # noqa: BLE001 - whatever the hub's client, its HTTP library or its storage client raises
        log.warning("%s: %s", type(error).__name__, error)
        _write(answers, {"trouble": explain(error, wanted)})


if __name__ == "__main__":
    main(sys.argv[1])
