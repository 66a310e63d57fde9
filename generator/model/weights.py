"""Load a variant's modules from a folder or the Hugging Face hub to host memory. Safetensors only, revision pinned.

Tested in tests/generator/model/test_loaded.py.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
from safetensors import SafetensorError
from transformers import CLIPVisionModelWithProjection

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.hub import fetch_weights
from generator.model.checkpoint.layout import check_pipeline, read_module, read_scheduler, unavailable
from generator.model.checkpoint.staged import staged
from generator.model.pipeline import Modules
from generator.protocol import Phase, Progress
from generator.variants import Variant

log = logging.getLogger(__name__)
OnProgress = Callable[[Progress], None]

_IN_CACHE = re.compile(r"models--([\w.-]+?)--([\w.-]+)/snapshots/(\w+)/")
"""a path in the hub's cache: owner, name, commit"""

MODULE_CLASSES: dict[str, Any] = {
    "unet": UNetSpatioTemporalConditionModel,
    "vae": AutoencoderKLTemporalDecoder,
    "image_encoder": CLIPVisionModelWithProjection,
}


def load_modules(variant: Variant, dtype: torch.dtype, on_progress: OnProgress | None = None) -> Modules:
    """Load every module of the variant into host memory, in `dtype`; with the distilled UNet if the variant names one.

    Raises WeightsUnavailable with `why` and `remedy`.
    """
    tell = on_progress or (lambda progress: None)
    with _explained(variant):
        folder = fetch_weights(variant, on_progress=tell)
        unet = _turbo_folder(variant, tell) if variant.turbo_unet else folder / "unet"
        check_pipeline(folder)
        scheduler = EulerDiscreteScheduler.from_config(read_scheduler(folder))
        loaded: dict[str, Any] = {}
        for done, (name, kind) in enumerate(MODULE_CLASSES.items()):
            tell(Progress(Phase.LOAD, done, len(MODULE_CLASSES)))
            loaded[name] = _load_module(kind, unet if name == "unet" else folder / name, dtype)
    tell(Progress(Phase.LOAD, len(MODULE_CLASSES), len(MODULE_CLASSES)))
    return Modules(**loaded, scheduler=scheduler)


def _turbo_folder(variant: Variant, tell: OnProgress) -> Path:
    folder = fetch_weights(variant, variant.turbo_unet, on_progress=tell)
    return folder / "unet" if (folder / "unet").is_dir() else folder


def _load_module(kind: Any, folder: Path, dtype: torch.dtype) -> torch.nn.Module:
    is_encoder = kind is CLIPVisionModelWithProjection
    with staged(read_module(folder), "model" if is_encoder else "diffusion_pytorch_model") as stage:
        try:
            loaded: tuple[torch.nn.Module, dict[str, Any]] = kind.from_pretrained(
                stage,
                dtype=dtype if is_encoder else None,
                torch_dtype=None if is_encoder else dtype,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            log.warning("cannot load %s: %s", folder, error)
            remedy = f"The files in {folder} are not those of a {kind.__name__}. Copy or download that folder again."
            raise unavailable("damaged", remedy) from error
    module, found = loaded
    if missing := sorted(found["missing_keys"]):  # they would be random numbers, and every clip noise
        remedy = f"The weights in {folder} are not whole: {len(missing)} tensors such as {missing[0]} are missing."
        raise unavailable("damaged", f"{remedy} Copy or download that folder again.")
    return module.eval().requires_grad_(False)


@contextlib.contextmanager
def _explained(variant: Variant) -> Iterator[None]:
    """Put to an error what the files cannot tell: the variant's name, and how the hub's client fetches them again."""
    try:
        yield
    except WeightsUnavailable as error:
        why, remedy = error.data["why"], error.data["remedy"]
        if why == "damaged" and (cached := _IN_CACHE.search(remedy)):
            remedy += f" `hf download {cached[1]}/{cached[2]} --revision {cached[3]} --force-download` does."
        text = f"weights of {variant.name}: {why}. {remedy}"
        raise WeightsUnavailable(text, variant=variant.name, why=why, remedy=remedy) from error
