"""The layers' arithmetic, as functions of one chunk and its weights. Maps are frames x height x width x channels.

Spatial layers treat each frame alone, and temporal layers each pixel alone, so a chunk may be any part of a clip. What
depends on the whole clip, the statistics of a temporal group norm, is an argument. All tensors have the model's
precision unless said otherwise. Each public function that `ChunkFunctions` lists is compiled as one unit.

Tested in tests/generator/model/lean/test_layers.py and tests/generator/model/lean/test_unet.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from generator.model.lean.pack import LayerWeights

GROUPS = 32
"""the groups of every group norm in the UNet and the VAE of diffusers' SVD classes"""

# Without a fused attention kernel the score matrix is allocated: for 25 frames at once it would be 39 GB.
MAX_SCORE_BYTES = 512 * 1024 * 1024

# A feed-forward layer's hidden elements at a time: 128 MiB of value and gate in half precision, and still matrices
# large enough to keep any GPU busy.
MAX_HIDDEN_NUMBERS = 2**25

Sums = tuple[Tensor, Tensor]
"""the sum and the sum of squares, each items x channels, in single precision"""


def is_traced() -> bool:
    """Return whether torch's compiler traces this very call.

    `torch.compiler.is_compiling` cannot be used: from torch 2.13 on it is true in every thread of the process, also in
    one that renders while another compiles.
    """
    return torch.compiler.is_dynamo_compiling()


def channel_sums(rows: Tensor) -> Sums:
    """Sum `rows` (items x positions x channels) and their squares over the positions, in single precision."""
    squares = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float32).square()
    return rows.sum(1, dtype=torch.float32), squares


def norm_factors(
    sums: Sums, count: int, weight: Tensor, bias: Tensor, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return a group norm's factor and offset (items x channels) from sums over `count` positions.

    `shift` (channels) is added to the rows before the norm, without a pass over them: the result is for the rows as
    they are.
    """
    total, squares = sums
    if shift is not None:
        shift = shift.float()
        total, squares = total + count * shift, squares + shift * (2 * total + count * shift)
    total, squares = (each.unflatten(-1, (GROUPS, -1)).sum(-1) for each in (total, squares))
    width = weight.numel() // GROUPS
    mean = total / (count * width)
    spread = torch.rsqrt((squares / (count * width) - mean.square()).clamp_min(0) + eps)
    factor = spread.repeat_interleave(width, -1) * weight.float()
    mean = mean.repeat_interleave(width, -1)
    offset = bias.float() - (mean if shift is None else mean - shift) * factor
    return factor.to(weight.dtype), offset.to(weight.dtype)


def _group_norm(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    *,
    shift: Tensor | None = None,
    into: Tensor | None = None,
) -> Tensor:
    factor, offset = norm_factors(channel_sums(rows), rows.shape[1], weight, bias, eps, shift)
    return torch.addcmul(offset[:, None], rows, factor[:, None], out=into)


def _norm_silu(
    maps: Tensor, weights: LayerWeights, name: str, eps: float, *, shift: Tensor | None = None, in_place: bool = False
) -> Tensor:
    rows = maps.flatten(1, 2)
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    rows = _group_norm(rows, weight, bias, eps, shift=shift, into=rows if in_place else None)
    return F.silu(rows, inplace=True).view_as(maps)


def conv(maps: Tensor, weights: LayerWeights, name: str, *, stride: int = 1) -> Tensor:
    """Convolve maps in space, with bias. Returns frames x new height x new width x channels, contiguous."""
    return _conv(maps, weights, name, stride=stride, bias=weights[f"{name}.bias"])


def _conv(
    maps: Tensor, weights: LayerWeights, name: str, *, stride: int = 1, padding: int = 1, bias: Tensor | None = None
) -> Tensor:
    # torch adds a bias in a pass of its own after the convolution; most callers can add it to something else.
    out = F.conv2d(maps.permute(0, 3, 1, 2), weights[f"{name}.weight"], bias, stride=stride, padding=padding)
    return out.permute(0, 2, 3, 1).contiguous()


def _linear(rows: Tensor, weights: LayerWeights, name: str) -> Tensor:
    return F.linear(rows, weights[f"{name}.weight"], weights.get(f"{name}.bias"))


def spatial_resnet(
    maps: Tensor,
    skip: Tensor | None,
    time: Tensor | None,
    weights: LayerWeights,
    eps: float,
    upscale: bool,
    into: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Run a spatial resnet, after the upsampler (if `upscale`) and the concatenation with `skip` (if given).

    `maps` and `skip` are frames x height x width x channels, `time` is a vector of the resnet's channels. Returns the
    new maps (in `into`, if given) and their sum and sum of squares per frame and channel, in single precision, which
    the temporal resnet's first norm needs.
    """
    if upscale:
        maps = conv(_upscale(maps, skip), weights, "upsampler")
    if skip is not None:
        maps = torch.cat([maps, skip], -1)
    has_shortcut = "conv_shortcut.weight" in weights
    beside = _conv(maps, weights, "conv_shortcut", padding=0) if has_shortcut else maps
    # The wide concatenation is used nowhere else: normed in place, it is in memory once instead of twice.
    maps = _norm_silu(maps, weights, "norm1", eps, in_place=has_shortcut and skip is not None)
    out = _conv(maps, weights, "conv1")
    del maps
    shift = weights["conv1.bias"] if time is None else weights["conv1.bias"] + time
    out = _conv(_norm_silu(out, weights, "norm2", eps, shift=shift), weights, "conv2")
    out += weights["conv2.bias"] + weights["conv_shortcut.bias"] if has_shortcut else weights["conv2.bias"]
    out = torch.add(out, beside, out=out if into is None else into)
    return out, *channel_sums(out.flatten(1, 2))


def _upscale(maps: Tensor, skip: Tensor | None) -> Tensor:
    """Double the maps' sides by nearest neighbours, or bring them to the skip's size where that one is odd."""
    frames, height, width, channels = maps.shape
    if skip is None or skip.shape[1:3] == (2 * height, 2 * width):
        doubled = maps[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1)
        return doubled.reshape(frames, 2 * height, 2 * width, channels)
    return F.interpolate(maps.permute(0, 3, 1, 2), size=skip.shape[1:3], mode="nearest").permute(0, 2, 3, 1)


def _temporal_conv(maps: Tensor, weights: LayerWeights, name: str, bias: Tensor | None = None) -> Tensor:
    """Convolve items x frames x pixels x channels over three frames."""
    out = F.conv2d(maps.permute(0, 3, 1, 2), weights[f"{name}.weight"], bias, stride=1, padding=(1, 0))
    return out.permute(0, 2, 3, 1)


def temporal_first(
    maps: Tensor, factor: Tensor, offset: Tensor, weights: LayerWeights
) -> tuple[Tensor, Tensor, Tensor]:
    """Run the first half of a temporal resnet on `maps`, items x frames x pixels x channels.

    `factor` and `offset` (items x channels) are its first norm. Returns the result, of the same shape, with its sum and
    its sum of squares per item and channel in single precision. The convolution's bias and the time's embedding are not
    added yet: that is left to the second norm.
    """
    rows = torch.addcmul(offset[:, None, None], maps, factor[:, None, None])
    out = _temporal_conv(F.silu(rows, inplace=True), weights, "temporal.conv1")
    return out, *channel_sums(out.flatten(1, 2))


def temporal_second(maps: Tensor, inner: Tensor, factor: Tensor, offset: Tensor, weights: LayerWeights) -> None:
    """Run the second half of a temporal resnet on `inner`, the first half's result, and blend it into `maps`, in place.

    Both are items x frames x pixels x channels; `factor` and `offset` (items x channels) are its second norm.
    """
    rows = torch.addcmul(offset[:, None, None], inner, factor[:, None, None])
    out = _temporal_conv(F.silu(rows, inplace=True), weights, "temporal.conv2", weights["temporal.conv2.bias"])
    maps.addcmul_(out, weights["mix"])


def attend(query: Tensor, key: Tensor, value: Tensor, max_score_bytes: int = MAX_SCORE_BYTES) -> Tensor:
    """Compute scaled dot-product attention of batch x heads x tokens x width; returns the query's shape.

    Where there is no fused kernel, queries are computed some at a time, with at most `max_score_bytes` of scores.
    """
    if query.device.type in ("cuda", "cpu", "meta"):
        return F.scaled_dot_product_attention(query, key, value)
    per_query = query.shape[0] * query.shape[1] * key.shape[2] * 4
    together = max(1, max_score_bytes // per_query)
    chunks = [F.scaled_dot_product_attention(some, key, value) for some in query.split(together, dim=2)]
    return torch.cat(chunks, dim=2)


def _self_attention(rows: Tensor, weights: LayerWeights, name: str, heads: int) -> Tensor:
    """Run a self-attention, without its output projection, on batch x tokens x channels."""
    joint = _linear(rows, weights, f"{name}.to_qkv").unflatten(-1, (3, heads, -1))
    del rows
    query, key, value = (each.transpose(1, 2) for each in joint.unbind(2))
    return attend(query, key, value).transpose(1, 2).flatten(2)


def _feed_forward(rows: Tensor, weights: LayerWeights, name: str) -> Tensor:
    # Value and gate as two products: both results are dense, as elementwise kernels need them, and the peak is a third
    # lower.
    (to_value, to_gate), (value_bias, gate_bias) = (
        weights[f"{name}.in.{kind}"].chunk(2) for kind in ("weight", "bias")
    )
    gate = torch.ops.aten.gelu_(F.linear(rows, to_gate, gate_bias))
    gate *= F.linear(rows, to_value, value_bias)
    return _linear(gate, weights, f"{name}.out")


def _add_feed_forward(rows: Tensor, weights: LayerWeights, norm: str, name: str) -> None:
    """Add the feed-forward of the normed rows to the rows, in place.

    It is computed for some rows at a time: the hidden rows are wider and would determine a step's peak.
    """
    flat = rows.view(-1, rows.shape[-1])
    most = max(1, MAX_HIDDEN_NUMBERS // weights[f"{name}.out.weight"].shape[1])
    # Compiled, the hidden rows are fused away, and a loop would only be unrolled.
    for some in [rows] if is_traced() else flat.split(most):
        some += _feed_forward(_layer_norm(some, weights, norm), weights, name)


def _layer_norm(rows: Tensor, weights: LayerWeights, name: str) -> Tensor:
    return F.layer_norm(rows, rows.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"])


def _transformer_block(rows: Tensor, cross: Tensor, weights: LayerWeights, name: str, heads: int) -> None:
    """Add self-attention, cross-attention and the feed-forward to the rows, in place.

    Cross-attention over one context token is a constant: `cross`, batch x 1 x channels.
    """
    attended = _self_attention(_layer_norm(rows, weights, f"{name}.norm1"), weights, f"{name}.attn1", heads)
    weight, bias = weights[f"{name}.attn1.to_out.weight"], weights[f"{name}.attn1.to_out.bias"]
    if is_traced():  # the compiler fuses the sum with the norm after it; of addmm's target it would make a copy
        rows += F.linear(attended, weight, bias)
        rows += cross
    else:
        flat = rows.view(-1, rows.shape[-1])
        torch.addmm(flat, attended.view_as(flat), weight.T, out=flat)
        rows += cross + bias
    del attended
    _add_feed_forward(rows, weights, f"{name}.norm3", f"{name}.ff")


def spatial_transformer(
    maps: Tensor, cross: Tensor, weights: LayerWeights, heads: int, into: Tensor | None = None
) -> Tensor:
    """Run the spatial half of a transformer on `maps`; `cross` is frames x 1 x channels.

    Returns frames x pixels x channels, in `into` if given.
    """
    normed = _group_norm(maps.flatten(1, 2), weights["norm.weight"], weights["norm.bias"], 1e-6)
    rows = torch.empty_like(normed) if into is None else into
    flat = rows.view(-1, rows.shape[-1])
    torch.addmm(weights["proj_in.bias"], normed.view_as(flat), weights["proj_in.weight"].T, out=flat)
    del normed
    _transformer_block(rows, cross, weights, "spatial", heads)
    return rows


def temporal_transformer(
    maps: Tensor, inner: Tensor, positions: Tensor, cross: Tensor, weights: LayerWeights, heads: int
) -> None:
    """Run the temporal half of a transformer on `inner` and add both halves to `maps`, in place.

    Both are items x frames x pixels x channels. `positions` (frames x channels) embeds the frames' numbers; `cross` is
    items x 1 x channels.
    """
    spatial = inner.transpose(1, 2)
    items, pixels, frames, channels = spatial.shape
    clips = spatial.clone(memory_format=torch.contiguous_format)
    clips += positions
    rows = clips.view(items * pixels, frames, channels)
    _add_feed_forward(rows, weights, "temporal.norm_in", "temporal.ff_in")
    cross = cross.expand(items, pixels, -1).reshape(items * pixels, 1, channels)
    _transformer_block(rows, cross, weights, "temporal", heads)
    # The order matters: the result has the first argument's strides, and the projection needs contiguous rows.
    blended = torch.lerp(clips, spatial, 1 - weights["mix"])
    maps += _linear(blended, weights, "proj_out").transpose(1, 2)


def pixel_attention(maps: Tensor, weights: LayerWeights) -> Tensor:
    """Run the VAE's attention of one head over each frame's pixels. Returns new maps, with the residual added."""
    rows = maps.flatten(1, 2)
    normed = _group_norm(rows, weights["group_norm.weight"], weights["group_norm.bias"], 1e-6)
    attended = _self_attention(normed, weights, "attention", 1)
    return (_linear(attended, weights, "attention.to_out") + rows).view_as(maps)


def project_out(maps: Tensor, weights: LayerWeights, eps: float) -> Tensor:
    """Run the last norm, activation and convolution. Returns frames x height x width x output channels."""
    return conv(_norm_silu(maps, weights, "norm_out", eps), weights, "conv_out")
