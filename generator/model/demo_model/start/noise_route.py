"""Where the UNet's training begins: with a route by which every position learns what the noise says on the move.

A move is decided by a few numbers that are added up over a whole clip (see `camera_motion`), a thousandth of each
single number. A network that starts from random weights would need long to find them. So its first weights already
average those noise channels, level by level and then by an attention that looks everywhere alike, and lay the result
beside the other channels. These weights stay as they are: trained with the others, they drowned the few numbers in
what the pictures are like before the rest had learned to hear them.

In each group of a group norm stand a number, its negative and two constants: so the norm takes nothing away.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor

from generator.model.demo_model.camera_motion import MOVES

CONSTANT = 2.0
"""beside a number of deviation 1, so that a norm's factor hardly depends on the number"""
LOUD = 8.0
"""in some channels of each token, for the same reason in a layer norm"""
LOUD_CHANNELS = 8
GAIN = 6.0
"""twice in each attention: the mean of so many numbers is small"""
SAID = 0.5
"""brings the numbers to a deviation of 1 where all can read them"""


@torch.no_grad()
def route_noise(unet: Any) -> None:
    """Overwrite the weights of a new UNet that the route needs."""
    first = unet.conv_in.out_channels - MOVES
    _copy_noise(unet.conv_in, first)
    _halve(unet.down_blocks[0].downsamplers[0].conv, range(first, first + MOVES))
    _double(unet.down_blocks[1].resnets[0].spatial_res_block.conv_shortcut, first)
    channels = unet.conv_norm_out.num_channels * 2
    begins = channels - 4 * MOVES
    ours = range(begins, channels)
    for block in unet.down_blocks[1:]:
        if block.downsamplers:
            _halve(block.downsamplers[0].conv, ours)
        for resnet in block.resnets:
            _leave(resnet, ours)
        for attention in getattr(block, "attentions", ()):
            _clear(attention.proj_out, ours)
    for resnet in unet.mid_block.resnets:
        _leave(resnet, ours)
    _listen(unet.mid_block.attentions[0], begins)
    for block in unet.up_blocks[:-1]:
        _pass(block.upsamplers[0].conv, ours)
        for resnet in block.resnets:
            _pass(resnet.spatial_res_block.conv_shortcut, ours)
            _leave(resnet, ours)
        for attention in getattr(block, "attentions", ()):
            _clear(attention.proj_out, ours)


def route_mask(unet: Any) -> list[Tensor]:
    """Return which numbers of each of the UNet's parameters belong to the route, in the order of `parameters`."""
    blank = copy.deepcopy(unet).float().cpu()  # while it trains it is of another type, on a GPU
    with torch.no_grad():
        for weight in blank.parameters():
            weight.fill_(torch.nan)
    route_noise(blank)
    return [~weight.detach().isnan() for weight in blank.parameters()]


def _clear(layer: Any, channels: range) -> None:
    layer.weight[list(channels)] = 0
    layer.bias[list(channels)] = 0


def _leave(resnet: Any, channels: range) -> None:
    """Let a resnet add nothing to these channels."""
    _clear(resnet.spatial_res_block.conv2, channels)
    _clear(resnet.temporal_res_block.conv2, channels)


def _copy_noise(conv: Any, first: int) -> None:
    _clear(conv, range(first, first + MOVES))
    for move in range(MOVES):
        conv.weight[first + move, move, 1, 1] = 1


def _halve(conv: Any, channels: range) -> None:
    """Let a convolution of stride 2 add up each 2x2 positions of these channels; constants stay what they are."""
    _clear(conv, channels)
    for channel in channels:
        is_constant = len(channels) > MOVES and (channel - channels.start) % 4 > 1
        conv.weight[channel, channel, 1:, 1:] = 0.25 if is_constant else 0.5


def _double(shortcut: Any, first: int) -> None:
    """From each number make a group: the number, its negative, and two constants."""
    begins = shortcut.out_channels - 4 * MOVES
    _clear(shortcut, range(begins, shortcut.out_channels))
    for move in range(MOVES):
        group = begins + 4 * move
        shortcut.weight[group, first + move] = 1
        shortcut.weight[group + 1, first + move] = -1
        shortcut.bias[group + 2] = CONSTANT
        shortcut.bias[group + 3] = -CONSTANT


def _pass(conv: Any, channels: range) -> None:
    """Let a convolution hand these channels on; of several inputs the first, which comes from below."""
    _clear(conv, channels)
    middle = conv.kernel_size[0] // 2
    for channel in channels:
        conv.weight[channel, channel, middle, middle] = 1


def _listen(attention: Any, begins: int) -> None:
    """Let a transformer average the numbers over all positions and frames, and put them where the noise was."""
    proj_in, proj_out = attention.proj_in, attention.proj_out
    spatial, temporal = attention.transformer_blocks[0], attention.temporal_transformer_blocks[0]
    # of each token's channels: the noise and its negative, its mean in the frame likewise, its mean in the clip
    noise, frame = range(2 * MOVES), range(2 * MOVES, 4 * MOVES)
    clip = range(frame.stop, frame.stop + MOVES)
    loud = range(clip.stop, clip.stop + LOUD_CHANNELS)
    ours = range(loud.stop)
    _clear(proj_in, ours)
    for block in (spatial, temporal):
        _clear(block.attn1.to_out[0], ours)
        _clear(block.attn2.to_out[0], ours)
        _clear(block.ff.net[2], ours)
    _clear(temporal.ff_in.net[2], ours)
    _clear(attention.time_pos_embed.linear_2, ours)
    for move in range(MOVES):
        proj_in.weight[noise[2 * move], begins + 4 * move] = 1
        proj_in.weight[noise[2 * move + 1], begins + 4 * move + 1] = 1
    proj_in.bias[list(loud)] = LOUD * torch.tensor([1.0, -1.0]).repeat(LOUD_CHANNELS // 2)
    _average(spatial.attn1, noise, frame, both=True)
    _average(temporal.attn1, frame, clip, both=False)
    _clear(proj_out, range(begins, begins + 4 * MOVES))
    normed = ((1 + CONSTANT**2) / 2) ** 0.5
    for move in range(MOVES):
        for sign, channel in ((1, begins + 4 * move), (-1, begins + 4 * move + 1)):
            proj_out.weight[channel, noise[2 * move]] = -sign * normed
            proj_out.weight[channel, clip[move]] = sign * SAID


def _average(attention: Any, source: range, target: range, *, both: bool) -> None:
    """Let the first head look everywhere alike, and write the means of the `source` pairs to `target`.

    A pair is read as its difference, which a layer norm shifts by nothing; `both` writes a pair again.
    """
    width = attention.to_q.out_features // attention.heads
    attention.to_q.weight[:width] = 0
    attention.to_k.weight[:width] = 0
    attention.to_v.weight[:width] = 0
    attention.to_out[0].weight[:, :width] = 0
    for move in range(MOVES):
        attention.to_v.weight[move, source[2 * move]] = GAIN / 2
        attention.to_v.weight[move, source[2 * move + 1]] = -GAIN / 2
        if both:
            attention.to_out[0].weight[target[2 * move], move] = GAIN
            attention.to_out[0].weight[target[2 * move + 1], move] = -GAIN
        else:
            attention.to_out[0].weight[target[move], move] = GAIN


def numbers_heard(features: Tensor) -> Tensor:
    """Return where the route ends in the output of the mid block's attention: (frames, MOVES, height, width)."""
    begins = features.shape[1] - 4 * MOVES
    return (features[:, begins::4] - features[:, begins + 1 :: 4]) / 2
