"""Name the weights of diffusers' modules as the layer functions look them up, and join those that they use as one.

Tested in tests/generator/model/lean/test_unet.py and tests/generator/model/lean/test_decoder.py.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from generator.model.lean.pack import Named


def name_parameters(module: Any, name: str) -> Named:
    """Return a module's parameters by their own names, each after `name` and a dot."""
    return {f"{name}.{key}": parameter for key, parameter in module.named_parameters()}


def name_resnet(resnet: Any, upsampler: Any = None) -> Named:
    """Name the weights of a SpatioTemporalResBlock, and of the upsampler before it, if there is one."""
    named = {} if upsampler is None else name_parameters(upsampler, "upsampler")
    named |= dict(resnet.spatial_res_block.named_parameters())
    named |= name_parameters(resnet.temporal_res_block, "temporal")
    return named | {"mix": _mix(resnet.time_mixer)}


def _mix(mixer: Any) -> Tensor:
    """Return the temporal half's share of the blend, 0 to 1, single precision."""
    spatial = torch.sigmoid(mixer.mix_factor.detach().float())
    return spatial if mixer.switch_spatial_to_temporal_mix else 1 - spatial


def name_attention(attention: Any, name: str) -> Named:
    """Name a self-attention's weights: query, key and value as one matrix, and the output projection."""
    projections = (attention.to_q, attention.to_k, attention.to_v)
    named: Named = {f"{name}.to_qkv.weight": tuple(projection.weight for projection in projections)}
    if projections[0].bias is not None:
        named[f"{name}.to_qkv.bias"] = tuple(projection.bias for projection in projections)
    return named | name_parameters(attention.to_out[0], f"{name}.to_out")


def _name_feed_forward(module: Any, name: str) -> Named:
    return name_parameters(module.net[0].proj, f"{name}.in") | name_parameters(module.net[2], f"{name}.out")


def name_transformer(module: Any) -> Named:
    """Name the weights of a TransformerSpatioTemporalModel that every step needs.

    Raises ValueError for one of several blocks, which no Stable Video Diffusion model has.
    """
    if len(module.transformer_blocks) != 1:
        raise ValueError("the lean UNet knows transformers of one block, as all Stable Video Diffusion models have")
    named = name_parameters(module.norm, "norm")
    named |= name_parameters(module.proj_in, "proj_in") | name_parameters(module.proj_out, "proj_out")
    for name, block in _halves(module):
        named |= name_parameters(block.norm1, f"{name}.norm1") | name_attention(block.attn1, f"{name}.attn1")
        named |= name_parameters(block.norm3, f"{name}.norm3") | _name_feed_forward(block.ff, f"{name}.ff")
    temporal = module.temporal_transformer_blocks[0]
    named |= name_parameters(temporal.norm_in, "temporal.norm_in")
    named |= _name_feed_forward(temporal.ff_in, "temporal.ff_in")
    return named | {"mix": _mix(module.time_mixer)}


def name_folded(module: Any) -> Named:
    """Name the weights of a transformer that are used once per clip, to compute its constants."""
    named = name_parameters(module.time_pos_embed, "positions")
    for name, block in _halves(module):
        named[f"{name}.to_v.weight"] = block.attn2.to_v.weight
        named |= name_parameters(block.attn2.to_out[0], f"{name}.to_out")
    return named


def _halves(module: Any) -> tuple[tuple[str, Any], ...]:
    return ("spatial", module.transformer_blocks[0]), ("temporal", module.temporal_transformer_blocks[0])


def name_ends(unet: Any) -> Named:
    """Name the weights of a UNet's first and last layers and of its time embeddings."""
    named = name_parameters(unet.conv_in, "conv_in") | name_parameters(unet.time_embedding, "time")
    named |= name_parameters(unet.add_embedding, "added")
    return named | name_parameters(unet.conv_norm_out, "norm_out") | name_parameters(unet.conv_out, "conv_out")
