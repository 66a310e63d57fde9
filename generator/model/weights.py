"""Load a variant's modules from a folder or the Hugging Face hub to host memory. Safetensors only, revision pinned.

Tested in tests/generator/model/test_weights.py and tests/generator/model/test_loaded.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError
from transformers import CLIPVisionModelWithProjection

from generator.errors import WeightsUnavailable
from generator.model.pipeline import Modules
from generator.protocol import Phase, Progress
from generator.variants import Variant

log = logging.getLogger(__name__)
OnProgress = Callable[[Progress], None]

# With the errors of the HTTP library that this version of the hub uses (requests, httpx, httpx2): without a network
# those are raised, not the hub's own.
OFFLINE = cast(
    "tuple[type[Exception], ...]",
    (OfflineModeIsEnabled, LocalEntryNotFoundError, OSError, *HfHubHTTPError.__bases__),
)

HUB_SECONDS = 30.0
"""after so long without an answer the hub counts as unreachable"""

MODULE_CLASSES: dict[str, Any] = {
    "unet": UNetSpatioTemporalConditionModel,
    "vae": AutoencoderKLTemporalDecoder,
    "image_encoder": CLIPVisionModelWithProjection,
}


def fetch_weights(variant: Variant, source: str | None = None) -> Path:
    """Return the folder that holds the variant's files, downloading them once if the source is a hub repository.

    `source` is a folder or a repository to use instead of the variant's. Raises WeightsUnavailable, whose `why` is
    missing, gated or offline.
    """
    source = source or variant.source
    if Path(source).is_dir():
        return Path(source)
    if Path(source).is_absolute() or source.startswith("."):
        raise _unavailable(variant, "missing", f"There is no folder {source}.")
    revision = variant.revision if source == variant.source else None
    cached = _cached(source, revision, whole=source == variant.source)
    if cached is not None:
        return cached
    try:
        # list_repo_files would need 23 s to notice that there is no network.
        repository = HfApi().model_info(source, revision=revision, timeout=HUB_SECONDS)
        names = [item.rfilename for item in repository.siblings or ()]
        return Path(snapshot_download(source, revision=revision, allow_patterns=_wanted_files(names)))
    except GatedRepoError as error:
        remedy = (
            f"Accept the licence at https://huggingface.co/{source} and set HF_TOKEN to a token of that account, "
            "then try again."
        )
        raise _unavailable(variant, "gated", remedy) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise _unavailable(variant, "missing", f"There is no {source} at revision {revision} on the hub.") from error
    except OFFLINE as error:
        remedy = f"Connect this machine to huggingface.co once, or point the variant at a folder with {source}."
        raise _unavailable(variant, "offline", remedy) from error


def load_modules(variant: Variant, dtype: torch.dtype, on_progress: OnProgress | None = None) -> Modules:
    """Load every module of the variant into host memory, in `dtype`; with the distilled UNet if the variant names one.

    Raises WeightsUnavailable, whose `why` is missing, gated, offline or damaged.
    """
    folder = fetch_weights(variant)
    _check_index(variant, folder)
    loaded: dict[str, Any] = {}
    for done, (name, kind) in enumerate(MODULE_CLASSES.items()):
        if on_progress is not None:
            on_progress(Progress(Phase.LOAD, done, len(MODULE_CLASSES)))
        module_folder = folder / name
        if name == "unet" and variant.turbo_unet:
            module_folder = fetch_weights(variant, variant.turbo_unet)
            module_folder = module_folder / "unet" if (module_folder / "unet").is_dir() else module_folder
        loaded[name] = _load_module(variant, kind, module_folder, dtype)
    scheduler = EulerDiscreteScheduler.from_pretrained(folder, subfolder="scheduler")
    if on_progress is not None:
        on_progress(Progress(Phase.LOAD, len(MODULE_CLASSES), len(MODULE_CLASSES)))
    return Modules(**loaded, scheduler=scheduler)


def _load_module(variant: Variant, kind: Any, folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    half = next(folder.glob("*.fp16.safetensors"), None) if folder.is_dir() else None
    try:
        module: torch.nn.Module = kind.from_pretrained(
            folder,
            dtype=dtype if kind is CLIPVisionModelWithProjection else None,
            torch_dtype=dtype if kind is not CLIPVisionModelWithProjection else None,
            use_safetensors=True,
            local_files_only=True,
            variant="fp16" if half else None,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        log.warning("cannot load %s: %s", folder, error)
        why = "damaged" if any(folder.glob("*.safetensors")) else "missing"
        remedy = f"Delete {folder} and let it be downloaded again." if why == "damaged" else _NO_FILES.format(folder)
        raise _unavailable(variant, why, remedy) from error
    return module.eval().requires_grad_(False)


_NO_FILES = "{} holds no safetensors weights. Other formats can run code on loading and are not read."


def _check_index(variant: Variant, folder: Path) -> None:
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except FileNotFoundError as error:
        remedy = f"{folder} holds no model_index.json: it is no Stable Video Diffusion folder."
        raise _unavailable(variant, "missing", remedy) from error
    except ValueError as error:
        raise _unavailable(variant, "damaged", f"{folder / 'model_index.json'} cannot be read.") from error
    name = index.get("_class_name")
    if name != "StableVideoDiffusionPipeline":
        raise _unavailable(variant, "missing", f"{folder} holds a {name}, not a StableVideoDiffusionPipeline.")


def _cached(source: str, revision: str | None, *, whole: bool) -> Path | None:
    """Return the folder of a finished download, of all modules or of a UNet alone, without asking the hub.

    `snapshot_download(local_files_only=True)` finds nothing, because it misses the files that were not downloaded.
    """
    for name in ("unet/config.json", "config.json"):  # a distilled UNet may lie at the top of its repository
        found = try_to_load_from_cache(source, name, revision=revision)
        if isinstance(found, str):
            folder = Path(found.removesuffix(name))
            return folder if _is_complete(folder, whole=whole) else None
    return None


def _is_complete(folder: Path, *, whole: bool) -> bool:
    configs = ("model_index.json", "scheduler/scheduler_config.json") if whole else ()
    unet = folder / "unet" if (folder / "unet").is_dir() else folder
    folders = [folder / name for name in MODULE_CLASSES] if whole else [unet]
    return all((folder / name).is_file() for name in configs) and all(
        (each / "config.json").is_file() and any(each.glob("*.safetensors")) for each in folders
    )


def _wanted_files(names: list[str]) -> list[str]:
    """Return the configuration files and, for each module, the half-precision weights if there are any, else all."""
    wanted = [name for name in names if name.endswith(".json")]
    folders = sorted({name.rpartition("/")[0] for name in names if name.endswith(".safetensors")})
    for folder in folders:
        weights = [name for name in names if name.rpartition("/")[0] == folder and name.endswith(".safetensors")]
        wanted += [name for name in weights if ".fp16" in name] or weights
    top = {name for name in wanted if "/" not in name and name.endswith(".safetensors")}
    has_modules = any(name.startswith("unet/") for name in wanted)
    return [name for name in wanted if not (has_modules and name in top)]


def _unavailable(variant: Variant, why: str, remedy: str) -> WeightsUnavailable:
    return WeightsUnavailable(
        f"weights of {variant.name}: {why}. {remedy}", variant=variant.name, why=why, remedy=remedy
    )
