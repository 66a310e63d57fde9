"""The encoders against diffusers' and transformers' own, in single precision."""

from __future__ import annotations

import pytest
import torch
from diffusers.pipelines.stable_video_diffusion.pipeline_stable_video_diffusion import _resize_with_antialiasing
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from generator.model.lean.encoders import (
    CLIP_SIZE,
    encode_image,
    encode_picture,
    encoder_weights,
    pack_module,
    shrink,
)
from tests.support.checkpoints import weights_of
from tests.support.tiny_checkpoint import tiny_vae
from tests.support.tiny_unet import CPU, TOLERANCE


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@torch.no_grad()
def test_a_picture_is_embedded_as_transformers_does(activation: str) -> None:
    torch.manual_seed(1)
    config = CLIPVisionConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, hidden_act=activation
    )
    module = CLIPVisionModelWithProjection(config).eval()
    pixels = torch.randn(1, 3, CLIP_SIZE, CLIP_SIZE)
    weights = weights_of("image_encoder", module)
    packed = pack_module(weights.config, weights.tensors, torch.float32, CPU)
    embedded = encode_image(packed.on_device(CPU, torch.float32), packed.config, pixels)
    assert (embedded - module(pixels).image_embeds).abs().max() < TOLERANCE


@pytest.mark.parametrize("levels", [1, 4])
@torch.no_grad()
def test_a_picture_is_encoded_as_diffusers_does(levels: int) -> None:
    torch.manual_seed(levels)
    vae = tiny_vae(levels)
    pixels = torch.rand(1, 3, 48, 64) * 2 - 1
    weights = weights_of("vae", vae)
    packed = pack_module(weights.config, encoder_weights(weights.tensors), torch.float32, CPU)
    latents = encode_picture(packed.on_device(CPU, torch.float32), packed.config, pixels)
    assert (latents - vae.encode(pixels).latent_dist.mode()).abs().max() < TOLERANCE


@pytest.mark.parametrize("size", [(576, 1024), (1024, 576), (144, 256), (224, 224), (100, 300), (225, 4096)])
def test_a_picture_is_made_smaller_as_diffusers_does(size: tuple[int, int]) -> None:
    pixels = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    expected = _resize_with_antialiasing(pixels, (CLIP_SIZE, CLIP_SIZE))
    assert (shrink(pixels, CLIP_SIZE) - expected).abs().max() < 1e-5
