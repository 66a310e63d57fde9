"""The layers' arithmetic, as functions of one chunk and its weights. Maps are frames x height x width x channels.

Spatial layers treat each frame alone, and temporal layers each pixel alone, so a chunk may be any part of a clip. What
depends on the whole clip, the statistics of a temporal group norm, is an argument. All tensors have the model's
precision unless said otherwise.

Tested in tests/generator/model/lean/test_layers.py and tests/generator/model/lean/test_unet.py.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from generator.model.lean.fused.choice import operations
from generator.model.lean.fused.plain import Sums
from generator.model.lean.pack import LayerWeights

# Without a fused attention kernel the score matrix is allocated: for 25 frames at once it would be 39 GB.
MAX_SCORE_BYTES = 512 * 1024 * 1024

# A feed-forward layer's hidden elements at a time: 128 MiB of value and gate in half precision, and still matrices
# large enough to keep any GPU busy. Where the rows themselves are larger, so are the attention's query, key and value.
MAX_HIDDEN_NUMBERS = 2**25


def _group_norm(
    maps: Tensor,
    sums: Sums | None,
    weights: LayerWeights,
    name: str,
    eps: float,
    *,
    silu: bool,
    shift: Tensor | None = None,
    in_place: bool = False,
) -> Tensor:
    """Return the group norm of frames x height x width x channels; `sums` are the maps' per frame, where known."""
    ops = operations(maps)
    rows = maps.flatten(1, 2)
    sums = ops.channel_sums(rows) if sums is None else sums
    weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
    factor, offset = ops.norm_factors(sums, rows.shape[1], weight, bias, eps, shift)
    return ops.scale_shift(rows, factor, offset, silu=silu, into=rows if in_place else None).view_as(maps)


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
    sums: Sums | None,
    time: Tensor | None,
    weights: LayerWeights,
    eps: float,
    upscale: bool,
    into: Tensor | None = None,
) -> tuple[Tensor, Sums]:
    """Run a spatial resnet, after the upsampler (if `upscale`) and the concatenation with `skip` (if given).

    `maps` and `skip` are frames x height x width x channels, `time` is a vector of the resnet's channels. `sums` are
    those of its input per frame, where they are known. Returns the new maps (in `into`, if given) and their sums per
    frame, which the temporal resnet's first norm needs.
    """
    if upscale:
        maps = _upsample(maps, skip, weights)
    if skip is not None:
        maps = torch.cat([maps, skip], -1)
    has_shortcut = "conv_shortcut.weight" in weights
    beside = _conv(maps, weights, "conv_shortcut", padding=0) if has_shortcut else maps
    # The wide concatenation is used nowhere else: normed in place, it is in memory once instead of twice.
    in_place = has_shortcut and skip is not None
    maps = _group_norm(maps, sums, weights, "norm1", eps, silu=True, in_place=in_place)
    out = _conv(maps, weights, "conv1")
    del maps
    shift = weights["conv1.bias"] if time is None else weights["conv1.bias"] + time
    out = _conv(_group_norm(out, None, weights, "norm2", eps, silu=True, shift=shift), weights, "conv2")
    bias = weights["conv2.bias"] + weights["conv_shortcut.bias"] if has_shortcut else weights["conv2.bias"]
    target = out if into is None else into
    return target, operations(out).add(beside.flatten(1, 2), out.flatten(1, 2), bias, target.flatten(1, 2))


def _upsample(maps: Tensor, skip: Tensor | None, weights: LayerWeights) -> Tensor:
    """Double the maps' sides by nearest neighbours, or bring them to the skip's size where that is odd; convolve."""
    frames, height, width, channels = maps.shape
    if skip is not None and skip.shape[1:3] != (2 * height, 2 * width):
        resized = F.interpolate(maps.permute(0, 3, 1, 2), size=skip.shape[1:3], mode="nearest")
        return conv(resized.permute(0, 2, 3, 1), weights, "upsampler")
    if maps.device.type == "cpu":
        return _double_and_convolve(maps, weights["upsampler.weight"], weights["upsampler.bias"])
    doubled = maps[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1)
    return conv(doubled.reshape(frames, 2 * height, 2 * width, channels), weights, "upsampler")


def _double_and_convolve(maps: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve the maps as if their sides were doubled first, with 4 instead of 9 products for each new pixel.

    A row of the kernel and the next one often meet the same old row, so their weights are added up instead: a new row
    meets two old ones, and so do columns.
    """
    frames, height, width, _ = maps.shape
    out = maps.new_empty(frames, 2 * height, 2 * width, weight.shape[0])
    for row, rows in enumerate(_joined_taps(weight, 2)):
        for column, kernel in enumerate(_joined_taps(rows, 3)):
            kernel = kernel.contiguous(memory_format=torch.channels_last)
            new = F.conv2d(maps.permute(0, 3, 1, 2), kernel, bias, padding=1).permute(0, 2, 3, 1)
            out[:, row::2, column::2] = new[:, row : row + height, column : column + width]
    return out


def _joined_taps(weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Return the two taps that even new rows (or columns) have, and those that odd ones have."""
    before, here, after = weight.unbind(dim)
    return torch.stack([before, here + after], dim), torch.stack([before + here, after], dim)


def temporal_first(maps: Tensor, factor: Tensor, offset: Tensor, weights: LayerWeights) -> tuple[Tensor, Sums]:
    """Run the first half of a temporal resnet on `maps`, items x frames x pixels x channels.

    `factor` and `offset` (items x channels) are its first norm. Returns the result, of the same shape, and its sums.
    The convolution's bias and the time's embedding are not added yet: that is left to the second norm.
    """
    ops = operations(maps)
    return ops.frame_conv(ops.scale_shift(maps, factor, offset, silu=True), weights["temporal.conv1.weight"])


def temporal_second(maps: Tensor, inner: Tensor, factor: Tensor, offset: Tensor, weights: LayerWeights) -> Sums:
    """Run the second half of a temporal resnet on `inner`, the first half's result, and blend it into `maps`, in place.

    Both are items x frames x pixels x channels; `factor` and `offset` (items x channels) are its second norm. Returns
    the sums of the new maps, for each frame of each item.
    """
    ops = operations(maps)
    rows = ops.scale_shift(inner, factor, offset, silu=True)
    weight, bias = weights["temporal.conv2.weight"], weights["temporal.conv2.bias"]
    return ops.blend_frame_conv(rows, weight, bias, weights["mix"], maps)


def _frames(clips: Tensor) -> Tensor:
    """Return a view of items x frames x pixels x channels with items and frames as one dimension."""
    return clips.view(-1, *clips.shape[2:])


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


def _self_attention(joint: Tensor, heads: int) -> Tensor:
    """Attend over the tokens of batch x tokens x (query, key and value); returns batch x tokens x channels."""
    query, key, value = (each.transpose(1, 2) for each in joint.unflatten(-1, (3, heads, -1)).unbind(2))
    return attend(query, key, value).transpose(1, 2).flatten(2)


def _add_feed_forward(
    rows: Tensor, first: Tensor, weights: LayerWeights, norm: str, name: str, *, copy: bool = False
) -> Tensor:
    """Return `rows + first`, plus the feed-forward of its norm; the rows are changed in place unless `copy`.

    The feed-forward is computed for some rows at a time: the hidden rows are wider and would determine a step's peak.
    """
    ops = operations(rows)
    # The last product adds to the rows in place, so its bias is added to them before.
    weight, bias, then = weights[f"{norm}.weight"], weights[f"{norm}.bias"], weights[f"{name}.out.bias"]
    rows, normed = ops.add_norm(rows, weight, bias, first=first, then=then, copy=copy)
    most = max(1, MAX_HIDDEN_NUMBERS // weights[f"{name}.out.weight"].shape[1])
    for some, part in zip(
        rows.view(-1, rows.shape[-1]).split(most), normed.view(-1, rows.shape[-1]).split(most), strict=True
    ):
        hidden = ops.gated(part, weights[f"{name}.in.weight"], weights[f"{name}.in.bias"])
        torch.addmm(some, hidden, weights[f"{name}.out.weight"].T, out=some)
    return rows


def _transformer_block(
    rows: Tensor, cross: Tensor, weights: LayerWeights, name: str, attention: Callable[[Tensor], Tensor]
) -> None:
    """Add self-attention, cross-attention and the feed-forward to the rows, three dimensions of them, in place.

    `attention` gets their projection to query, key and value. Cross-attention over one context token is a constant:
    `cross`, of the rows' size or 1 in each dimension.
    """
    _, normed = operations(rows).add_norm(rows, weights[f"{name}.norm1.weight"], weights[f"{name}.norm1.bias"])
    joint = _linear(normed, weights, f"{name}.attn1.to_qkv")
    del normed
    attended = attention(joint)
    del joint
    flat = rows.view(-1, rows.shape[-1])
    torch.addmm(flat, attended.view_as(flat), weights[f"{name}.attn1.to_out.weight"].T, out=flat)
    del attended
    _add_feed_forward(rows, cross + weights[f"{name}.attn1.to_out.bias"], weights, f"{name}.norm3", f"{name}.ff")


def spatial_transformer(
    maps: Tensor,
    sums: Sums | None,
    cross: Tensor,
    weights: LayerWeights,
    heads: int,
    into: Tensor | None = None,
) -> Tensor:
    """Run the spatial half of a transformer on `maps`; `cross` is frames x 1 x channels.

    `sums` are the maps' per frame, where they are known. Returns frames x pixels x channels, in `into` if given.
    """
    normed = _group_norm(maps, sums, weights, "norm", 1e-6, silu=False).flatten(1, 2)
    rows = torch.empty_like(normed) if into is None else into
    flat = rows.view(-1, rows.shape[-1])
    torch.addmm(weights["proj_in.bias"], normed.view_as(flat), weights["proj_in.weight"].T, out=flat)
    del normed

    def attention(joint: Tensor) -> Tensor:
        return _self_attention(joint[:, 0], heads)

    _transformer_block(rows[:, None], cross[:, None], weights, "spatial", attention)
    return rows


def temporal_transformer(
    maps: Tensor, inner: Tensor, positions: Tensor, cross: Tensor, weights: LayerWeights, heads: int
) -> Sums:
    """Run the temporal half of a transformer on `inner` and add both halves to `maps`, in place.

    Both are items x frames x pixels x channels. `positions` (frames x channels) embeds the frames' numbers; `cross` is
    items x 1 x channels. Returns the sums of the new maps, for each frame of each item.
    """

    ops = operations(maps)

    def attention(joint: Tensor) -> Tensor:
        return ops.frame_attention(joint.flatten(0, 1), heads)

    clips = _add_feed_forward(
        inner.transpose(1, 2), positions[None, None], weights, "temporal.norm_in", "temporal.ff_in", copy=True
    )
    _transformer_block(clips, cross[:, None], weights, "temporal", attention)
    blended = ops.blend_back(clips, inner, weights["mix"])
    del clips
    frames = _frames(maps)
    projected = F.linear(blended, weights["proj_out.weight"])
    return ops.add(frames, _frames(projected), weights["proj_out.bias"], frames)


def pixel_attention(maps: Tensor, weights: LayerWeights) -> Tensor:
    """Run the VAE's attention of one head over each frame's pixels. Returns new maps, with the residual added."""
    rows = maps.flatten(1, 2)
    normed = _group_norm(maps, None, weights, "group_norm", 1e-6, silu=False).flatten(1, 2)
    attended = _self_attention(_linear(normed, weights, "attention.to_qkv"), 1)
    return (_linear(attended, weights, "attention.to_out") + rows).view_as(maps)


def project_out(maps: Tensor, sums: Sums | None, weights: LayerWeights, eps: float) -> Tensor:
    """Run the last norm, activation and convolution. Returns frames x height x width x output channels."""
    return conv(_group_norm(maps, sums, weights, "norm_out", eps, silu=True), weights, "conv_out")
