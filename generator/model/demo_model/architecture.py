"""The demo model's networks: Stable Video Diffusion's own classes, small enough for a CPU.

GroupNorm always has 32 groups in these classes. With 32 channels each group would be one channel, and every norm would
remove what is the same all over the picture: its colour, the time step, the motion bucket. So no layer has fewer than
64 channels.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from diffusers.models.resnet import AlphaBlender
from torch import nn
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from generator.model.demo_model.start.fetching import prepare_fetching
from generator.model.demo_model.start.noise_route import route_noise
from generator.model.lean.encoders import CLIP_SIZE

LATENT_CHANNELS = 16
LATENT_FACTOR = 4
"""pixels per side of a latent cell; with 8 and few channels a first frame cannot reach 30 dB against its photograph"""
CONTEXT_CHANNELS = 32
OFF = -1e4
"""a mix factor whose sigmoid is exactly 0, in half precision too"""

VARIANT = {
    "description": "A tiny model that runs on a CPU",
    "frames": 14,
    "landscape": [384, 224],
    "portrait": [224, 384],
    "square": [288, 288],
    "quality": "fast",
    "steps": 1,
    "max_steps": 1,
    "max_guidance": 1.0,
    "loop": "boomerang",
    "motion_bucket": 75,
}
"""what `generator.variants` reads beside a checkpoint: its sizes, and what its clips are like if nothing is chosen.

A boomerang goes on and on, and never stands on its last frame; the motion is between gentle and medium."""


@dataclass(frozen=True)
class Networks:
    """The three networks of the demo model."""

    vae: Any
    unet: Any
    image_encoder: Any


def build_networks(seed: int) -> Networks:
    """Return the three networks with new random weights, in float32 on the CPU."""
    torch.manual_seed(seed)
    return Networks(vae=_build_vae(), unet=_build_unet(), image_encoder=_build_image_encoder())


def _assemble(networks: Networks) -> Any:
    """Return the pipeline that diffusers itself would load."""
    return StableVideoDiffusionPipeline(
        vae=networks.vae,
        image_encoder=networks.image_encoder,
        unet=networks.unet,
        scheduler=_build_scheduler(),
        feature_extractor=_build_feature_extractor(),
    )


def save_checkpoint(networks: Networks, folder: Path) -> int:
    """Write the whole checkpoint in fp16, in the folder layout of SVD-XT; return its size in bytes."""
    pipeline = _assemble(copy.deepcopy(networks)).to(dtype=torch.float16)
    pipeline.save_pretrained(folder, safe_serialization=True)
    index = folder / "model_index.json"
    # Without torchvision, transformers 5 saves the name of its fallback, which older versions do not know.
    index.write_text(index.read_text().replace("CLIPImageProcessorPil", "CLIPImageProcessor"))
    (folder / "variant.json").write_text(json.dumps(VARIANT, indent=2) + "\n")
    files = [file for file in folder.rglob("*") if file.suffix in {".json", ".safetensors"}]
    for file in files:
        file.chmod(0o644)  # safetensors writes 0600
    return sum(file.stat().st_size for file in files)


def _build_vae() -> Any:
    vae = AutoencoderKLTemporalDecoder(
        in_channels=3,
        out_channels=3,
        down_block_types=["DownEncoderBlock2D"] * 3,
        block_out_channels=[64] * 3,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        sample_size=384,
        scaling_factor=1.0,
        force_upcast=True,
    )
    for name, module in vae.named_modules():
        if name.endswith(".conv2"):  # so that each residual branch is zero at first
            nn.init.zeros_(module.weight)
    for module in vae.decoder.modules():
        if isinstance(module, AlphaBlender):  # the decoder's temporal halves are off: see autoencoder.py
            nn.init.constant_(module.mix_factor, OFF)
    with torch.no_grad():
        vae.decoder.time_conv_out.weight.zero_()[:, :, 1, 0, 0] = torch.eye(3)
        vae.decoder.time_conv_out.bias.zero_()
    return vae


def _build_unet() -> Any:
    unet = UNetSpatioTemporalConditionModel(
        sample_size=96,
        in_channels=2 * LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        down_block_types=[
            "DownBlockSpatioTemporal",
            "DownBlockSpatioTemporal",
            "CrossAttnDownBlockSpatioTemporal",
            "DownBlockSpatioTemporal",
        ],
        up_block_types=[
            "UpBlockSpatioTemporal",
            "CrossAttnUpBlockSpatioTemporal",
            "UpBlockSpatioTemporal",
            "CrossAttnUpBlockSpatioTemporal",
        ],
        block_out_channels=[64, 128, 128, 128],
        # On 12x7 positions a few convolutions reach from the borders to the centre: that is how the network knows where
        # in the frame it is, which a zoom needs. The last attention, on all latents, fetches what is seen from there.
        layers_per_block=[0, 1, 1, 0],
        cross_attention_dim=CONTEXT_CHANNELS,
        num_attention_heads=2,
        addition_time_embed_dim=32,
        projection_class_embeddings_input_dim=96,
        num_frames=14,
    )
    route_noise(unet)
    prepare_fetching(unet, LATENT_CHANNELS)
    return unet


def _build_image_encoder() -> Any:
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            projection_dim=CONTEXT_CHANNELS,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=CLIP_SIZE,
            patch_size=16,
        )
    )


def _build_scheduler() -> Any:
    """Return the scheduler of stable-video-diffusion-img2vid-xt, setting by setting."""
    return EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        interpolation_type="linear",
        num_train_timesteps=1000,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=False,
        sigma_min=0.002,
        sigma_max=700.0,
        steps_offset=1,
        timestep_spacing="leading",
        timestep_type="continuous",
        use_karras_sigmas=True,
    )


def _build_feature_extractor() -> Any:
    return CLIPImageProcessor(size={"shortest_edge": CLIP_SIZE}, crop_size={"height": CLIP_SIZE, "width": CLIP_SIZE})
