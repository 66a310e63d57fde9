"""A checkpoint of modules that are in memory already, as the lean pipeline takes it."""

from __future__ import annotations

from typing import Any

import torch

from generator.model.checkpoint.structure import complete
from generator.model.lean.decoder import PackedDecoder, pack_decoder
from generator.model.lean.unet import PackedUNet, pack_unet
from generator.model.stock import Modules
from generator.model.weights import Checkpoint, ModuleWeights


def weights_of(name: str, module: Any) -> ModuleWeights:
    """Return a module's weights and configuration; `name` is the module's in a checkpoint."""
    config = module.config
    settings = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    return ModuleWeights(complete(name, settings), module.state_dict())


def checkpoint_of(modules: Modules) -> Checkpoint:
    parts = {name: weights_of(name, getattr(modules, name)) for name in ("unet", "vae", "image_encoder")}
    return Checkpoint(**parts, scheduler=dict(modules.scheduler.config))


def packed_unet_of(module: Any, device: torch.device) -> PackedUNet:
    weights = weights_of("unet", module)
    return pack_unet(weights.config, weights.tensors, module.dtype, device)


def packed_decoder_of(vae: Any, device: torch.device) -> PackedDecoder:
    weights = weights_of("vae", vae)
    return pack_decoder(weights.config, weights.tensors, vae.dtype, device)
