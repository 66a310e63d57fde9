"""The image encoder and the VAE's encoder: small modules of which all weights are on the device for one call.

Tested in tests/generator/model/lean/test_encoders.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from generator.model.checkpoint.structure import Config, encoder_blocks
from generator.model.lean.naming import Weights
from generator.model.lean.pack import Packed, pack

# What CLIP was trained with; the image_encoder folders of all SVD checkpoints say the same.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_SIZE = 224
"""pixels per side; StableVideoDiffusionPipeline has no other either"""

_VAE_EPS = 1e-6
Tensors = Mapping[str, Tensor]
"""a module's weights on a device, by the names that its class has for them"""


@dataclass(frozen=True, slots=True)
class PackedModule:
    """A small module's weights in one stretch, and its configuration."""

    config: Config
    packed: Packed

    def on_device(self, device: torch.device, dtype: torch.dtype) -> Tensors:
        """Return the module's weights in `dtype` on `device`, by their names."""
        return self.packed.layers(self.packed.place(device).to(dtype))[0]


def pack_module(config: Config, weights: Weights, dtype: torch.dtype, device: torch.device) -> PackedModule:
    """Lay out a module's weights in `dtype`, to be copied to `device`."""
    return PackedModule(config, pack([dict(weights)], dtype, device))


def encoder_weights(vae: Weights) -> Weights:
    """Return those of a VAE's weights that encode. They alone run in single precision."""
    return {key: weight for key, weight in vae.items() if key.startswith(("encoder.", "quant_conv."))}


def encode_image(weights: Tensors, config: Config, pixels: Tensor) -> Tensor:
    """Return the embedding, 1 x width, that CLIPVisionModelWithProjection has for normalised pixels.

    `pixels` is 1 x 3 x CLIP_SIZE x CLIP_SIZE, in the weights' precision.
    """
    inside = "vision_model.embeddings"
    patches = F.conv2d(pixels, weights[f"{inside}.patch_embedding.weight"], stride=config["patch_size"])
    first = weights[f"{inside}.class_embedding"].expand(1, 1, -1)
    rows = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
    rows = rows + weights[f"{inside}.position_embedding.weight"]
    eps = config["layer_norm_eps"]
    rows = _layer_norm(rows, weights, "vision_model.pre_layrnorm", eps)
    for index in range(config["num_hidden_layers"]):
        path = f"vision_model.encoder.layers.{index}"
        normed = _layer_norm(rows, weights, f"{path}.layer_norm1", eps)
        names = tuple(f"{path}.self_attn.{part}_proj" for part in ("q", "k", "v", "out"))
        rows = rows + _attention(normed, weights, names, config["num_attention_heads"])
        hidden = _linear(_layer_norm(rows, weights, f"{path}.layer_norm2", eps), weights, f"{path}.mlp.fc1")
        hidden = F.gelu(hidden) if config["hidden_act"] == "gelu" else hidden * torch.sigmoid(1.702 * hidden)
        rows = rows + _linear(hidden, weights, f"{path}.mlp.fc2")
    pooled = _layer_norm(rows[:, 0], weights, "vision_model.post_layernorm", eps)
    return F.linear(pooled, weights["visual_projection.weight"])


def encode_picture(weights: Tensors, config: Config, pixels: Tensor) -> Tensor:
    """Return the mode of the latents' distribution, 1 x channels x height x width in latent cells, not scaled.

    `pixels` is 1 x 3 x height x width, from -1 to 1, in the weights' precision.
    """
    down, middle = encoder_blocks(config)
    maps = _conv(pixels, weights, "encoder.conv_in")
    for block in down:
        for index in range(len(block.inputs)):
            maps = _resnet(maps, weights, f"{block.path}.resnets.{index}")
        if block.sampler:
            maps = _conv(F.pad(maps, (0, 1, 0, 1)), weights, block.sampler, stride=2, padding=0)
    maps = _resnet(maps, weights, f"{middle.path}.resnets.0")
    maps = _pixel_attention(maps, weights, f"{middle.path}.attentions.0")
    maps = _resnet(maps, weights, f"{middle.path}.resnets.1")
    maps = _conv(F.silu(_group_norm(maps, weights, "encoder.conv_norm_out")), weights, "encoder.conv_out")
    return _conv(maps, weights, "quant_conv").chunk(2, dim=1)[0]


def _resnet(maps: Tensor, weights: Tensors, path: str) -> Tensor:
    inner = _conv(F.silu(_group_norm(maps, weights, f"{path}.norm1")), weights, f"{path}.conv1")
    inner = _conv(F.silu(_group_norm(inner, weights, f"{path}.norm2")), weights, f"{path}.conv2")
    if f"{path}.conv_shortcut.weight" in weights:
        maps = _conv(maps, weights, f"{path}.conv_shortcut")
    return maps + inner


def _pixel_attention(maps: Tensor, weights: Tensors, path: str) -> Tensor:
    rows = _group_norm(maps, weights, f"{path}.group_norm").flatten(2).transpose(1, 2)
    names = tuple(f"{path}.{part}" for part in ("to_q", "to_k", "to_v", "to_out.0"))
    return maps + _attention(rows, weights, names, 1).transpose(1, 2).reshape(maps.shape)


def _attention(rows: Tensor, weights: Tensors, names: tuple[str, ...], heads: int) -> Tensor:
    """Run a self-attention; `names` are those of the projections to query, key and value, and of the last one."""
    query, key, value = (_linear(rows, weights, name).unflatten(-1, (heads, -1)).transpose(1, 2) for name in names[:3])
    attended = F.scaled_dot_product_attention(query, key, value)
    return _linear(attended.transpose(1, 2).flatten(2), weights, names[3])


def _conv(maps: Tensor, weights: Tensors, name: str, *, stride: int = 1, padding: int | None = None) -> Tensor:
    kernel = weights[f"{name}.weight"]
    padding = kernel.shape[-1] // 2 if padding is None else padding
    return F.conv2d(maps, kernel, weights[f"{name}.bias"], stride=stride, padding=padding)


def _linear(rows: Tensor, weights: Tensors, name: str) -> Tensor:
    return F.linear(rows, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _group_norm(maps: Tensor, weights: Tensors, name: str) -> Tensor:
    return F.group_norm(maps, 32, weights[f"{name}.weight"], weights[f"{name}.bias"], _VAE_EPS)


def _layer_norm(rows: Tensor, weights: Tensors, name: str, eps: float) -> Tensor:
    return F.layer_norm(rows, rows.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], eps)


def shrink(pixels: Tensor, side: int) -> Tensor:
    """Return 1 x channels x side x side of 1 x channels x height x width pixels."""
    sigmas = [max((size / side - 1) / 2, 0.001) for size in pixels.shape[-2:]]
    # Each blur reaches two standard deviations to both sides, and an odd number of pixels.
    reaches = [int(max(4 * sigma, 3)) // 2 for sigma in sigmas]
    pixels = _blur(pixels, sigmas[1], reaches[1])
    pixels = _blur(pixels.mT, sigmas[0], reaches[0]).mT
    return F.interpolate(pixels, size=(side, side), mode="bicubic", align_corners=True)


def _blur(pixels: Tensor, sigma: float, reach: int) -> Tensor:
    """Blur along the last dimension. Beyond its ends the picture is mirrored."""
    offsets = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    rows = F.pad(pixels, (reach, reach, 0, 0), mode="reflect").flatten(0, 2)[:, None]
    return F.conv1d(rows, (weights / weights.sum())[None, None])[:, 0].view(pixels.shape)
