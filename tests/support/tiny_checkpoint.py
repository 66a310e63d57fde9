"""A small random checkpoint of the same classes as Stable Video Diffusion, saved as `save_pretrained` does."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKLTemporalDecoder, EulerDiscreteScheduler, UNetSpatioTemporalConditionModel
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from generator.variants import Variant

# The scheduler configuration of stable-video-diffusion-img2vid-xt.
SCHEDULER = {
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "prediction_type": "v_prediction",
    "sigma_max": 700.0,
    "sigma_min": 0.002,
    "steps_offset": 1,
    "timestep_spacing": "leading",
    "timestep_type": "continuous",
    "use_karras_sigmas": True,
}


def tiny_unet(frames: int = 5, levels: int = 4) -> UNetSpatioTemporalConditionModel:
    """Return a small random UNet whose time mixers really mix."""
    cross = levels - 1
    return _mixing(
        UNetSpatioTemporalConditionModel(
            in_channels=8,
            out_channels=4,
            block_out_channels=(32, 64, 64, 64)[:levels],
            down_block_types=("CrossAttnDownBlockSpatioTemporal",) * cross + ("DownBlockSpatioTemporal",),
            up_block_types=("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * cross,
            num_attention_heads=(2, 4, 4, 4)[:levels],
            layers_per_block=1,
            cross_attention_dim=32,
            addition_time_embed_dim=32,
            projection_class_embeddings_input_dim=96,
            num_frames=frames,
            sample_size=16,
        )
    )


def tiny_vae(levels: int = 4) -> AutoencoderKLTemporalDecoder:
    """Return a small random VAE whose temporal decoder really mixes frames."""
    return _mixing(
        AutoencoderKLTemporalDecoder(
            block_out_channels=(32, 32, 64, 64)[:levels],
            down_block_types=("DownEncoderBlock2D",) * levels,
            layers_per_block=2,
            latent_channels=4,
        )
    )


def tiny_image_encoder() -> CLIPVisionModelWithProjection:
    """Return a small random image encoder."""
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            patch_size=32,
            image_size=224,
            projection_dim=32,
        )
    ).eval()


def _mixing(model: torch.nn.Module) -> torch.nn.Module:
    """Set the learned mixing factors to random values; new modules have the same for all."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("mix_factor"):
                parameter.uniform_(-1, 1)
    return model.eval()


def make_checkpoint(folder: Path, frames: int = 5) -> Variant:
    """Save a checkpoint into `folder` and return the variant that loads it. A render takes a second or two on a CPU."""
    torch.manual_seed(0)
    tiny_unet(frames).save_pretrained(folder / "unet")
    tiny_vae().save_pretrained(folder / "vae")
    tiny_image_encoder().save_pretrained(folder / "image_encoder")
    EulerDiscreteScheduler(**SCHEDULER).save_pretrained(folder / "scheduler")
    index = {"_class_name": "StableVideoDiffusionPipeline", "_diffusers_version": "0.42.1"}
    (folder / "model_index.json").write_text(json.dumps(index))
    return Variant(
        name="tiny", source=str(folder), frames=frames, landscape=(128, 64), portrait=(64, 128), square=(64, 64)
    )
