"""Networks of Stable Video Diffusion's real size with random weights: time and memory do not depend on their values.

Tested in tests/generator/test_memory.py.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
from torch import nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from generator.model.checkpoint.structure import complete
from generator.model.weights import Checkpoint, ModuleWeights


def full_unet(frames: int = 25) -> Any:
    """Return svd-xt's UNet, whose configuration is the class's own default, on the meta device."""
    with torch.device("meta"):
        unet = UNetSpatioTemporalConditionModel(sample_size=96, num_frames=frames)
    return unet.to("meta").eval()  # the mixing factors ignore torch.device


def full_vae() -> Any:
    """Return SVD's VAE on the meta device."""
    with torch.device("meta"):
        vae = AutoencoderKLTemporalDecoder(
            block_out_channels=(128, 256, 512, 512),
            layers_per_block=2,
            latent_channels=4,
            down_block_types=("DownEncoderBlock2D",) * 4,
            sample_size=768,
        )
    return vae.to("meta").eval()


def full_image_encoder() -> Any:
    """Return SVD's CLIP ViT-H/14 on the meta device."""
    config = CLIPVisionConfig(
        hidden_size=1280,
        intermediate_size=5120,
        num_hidden_layers=32,
        num_attention_heads=16,
        patch_size=14,
        projection_dim=1024,
        hidden_act="gelu",
    )
    with torch.device("meta"):
        return CLIPVisionModelWithProjection(config).eval()


def random_networks(dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """Return UNet, VAE and image encoder in host memory; the weights' scale keeps half precision finite."""
    noise = torch.randn(2**22).to(dtype)
    unet, vae, image_encoder = (_fill(module, noise) for module in (full_unet(), full_vae(), full_image_encoder()))
    return unet, vae, image_encoder


def random_checkpoint(dtype: torch.dtype) -> Checkpoint:
    """Return the same networks as the lean pipeline takes them."""
    names = ("unet", "vae", "image_encoder")
    parts = {
        name: ModuleWeights(complete(name, _settings_of(network)), network.state_dict())
        for name, network in zip(names, random_networks(dtype), strict=True)
    }
    return Checkpoint(**parts, scheduler=dict(EulerDiscreteScheduler().config))


def _settings_of(network: Any) -> dict[str, Any]:
    return network.config.to_dict() if hasattr(network.config, "to_dict") else dict(network.config)


@torch.no_grad()
def _fill(module: nn.Module, noise: torch.Tensor) -> nn.Module:
    """Move a meta module to host memory: norms are the identity, matrices are repeated noise of half the unit gain."""
    position_ids = {name: buffer.shape for name, buffer in module.named_buffers()}
    module.to_empty(device="cpu").to(noise.dtype).requires_grad_(False)
    for name, parameter in module.named_parameters():
        if parameter.ndim <= 1:
            value = 0.3 if "mix_factor" in name else float(name.endswith("weight"))
            parameter.fill_(value)
            continue
        fan_in = parameter[0].numel()
        scaled = noise * (0.5 / fan_in**0.5)
        for chunk in parameter.view(-1).split(len(noise)):
            chunk.copy_(scaled[: len(chunk)])
    for name, shape in position_ids.items():
        module.get_buffer(name).copy_(torch.arange(shape[-1]).expand(shape))
    return module
