"""Where the UNet's training begins, second part: an attention that fetches each latent from where the camera looks.

To move a picture by up to fifty pixels, sharply and by fractions of a pixel, is hard for convolutions to learn. It is
what attention can do: a position's query says where the camera looks, as waves of several lengths, each position's key
says where it is, in the same waves, and its value is the picture's latent. The waves stand in the first channels that
the block before hands over; the training tells that block directly what they should be. One head looks narrowly; the
other, more widely and with the opposite sign, takes back the blur.

All that makes queries and keys, and all that hands on the picture's latents to them, stays as it is here until the last
stage: a network that is unsure of the move would otherwise learn to look everywhere a little, which is a blurred
picture, and one that learns moves alone would use these channels for something else.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

PERIODS = (32, 96, 384)
"""pixels: the shortest tells a fraction of a latent cell, the longest tells one side of the frame from the other. They
are made in cells of 8 pixels and then interpolated, for which 16 would be too short"""
WAVES = 4 * len(PERIODS)
"""numbers that say a position: sine and cosine of x and of y for each period"""
NARROW = (10.0, 4.0, 6.0)
"""by period: what a match of the waves adds to a score; with the first a look is about three pixels wide. The others
only tell its repeats apart: the group norm before takes a mean from the long waves, so that they pull to one side"""
WIDE = 0.4
"""the other head's scores, as a share of the first's"""
SHARPER = 0.4
"""share of the other head that is taken off at first"""
QUIET = 0.3
"""scale of the latents in a token"""
LOUD = 6.0
"""size of constants in each token, so that its layer norm hardly depends on the rest"""
NORMED = 1.6
"""what that layer norm divides by"""
LOUD_CHANNELS = 4


def waves(x: Tensor, y: Tensor) -> Tensor:
    """Return what says positions in pixels: two tensors of any one shape become (WAVES, *shape)."""
    angles = [each * (2 * math.pi / period) for period in PERIODS for each in (x, y)]
    return torch.stack([wave for angle in angles for wave in (angle.sin(), angle.cos())])


@torch.no_grad()
def prepare_fetching(unet: Any, latent_channels: int) -> None:
    """Overwrite those weights of a new UNet's last block, and of its first layer, that fetch the picture's latents."""
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
    ours = 2 * WAVES + latent_channels
    shortcut.weight[:ours] = 0
    shortcut.bias[:ours] = 0
    for index in range(2 * WAVES):
        shortcut.weight[index, index, 0, 0] = 1
    for index in content:
        shortcut.weight[2 * WAVES + index, below + index, 0, 0] = 1
    for part in (resnet.spatial_res_block.conv2, resnet.temporal_res_block.conv2):
        part.weight[:ours] = 0
        part.bias[:ours] = 0
    _look(attention, latent_channels)


def _look(attention: Any, latent_channels: int) -> None:
    """Set the projections of the transformer: waves to queries and keys, the picture to values, and the way back."""
    ours = 2 * WAVES + latent_channels
    # of a token's channels: the waves, the latents, their negatives, what is fetched, and loud constants
    content, negative = (range(start, start + latent_channels) for start in (2 * WAVES, ours))
    free = range(negative.stop, negative.stop + latent_channels)
    loud = range(free.stop, free.stop + LOUD_CHANNELS)
    attention.proj_in.weight[: loud.stop] = 0
    attention.proj_in.bias[: loud.stop] = 0
    attention.proj_in.weight[:ours, :ours] = torch.eye(ours)
    attention.proj_in.weight[WAVES : 2 * WAVES] *= -1  # near each other, queries and keys then leave the mean alone
    for index in range(latent_channels):
        attention.proj_in.weight[content[index], 2 * WAVES + index] = QUIET
        attention.proj_in.weight[negative[index], 2 * WAVES + index] = -QUIET
    attention.proj_in.bias[loud.start : loud.stop] = LOUD * torch.tensor([1.0, -1.0]).repeat(LOUD_CHANNELS // 2)
    attention.norm.weight[: 2 * WAVES] = 0.5**0.5  # a sine and a cosine have unit deviation after it without this
    looking = attention.transformer_blocks[0].attn1
    width = looking.to_q.out_features // looking.heads
    for layer in (looking.to_q, looking.to_k):
        layer.weight.zero_()
    for head, share in ((0, 1.0), (1, WIDE)):
        for index in range(WAVES):
            # the attention divides by the root of the head's width
            scale = NORMED * (share * NARROW[index // 4] * width**0.5) ** 0.5
            looking.to_q.weight[head * width + index, index] = scale
            looking.to_k.weight[head * width + index, WAVES + index] = -scale
    looking.to_v.weight.zero_()
    looking.to_out[0].weight[free.start : free.stop] = 0
    looking.to_out[0].bias[free.start : free.stop] = 0
    for index in range(latent_channels):
        for head, share in ((0, 1 + SHARPER), (1, -SHARPER)):
            looking.to_v.weight[head * width + index, content[index]] = NORMED / QUIET / 2
            looking.to_v.weight[head * width + index, negative[index]] = -NORMED / QUIET / 2
            looking.to_out[0].weight[free[index], head * width + index] = share


def fixed_parts(unet: Any, latent_channels: int) -> dict[Tensor, Tensor]:
    """Return which numbers of the weights stay as `prepare_fetching` leaves them.

    All that queries and keys are made by: the layer norm's input is among them, since the waves would shrink, and all
    looks widen, if its other channels grew. And the way of the picture's latents from the input to the values.
    """
    block = unet.up_blocks[-1]
    attention, shortcut = block.attentions[0], block.resnets[0].spatial_res_block.conv_shortcut
    looking = attention.transformer_blocks[0]
    layers = (attention.norm, attention.proj_in, looking.norm1)
    tokens = [weight for layer in layers for weight in (layer.weight, layer.bias)]
    whole = [*tokens, looking.attn1.to_q.weight, looking.attn1.to_k.weight]
    ways = ((unet.conv_in, latent_channels), (shortcut, 2 * WAVES + latent_channels))
    first = [(weight, count) for layer, count in ways for weight in (layer.weight, layer.bias)]
    return {weight: _first_rows(weight, len(weight)) for weight in whole} | {
        weight: _first_rows(weight, count) for weight, count in first
    }


def _first_rows(weight: Tensor, count: int) -> Tensor:
    mask = torch.zeros_like(weight, dtype=torch.bool)
    mask[:count] = True
    return mask
