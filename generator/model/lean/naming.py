"""Name a checkpoint's weights as the layer functions look them up, and join those that they use as one.

`path` is where a part's weights are in the module, as its class names them.
Tested in tests/generator/model/lean/test_unet.py and tests/generator/model/lean/test_decoder.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from generator.model.lean.pack import Named, Source

Weights = Mapping[str, Source]


def name_below(weights: Weights, path: str, name: str = "") -> Named:
    """Return the weights below a path by what follows it, each after `name` and a dot."""
    start, prefix = f"{path}.", f"{name}." if name else ""
    return {prefix + key.removeprefix(start): weight for key, weight in weights.items() if key.startswith(start)}


def name_resnet(weights: Weights, path: str, upsampler: str | None = None, *, spatial_first: bool = False) -> Named:
    """Name the weights of a SpatioTemporalResBlock, and of the upsampler before it, if there is one.

    `spatial_first` says what its learned factor is the share of: of the spatial half, or of the temporal one. Such a
    block, of a decoder, has no temporal half where that half's share is exactly 0: it is neither read nor computed.
    """
    named: Named = {} if upsampler is None else name_below(weights, upsampler, "upsampler")
    named |= name_below(weights, f"{path}.spatial_res_block")
    mix = _mix(weights, path, spatial_first=spatial_first)
    if spatial_first and not mix.is_meta and not mix.any():  # what is on the meta device has no values
        return named
    return named | name_below(weights, f"{path}.temporal_res_block", "temporal") | {"mix": mix}


def _mix(weights: Weights, path: str, *, spatial_first: bool = False) -> Tensor:
    """Return the temporal half's share of the blend, 0 to 1, single precision."""
    factor = weights[f"{path}.time_mixer.mix_factor"]
    share = torch.sigmoid((factor if isinstance(factor, Tensor) else factor.load()).detach().float())
    return share if spatial_first else 1 - share


def name_attention(weights: Weights, path: str, name: str) -> Named:
    """Name a self-attention's weights: query, key and value as one matrix, and the output projection."""
    named: Named = {}
    for kind in ("weight", "bias"):
        parts = [weights.get(f"{path}.{part}.{kind}") for part in ("to_q", "to_k", "to_v")]
        if found := tuple(part for part in parts if part is not None):
            named[f"{name}.to_qkv.{kind}"] = found
    return named | name_below(weights, f"{path}.to_out.0", f"{name}.to_out")


def _name_feed_forward(weights: Weights, path: str, name: str) -> Named:
    return name_below(weights, f"{path}.net.0.proj", f"{name}.in") | name_below(weights, f"{path}.net.2", f"{name}.out")


def name_transformer(weights: Weights, path: str) -> Named:
    """Name the weights of a TransformerSpatioTemporalModel of one block that every step needs."""
    named: Named = {}
    for part in ("norm", "proj_in", "proj_out"):
        named |= name_below(weights, f"{path}.{part}", part)
    for name, block in _halves(path):
        named |= name_below(weights, f"{block}.norm1", f"{name}.norm1")
        named |= name_attention(weights, f"{block}.attn1", f"{name}.attn1")
        named |= name_below(weights, f"{block}.norm3", f"{name}.norm3")
        named |= _name_feed_forward(weights, f"{block}.ff", f"{name}.ff")
    temporal = f"{path}.temporal_transformer_blocks.0"
    named |= name_below(weights, f"{temporal}.norm_in", "temporal.norm_in")
    named |= _name_feed_forward(weights, f"{temporal}.ff_in", "temporal.ff_in")
    return named | {"mix": _mix(weights, path)}


def name_folded(weights: Weights, path: str) -> Named:
    """Name the weights of a transformer that are used once per clip, to compute its constants."""
    named = name_below(weights, f"{path}.time_pos_embed", "positions")
    for name, block in _halves(path):
        named[f"{name}.to_v.weight"] = weights[f"{block}.attn2.to_v.weight"]
        named |= name_below(weights, f"{block}.attn2.to_out.0", f"{name}.to_out")
    return named


def _halves(path: str) -> tuple[tuple[str, str], ...]:
    return ("spatial", f"{path}.transformer_blocks.0"), ("temporal", f"{path}.temporal_transformer_blocks.0")


def name_ends(weights: Weights, parts: Mapping[str, str]) -> Named:
    """Name the weights of a module's first and last layers; `parts` has the name for each path."""
    named: Named = {}
    for path, name in parts.items():
        named |= name_below(weights, path, name)
    return named
