"""Random modules of Stable Video Diffusion's real size, or small ones of the same classes, without any download."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import EulerDiscreteScheduler

from generator.model.random_weights import full_unet, full_vae, random_networks
from generator.model.stock import Modules
from tests.support.tiny_checkpoint import SCHEDULER, tiny_image_encoder, tiny_unet, tiny_vae

__all__ = ["full_unet", "full_vae", "random_modules"]


def random_modules(dtype: torch.dtype, *, tiny: bool = False) -> Modules:
    """Return every module in host memory, with random weights of a scale that keeps half precision finite."""
    torch.manual_seed(0)
    if tiny:
        modules: list[Any] = [tiny_unet(), tiny_vae(), tiny_image_encoder()]
        unet, vae, image_encoder = (module.to(dtype).requires_grad_(False) for module in modules)
    else:
        unet, vae, image_encoder = random_networks(dtype)
    return Modules(unet, vae, image_encoder, EulerDiscreteScheduler(**SCHEDULER))
