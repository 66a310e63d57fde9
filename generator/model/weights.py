"""Open a variant's checkpoint from a folder or the Hugging Face hub. Safetensors only, revision pinned.

Knows neither diffusers nor transformers, whose import takes seconds: `stock` loads their modules.
Tested in tests/generator/model/test_loaded.py.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.hub import fetch_weights
from generator.model.checkpoint.layout import MODULES, check_pipeline, read_module, read_scheduler, unavailable
from generator.model.checkpoint.stored import StoredTensor, stored_tensors
from generator.model.checkpoint.structure import complete, expected_shapes
from generator.protocol import Progress
from generator.variants import Variant

log = logging.getLogger(__name__)
OnProgress = Callable[[Progress], None]

_IN_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/(\w+)/")
"""a path in the hub's cache: owner, name, commit"""

CLASSES = {
    "unet": "UNetSpatioTemporalConditionModel",
    "vae": "AutoencoderKLTemporalDecoder",
    "image_encoder": "CLIPVisionModelWithProjection",
}
"""what diffusers and transformers call the modules"""


@dataclass(frozen=True, slots=True)
class ModuleWeights:
    """A module's complete configuration, and its tensors by the names that its class has for them."""

    config: dict[str, Any]
    tensors: Mapping[str, Tensor | StoredTensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A variant's modules, not yet read, and its scheduler's settings."""

    unet: ModuleWeights
    vae: ModuleWeights
    image_encoder: ModuleWeights
    scheduler: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a variant's files are: each module's folder by its name, and the scheduler's settings."""

    modules: dict[str, Path]
    scheduler: dict[str, Any]


def open_checkpoint(variant: Variant, on_progress: OnProgress | None = None) -> Checkpoint:
    """Return a variant's modules, with the distilled UNet if it names one. Downloads what is not here yet.

    Only headers are read. Raises WeightsUnavailable with `why` and `remedy`.
    """
    with explained(variant):
        found = find_folders(variant, on_progress)
        modules = {name: open_module(name, found.modules[name]) for name in MODULES}
        return Checkpoint(**modules, scheduler=found.scheduler)


def find_folders(variant: Variant, on_progress: OnProgress | None = None) -> Folders:
    """Return where a variant's files are. Downloads what is not here yet. Raises WeightsUnavailable."""
    tell = on_progress or (lambda progress: None)
    folder = fetch_weights(variant, on_progress=tell)
    modules = {name: folder / name for name in MODULES}
    if variant.turbo_unet:
        other = fetch_weights(variant, variant.turbo_unet, on_progress=tell)
        modules["unet"] = other / "unet" if (other / "unet").is_dir() else other
    check_pipeline(folder)
    return Folders(modules, read_scheduler(folder))


def open_module(name: str, folder: Path) -> ModuleWeights:
    """Return a module of which every tensor is there and has its shape. Raises WeightsUnavailable."""
    files = read_module(folder)
    tensors = stored_tensors(files.weights)
    try:
        config = complete(name, files.config)
        expected = expected_shapes(name, config)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise not_those_of(name, folder, error) from error
    for key, tensor in tensors.items():
        if key in expected and tensor.shape != expected[key]:
            raise not_those_of(name, folder, f"{key} is {tensor.shape}, not {expected[key]}")
    require_all(folder, expected.keys() - tensors.keys())
    return ModuleWeights(config, {key: tensors[key] for key in expected})


def not_those_of(name: str, folder: Path, error: object) -> WeightsUnavailable:
    """Return the error for files that are whole and hold another model."""
    log.warning("cannot load %s: %s", folder, error)
    remedy = f"The files in {folder} are not those of a {CLASSES[name]}. Copy or download that folder again."
    return unavailable("damaged", remedy)


def require_all(folder: Path, missing: set[str]) -> None:
    """Raise WeightsUnavailable for tensors that are missing: they would be random numbers, and every clip noise."""
    if missing:
        remedy = f"The weights in {folder} are not whole: {len(missing)} tensors such as {min(missing)} are missing."
        raise unavailable("damaged", f"{remedy} Copy or download that folder again.")


@contextlib.contextmanager
def explained(variant: Variant) -> Iterator[None]:
    """Put to an error what the files cannot tell: the variant's name, and how the hub's client fetches them again."""
    try:
        yield
    except WeightsUnavailable as error:
        why, remedy = error.data["why"], error.data["remedy"]
        if why == "damaged" and (cached := _IN_CACHE.search(remedy)):
            remedy += f" `hf download {cached[1]}/{cached[2]} --revision {cached[3]} --force-download` does."
        text = f"weights of {variant.name}: {why}. {remedy}"
        raise WeightsUnavailable(text, variant=variant.name, why=why, remedy=remedy) from error
