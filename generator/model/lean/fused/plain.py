"""The operations between products and convolutions, in plain torch: what `kernels` computes faster on a GPU.

Maps are items x positions x channels, or items x frames x pixels x channels; a position's channels are contiguous.

Tested in tests/generator/model/lean/test_unet.py and tests/generator/model/lean/fused/test_kernels.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

GROUPS = 32
"""the groups of every group norm in the UNet and the VAE of diffusers' SVD classes"""

Sums = Tensor
"""the sums and the sums of squares, 2 x items x parts x channels in single precision; the parts are to be added up"""


def channel_sums(maps: Tensor) -> Sums:
    """Sum the maps and their squares over the positions of an item."""
    if maps.device.type == "cpu" and maps.dtype == torch.float32:
        return _sums_on_cpu(maps.flatten(1, -2))
    over = tuple(range(1, maps.ndim - 1))
    squares = torch.linalg.vector_norm(maps, dim=over, dtype=torch.float32).square()
    return torch.stack([maps.sum(over, dtype=torch.float32), squares])[:, :, None]


def _sums_on_cpu(items: Tensor) -> Sums:
    """Do the same for items x positions x channels: batch norm's statistics are seven times faster than the norm."""
    as_pictures = [rows.T[None, :, :, None] for rows in items]
    found = [torch.batch_norm_update_stats(each, None, None, 0.0) for each in as_pictures]
    mean, variance = (torch.stack(each) for each in zip(*found, strict=True))
    return torch.stack([mean, variance + mean.square()])[:, :, None] * items.shape[1]


def norm_factors(
    sums: Sums, count: int, weight: Tensor, bias: Tensor, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return a group norm's factor and offset (items x channels) from sums over `count` positions.

    `shift` (channels) is added to the rows before the norm, without a pass over them: the result is for the rows as
    they are.
    """
    total, squares = sums.sum(2)
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


def scale_shift(maps: Tensor, factor: Tensor, offset: Tensor, *, silu: bool, into: Tensor | None = None) -> Tensor:
    """Return `maps * factor + offset`, after a SiLU where `silu`; `factor` and `offset` are items x channels.

    The result is contiguous, or in `into`, which may be `maps` itself where that is contiguous.
    """
    factor, offset = (each.view(len(maps), *[1] * (maps.ndim - 2), -1) for each in (factor, offset))
    out = torch.addcmul(offset, maps, factor, out=into)
    out = F.silu(out, inplace=True) if silu else out
    return out if into is not None else out.contiguous()


def add(maps: Tensor, more: Tensor, bias: Tensor, into: Tensor) -> Sums:
    """Write `maps + more + bias` into `into` and return its `channel_sums`.

    The maps are items x positions x channels, contiguous within an item; `bias` has the channels. `more` may be
    changed.
    """
    more += bias
    torch.add(maps, more, out=into)
    return channel_sums(into)


def frame_conv(clips: Tensor, weight: Tensor) -> tuple[Tensor, Sums]:
    """Convolve items x frames x pixels x channels over three frames; return the result and its `channel_sums`.

    `weight` is output channels x channels x 3 x 1, channels-last.
    """
    out = convolve_frames(clips, weight)
    return out, channel_sums(out)


def blend_frame_conv(clips: Tensor, weight: Tensor, bias: Tensor, mix: Tensor, into: Tensor) -> Sums:
    """Add `(frame_conv(clips) + bias) * mix` to `into`, of the same shape, and return the sums of each of its frames.

    `mix` is one number. The frames of `into` are contiguous, its items and frames may have any stride.
    """
    into.addcmul_(convolve_frames(clips, weight, bias), mix)
    return channel_sums(into.view(-1, *into.shape[2:]))


def convolve_frames(clips: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve items x frames x pixels x channels over three frames; `weight` as in `frame_conv`."""
    if weight.device.type == "cpu" and not weight[:, :, ::2].any():  # the demo model's decoder sees single frames
        return F.linear(clips, weight[:, :, 1, 0], bias)
    return F.conv2d(clips.permute(0, 3, 1, 2), weight, bias, padding=(1, 0)).permute(0, 2, 3, 1)


def gated(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a feed-forward's hidden rows: half of its first layer's results times the GELU of the other half.

    `rows` is rows x channels; `weight` is (2 * width) x channels, first for the values, then for the gates.
    """
    # As two products: both results are dense, as elementwise kernels need them, and the peak is lower.
    (to_value, to_gate), (value_bias, gate_bias) = weight.chunk(2), bias.chunk(2)
    hidden: Tensor = torch.ops.aten.gelu_(F.linear(rows, to_gate, gate_bias))
    hidden *= F.linear(rows, to_value, value_bias)
    return hidden


def add_norm(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    first: Tensor | None = None,
    then: Tensor | None = None,
    copy: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return `rows + first + then` and the layer norm, with `weight` and `bias`, of `rows + first`.

    `rows` has three dimensions and the channels; `first` has the same four, each of them either of that size or 1;
    `then` has the channels. The rows, contiguous, are changed in place; with `copy`, rows of any strides stay as they
    are, and the result is contiguous.
    """
    rows = rows.clone(memory_format=torch.contiguous_format) if copy else rows
    if first is not None:
        rows += first
    normed = F.layer_norm(rows, rows.shape[-1:], weight, bias)
    if then is not None:
        rows += then
    return rows, normed


def blend_back(clips: Tensor, spatial: Tensor, mix: Tensor) -> Tensor:
    """Return `clips * mix + spatial * (1 - mix)` as items x frames x pixels x channels, contiguous.

    `spatial` has that shape as well; `clips` is contiguous items x pixels x frames x channels; `mix` is one number.
    """
    return torch.lerp(spatial, clips.transpose(1, 2), mix).contiguous()


def frame_attention(joint: Tensor, heads: int) -> Tensor:
    """Attend over a pixel's frames: `joint` is batch x frames x (query, key and value, each heads x width).

    Returns batch x frames x (heads * width).
    """
    query, key, value = (each.transpose(1, 2) for each in joint.unflatten(-1, (3, heads, -1)).unbind(2))
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
