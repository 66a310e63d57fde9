"""What lies in a checkpoint's folder: each module's configuration and weights, or a sentence that says what is wrong.

A person's folder is only read. No sentence advises to delete anything in it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import WeightsUnavailable

MODULES = ("unet", "vae", "image_encoder")
PIPELINE = "StableVideoDiffusionPipeline"

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})")
_PRECISION = re.compile(r"\.(fp16|bf16|fp32|non_ema)\b")
_PRECISIONS = ("fp16", "", "bf16", "fp32", "non_ema")
"""the best first: half the bytes, and then what was trained"""
_LFS_POINTER = b"version https://git-lfs"
_LONGEST_HEADER = 100_000_000
"""bytes: what the safetensors library accepts"""
_COPY_AGAIN = "Copy or download that file again from where it came."


def unavailable(why: str, remedy: str) -> WeightsUnavailable:
    """Return the error for weights that cannot be used; whoever knows the variant puts its name to it."""
    return WeightsUnavailable(f"weights: {why}. {remedy}", why=why, remedy=remedy)


@dataclass(frozen=True, slots=True)
class ModuleFiles:
    """One module's files: its configuration, and its weights in one file or in shards."""

    config: dict[str, Any]
    weights: tuple[Path, ...]


def check_pipeline(folder: Path) -> None:
    """Raise WeightsUnavailable unless `folder` holds a Stable Video Diffusion checkpoint in diffusers' layout."""
    require_open(folder)
    index = folder / "model_index.json"
    if not index.exists() and not index.is_symlink():
        raise unavailable("missing", f"{folder} holds no model_index.json. {_what_it_holds(folder)}")
    name = read_json(index).get("_class_name")
    if name != PIPELINE:
        raise unavailable("missing", f"{folder} holds a {name}, not a {PIPELINE}.")


def read_scheduler(folder: Path) -> dict[str, Any]:
    """Return the scheduler's configuration. Raises WeightsUnavailable."""
    require_open(folder / "scheduler")
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.exists():
        raise unavailable("missing", f"{path} is not there. Copy it from the repository that the checkpoint is from.")
    return read_json(path)


def read_module(folder: Path) -> ModuleFiles:
    """Return a module's files, whole as far as their headers tell. Raises WeightsUnavailable."""
    require_open(folder)
    if not folder.is_dir():
        raise unavailable("missing", f"There is no folder {folder}. Copy it from where the checkpoint came.")
    weights = find_weights(folder)
    config = folder / "config.json"
    if not config.exists() and not config.is_symlink():
        raise unavailable("missing", f"{config} is not there. {_COPY_AGAIN}")
    for path in weights:
        read_header(path)
    return ModuleFiles(read_json(config), weights)


def require_open(folder: Path) -> None:
    """Raise WeightsUnavailable where a folder is there and this user may not look into it."""
    try:
        with os.scandir(folder):
            os.lstat(f"{folder}/.")
    except PermissionError as error:
        raise unreadable(folder, error) from error
    except OSError:
        pass  # what is missing is told by those who need it


def find_weights(folder: Path) -> tuple[Path, ...]:
    """Return the safetensors of the best precision in a module's folder, all shards of it. Raises WeightsUnavailable.

    `._` files are not weights: macOS writes them beside each file on a disk of another system.
    """
    groups: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        if not path.name.startswith("._"):
            found = _PRECISION.search(path.name)
            groups.setdefault(found[1] if found else "", []).append(path)
    if not groups:
        raise unavailable(
            "missing", f"{folder} holds no safetensors weights. Other formats can run code on loading and are not read."
        )
    complete = {name: whole for name, paths in groups.items() if (whole := _one_set(paths))}
    for name in _PRECISIONS:
        if name in complete:
            return complete[name]
    missing = sorted(_missing_shards(next(iter(groups.values()))))
    raise unavailable("damaged", f"{folder} lacks {', '.join(missing)}. Copy or download what is missing.")


def _one_set(paths: list[Path]) -> tuple[Path, ...]:
    """Return the one file, or all shards, of one precision; nothing when shards are missing."""
    single = [path for path in paths if not _SHARD.search(path.name)]
    usual = [path for path in single if path.name.startswith(("diffusion_pytorch_model", "model"))]
    if single:
        return ((usual or single)[0],)
    return () if any(_missing_shards(paths)) else tuple(paths)


def _missing_shards(paths: Iterable[Path]) -> Iterator[str]:
    names = {path.name for path in paths}
    for name in sorted(names):
        found = _SHARD.search(name)
        for number in range(1, int(found[2]) + 1) if found else ():
            other = name.replace(found[0], f"-{number:05d}-of-{found[2]}") if found else name
            if other not in names:
                yield other


def read_header(path: Path) -> dict[str, Any]:
    """Return a safetensors file's header: its tensors by name. Raises WeightsUnavailable unless the file is whole."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(256)
            length = int.from_bytes(start[:8], "little")
            header = start[8 : 8 + length] + file.read(max(0, min(length, _LONGEST_HEADER) - len(start[8:])))
    except OSError as error:
        raise unreadable(path, error) from error
    if start.startswith(_LFS_POINTER):
        raise unavailable(
            "missing",
            f"{path} is a pointer of git-lfs, not the file itself. Run `git lfs pull` in {path.parent.parent}.",
        )
    if start.lstrip()[:1] == b"<" or length > _LONGEST_HEADER:
        raise damaged(f"{path} is no safetensors file.")
    try:
        tensors: dict[str, Any] = json.loads(header) if 0 < length == len(header) else {}
        end = max((item["data_offsets"][1] for name, item in tensors.items() if name != "__metadata__"), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise damaged(f"{path} is no safetensors file.") from error
    if size < 8 + length + end or not length:
        whole = f" of {8 + length + end}" if tensors else ""
        raise damaged(f"{path} is cut short: it has {size}{whole} bytes.")
    return tensors


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, with or without a byte order mark. Raises WeightsUnavailable."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        found = json.loads(raw.decode("utf-8-sig" if not raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-16"))
    except ValueError as error:
        raise damaged(f"{path} cannot be read as JSON.") from error
    if not isinstance(found, dict):
        raise damaged(f"{path} holds no JSON object.")
    return found


def damaged(what: str) -> WeightsUnavailable:
    """Return the error for a file that is there and is not what it should be."""
    return unavailable("damaged", f"{what} {_COPY_AGAIN}")


def unreadable(path: Path, error: OSError) -> WeightsUnavailable:
    """Return the error for a file that is there and cannot be read, or is a link to one that is not there."""
    if isinstance(error, PermissionError):
        return unavailable("damaged", f"{path} may not be read by this user. Allow it: chown or chmod the folder.")
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        remedy = "Copy the folder again so that links are followed (cp -L)."
        return unavailable("missing", f"{path} is a link to a file that is not there. {remedy}")
    return damaged(f"{path} cannot be read ({error.strerror}).")


def is_complete(folder: Path, modules: Iterable[str] = MODULES) -> bool:
    """Tell whether a download is finished: each module is there with all of its shards.

    An empty name stands for the folder itself: a distilled UNet may lie at the top of its repository. The files are not
    read: the hub's client gives them their names when they are whole.
    """
    names = [f"{module}/config.json" for module in modules]
    names += ["model_index.json", "scheduler/scheduler_config.json"] if "vae" in modules else []
    try:
        weights = [path for module in modules for path in find_weights(folder / module)]
    except WeightsUnavailable:
        return False
    return all((folder / name.lstrip("/")).is_file() for name in names) and all(path.is_file() for path in weights)


def _what_it_holds(folder: Path) -> str:
    """Say what a folder is that is no checkpoint, where that is known, and where the checkpoint may be."""
    nested = [path.parent for way in ("*/", "snapshots/*/") for path in folder.glob(f"{way}model_index.json")]
    if nested:
        return f"The checkpoint is in {nested[0]}: name that folder."
    single = [path for path in sorted(folder.glob("*.safetensors")) if not path.name.startswith("._")]
    if single:
        return single_file_way(single[0])
    if any(folder.glob("*.ckpt")) or any(folder.glob("*.bin")):
        return "Other formats than safetensors can run code on loading and are not read."
    return "It is no Stable Video Diffusion folder in diffusers' layout (unet, vae, image_encoder, scheduler)."


def single_file_way(path: Path) -> str:
    """Say how to get the layout that is loaded, to a person who has all modules in one file."""
    return (
        f"{path.name} holds all modules in one file, which diffusers cannot load for this model. Download the folders "
        "unet, vae, image_encoder and scheduler and model_index.json from the model's page, such as "
        "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt, and name their folder."
    )
