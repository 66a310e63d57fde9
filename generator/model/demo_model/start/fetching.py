"""Where the UNet's training begins, second part: an attention that fetches each latent from where the camera looks.

To move a picture by up to fifty pixels, sharply and by fractions of a pixel, is hard for convolutions to learn. It is
what attention can do: a position's query says where the camera looks, as waves of several lengths, each position's key
says where it is, in the same waves, and its value is the picture's latent. The waves stand in the first channels that
the block before hands over; the training tells that block directly what they should be. Two heads look, one more widely
than the other; of the difference comes a latent between two cells nearly as sharp as in one.

All that makes queries and keys, and the way of the picture's latents to them and out again, stays as it is here: a
network that is unsure of the move would otherwise learn to look everywhere a little, which is a blurred picture, and
one that learns moves alone would use these channels for something else.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

PERIODS = (32, 96, 384)
"""pixels: the shortest tells a fraction of a latent cell, the longest tells one side of the frame from the other. They
are made in cells of 8 pixels and then interpolated, for which 16 would be too short"""
WAVES = 4 * len(PERIODS)
"""numbers that say a position: sine and cosine of x and of y for each period"""
LOOKS = (((6.5, 4.0, 6.0), 2.0), ((2.5, 4.0, 6.0), -1.0))
"""of both heads: what a match of the waves adds to a score, by period, and the head's share of what is fetched

As standard deviations the looks are 0.48 and 0.74 latent cells wide. Narrower ones snap to cells. The difference keeps
waves of four cells and longer whole. The longer periods tell the repeats of the shortest apart."""
QUIET = 0.3
"""scale of the latents in a token"""
LOUD = 6.0
"""size of constants in each token, so that its layer norm hardly depends on the rest"""
NORMED = 1.6
"""what that layer norm divides by"""
LOUD_CHANNELS = 4
BALANCE_CHANNELS = 4
"""of a token: together the negative sum of its waves and latents, so that its layer norm has no mean to take away"""
FAINT = 5e-5
FAINT_OUT = 5e-4
"""size of the latents, and of what is fetched, before a group norm: far below the root of its epsilon, by which alone
it then divides. Each stands beside its negative, so that there is no mean to take away. So a group norm leaves colours
and contrasts as they are, in all frames alike"""
CLEAR = 4.0
"""makes what is fetched that much larger after the last group norm"""


def waves(x: Tensor, y: Tensor) -> Tensor:
    """Return what says positions in pixels: two tensors of any one shape become (WAVES, *shape)."""
    angles = [each * (2 * math.pi / period) for period in PERIODS for each in (x, y)]
    return torch.stack([wave for angle in angles for wave in (angle.sin(), angle.cos())])


def fetch(latents: Tensor, x: Tensor, y: Tensor, cell: int) -> Tensor:
    """Return what the looks find if all waves are right: the latents (clips, channels, height, width) at (x, y).

    `x` and `y` are in pixels, (clips, height, width) as the latents; a latent is `cell` pixels wide.
    """
    height, width = latents.shape[-2:]
    own_x = ((torch.arange(width, device=x.device) + 0.5) * cell).expand(height, width)
    own_y = ((torch.arange(height, device=x.device) + 0.5) * cell)[:, None].expand(height, width)
    queries = waves(x, y).flatten(2).permute(1, 2, 0)
    keys = waves(own_x, own_y).flatten(1).T.expand(len(latents), -1, -1)
    values = latents.flatten(2).transpose(1, 2)
    fetched = torch.zeros_like(values)
    for matches, share in LOOKS:
        parts = zip(queries.split(4, -1), matches, strict=True)
        strong = torch.cat([match * part for part, match in parts], -1)
        found = functional.scaled_dot_product_attention(strong, keys, values, scale=1.0)
        fetched = fetched + share * found
    return fetched.transpose(1, 2).view_as(latents)


@torch.no_grad()
def prepare_fetching(unet: Any, latent_channels: int) -> None:
    """Overwrite those weights of a new UNet's last block, first and last layers that fetch the picture's latents.

    Of the block's channels the first are the waves, then come the latents, each beside its negative.
    """
    channels = unet.conv_in.out_channels
    content = range(latent_channels)  # of the first layer's channels, handed to the last block by its skip
    unet.conv_in.weight[: len(content)] = 0
    unet.conv_in.bias[: len(content)] = 0
    for index in content:
        unet.conv_in.weight[index, latent_channels + index, 1, 1] = 1
    block = unet.up_blocks[-1]
    resnet, attention = block.resnets[0], block.attentions[0]
    shortcut = resnet.spatial_res_block.conv_shortcut
    below = shortcut.in_channels - channels
    ours = _ours(latent_channels)
    shortcut.weight[:ours] = 0
    shortcut.bias[:ours] = 0
    for index in range(2 * WAVES):
        shortcut.weight[index, index, 0, 0] = 1
    for index in content:
        for channel, sign in _pair(index):
            shortcut.weight[channel, below + index, 0, 0] = sign * FAINT
    for part in (resnet.spatial_res_block.conv2, resnet.temporal_res_block.conv2):
        part.weight[:ours] = 0
        part.bias[:ours] = 0
    _keep_tokens(attention)
    _look(attention, latent_channels)
    _hand_out(unet, latent_channels)


def _ours(latent_channels: int) -> int:
    return 2 * WAVES + 2 * latent_channels


def _pair(index: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the two channels of a latent in the last block, and their signs."""
    return (2 * WAVES + 2 * index, 1), (2 * WAVES + 2 * index + 1, -1)


def _keep_tokens(attention: Any) -> None:
    """Let the transformer add nothing to its tokens at first."""
    for block in (*attention.transformer_blocks, *attention.temporal_transformer_blocks):
        for part in (block.attn1, block.attn2):
            part.to_out[0].weight.zero_()
            part.to_out[0].bias.zero_()
        for part in (block.ff, getattr(block, "ff_in", block.ff)):
            part.net[2].weight.zero_()
            part.net[2].bias.zero_()
    attention.time_pos_embed.linear_2.weight.zero_()
    attention.time_pos_embed.linear_2.bias.zero_()


def _look(attention: Any, latent_channels: int) -> None:
    """Set the projections of the transformer: waves to queries and keys, the picture to values, and the way back."""
    # of a token's channels: the waves, the latents, what balances them, what is fetched, and loud constants
    content = range(2 * WAVES, 2 * WAVES + latent_channels)
    balance = range(content.stop, content.stop + BALANCE_CHANNELS)
    free = range(balance.stop, balance.stop + latent_channels)
    loud = range(free.stop, free.stop + LOUD_CHANNELS)
    told, given = attention.proj_in.weight, attention.proj_out.weight
    told[: loud.stop] = 0
    attention.proj_in.bias[: loud.stop] = 0
    told[: 2 * WAVES, : 2 * WAVES] = torch.eye(2 * WAVES)
    told[WAVES : 2 * WAVES] *= -1  # near each other, queries and keys then leave the mean alone
    given[2 * WAVES : _ours(latent_channels)] = 0
    attention.proj_out.bias[2 * WAVES : _ours(latent_channels)] = 0
    for index in range(latent_channels):
        for channel, sign in _pair(index):
            told[content[index], channel] = sign * QUIET * attention.norm.eps**0.5 / FAINT / 2
            given[channel, free[index]] = sign * FAINT_OUT
            given[channel, content[index]] = -sign * FAINT / QUIET  # the block adds its input: what is here, not there
    told[balance.start : balance.stop] = -told[: content.stop].sum(0) / BALANCE_CHANNELS
    attention.proj_in.bias[loud.start : loud.stop] = LOUD * torch.tensor([1.0, -1.0]).repeat(LOUD_CHANNELS // 2)
    attention.norm.weight[: 2 * WAVES] = 0.5**0.5  # a sine and a cosine have unit deviation after it without this
    looking = attention.transformer_blocks[0].attn1
    width = looking.to_q.out_features // looking.heads
    for layer in (looking.to_q, looking.to_k, looking.to_v):
        layer.weight.zero_()
    for head, (matches, share) in enumerate(LOOKS):
        for index in range(WAVES):
            # the attention divides by the root of the head's width
            scale = NORMED * (matches[index // 4] * width**0.5) ** 0.5
            looking.to_q.weight[head * width + index, index] = scale
            looking.to_k.weight[head * width + index, WAVES + index] = -scale
        for index in range(latent_channels):
            looking.to_v.weight[head * width + index, content[index]] = NORMED / QUIET
            looking.to_out[0].weight[free[index], head * width + index] = share


def _hand_out(unet: Any, latent_channels: int) -> None:
    """Let the last layers predict, by the velocity, a clip that is what was fetched."""
    unet.conv_out.weight.zero_()
    unet.conv_out.bias.zero_()
    size = CLEAR * FAINT_OUT / unet.conv_norm_out.eps**0.5
    for index in range(latent_channels):
        for channel, sign in _pair(index):
            unet.conv_norm_out.weight[channel] = CLEAR
            unet.conv_out.weight[index, channel, 1, 1] = -sign / size  # silu(x) - silu(-x) is x


def fixed_parts(unet: Any, latent_channels: int) -> dict[Tensor, Tensor]:
    """Return which numbers of the weights stay as `prepare_fetching` leaves them.

    All that queries and keys are made by: the layer norm's input is among them, since the waves would shrink, and all
    looks widen, if its other channels grew. And the way of the picture's latents from the input to the values, and of
    what is fetched to the last layers: a training step is larger than what is faint.
    """
    block, ours = unet.up_blocks[-1], _ours(latent_channels)
    attention, resnet = block.attentions[0], block.resnets[0]
    looking = attention.transformer_blocks[0]
    layers = (attention.norm, attention.proj_in, looking.norm1)
    tokens = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    whole = [*tokens, looking.attn1.to_q.weight, looking.attn1.to_k.weight]
    ways = (
        (unet.conv_in, 0, latent_channels),
        (resnet.spatial_res_block.conv_shortcut, 0, ours),
        (resnet.spatial_res_block.conv2, 0, ours),
        (resnet.temporal_res_block.conv2, 0, ours),
        (attention.proj_out, 2 * WAVES, ours),
    )
    some = [(weight, first, end) for layer, first, end in ways for weight in (layer.weight, layer.bias)]
    return {weight: _rows(weight, 0, len(weight)) for weight in whole} | {
        weight: _rows(weight, first, end) for weight, first, end in some
    }


def _rows(weight: Tensor, first: int, end: int) -> Tensor:
    mask = torch.zeros_like(weight, dtype=torch.bool)
    mask[first:end] = True
    return mask
