"""Where the UNet's training begins: with a route by which every position learns what the noise says on the move.

A move is decided by a few numbers that are added up over a whole clip (see `camera_motion`), a thousandth of each
single number. A network that starts from random weights would need long to find them. So its first weights already
average those noise channels, level by level and then by an attention that looks everywhere alike, make the shares of
the moves of them, and lay these beside the other channels. These weights stay as they are: trained with the others,
they drowned the few numbers in what the pictures are like before the rest had learned to hear them. The whole attention
in the middle is the route's alone: while its other channels were trained, its layer norms drowned the numbers too.

In each group of a group norm stand a number, its negative and two constants: so the norm takes nothing away.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from generator.model.demo_model.camera_motion import MOVES

BESIDE_NOISE = 8.0
"""constant beside a number of deviation 1, so that a norm's factor hardly depends on the number"""
CONSTANT = 2.0
"""the same beside a share, but weaker: a share may be larger"""
LOUD = 32.0
"""in some channels of each token, for the same reason in a layer norm"""
LOUD_CHANNELS = 8
FRAME_GAIN = 200.0
"""the mean of so many numbers is small"""
CLIP_GAIN = 16000.0
"""makes the mean of a clip so much larger than that of a frame that a layer norm divides by its length alone"""
STEEP = 32.0
"""of a number's size as gelu makes it: the larger, the nearer to 0 it is right"""
SAID = (4.5, 4.0, 1.0, 1.0, 3.0)
"""how loud the share of each move is: moves that go far are loud, since what is loud is learned sooner"""


@torch.no_grad()
def route_noise(unet: Any) -> None:
    """Overwrite the weights of a new UNet that the route needs."""
    first = unet.conv_in.out_channels - MOVES
    _copy_noise(unet.conv_in, first)
    _halve(unet.down_blocks[0].downsamplers[0].conv, range(first, first + MOVES))
    _double(unet.down_blocks[1].resnets[0].spatial_res_block.conv_shortcut, first)
    channels = unet.conv_norm_out.num_channels * 2
    begins = channels - 8 * MOVES  # first the shares, then the noise
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
        shares = len(channels) - 4 * MOVES  # which nothing fills before the middle
        if channel - channels.start < shares:
            continue
        is_constant = len(channels) > MOVES and (channel - channels.start) % 4 > 1
        conv.weight[channel, channel, 1:, 1:] = 0.25 if is_constant else 0.5


def _double(shortcut: Any, first: int) -> None:
    """From each number make a group: the number, its negative, and two constants."""
    begins = shortcut.out_channels - 4 * MOVES
    _clear(shortcut, range(begins - 4 * MOVES, shortcut.out_channels))
    for move in range(MOVES):
        group = begins + 4 * move
        shortcut.weight[group, first + move] = 1
        shortcut.weight[group + 1, first + move] = -1
        shortcut.bias[group + 2] = BESIDE_NOISE
        shortcut.bias[group + 3] = -BESIDE_NOISE


def _pass(conv: Any, channels: range) -> None:
    """Let a convolution hand these channels on; of several inputs the first, which comes from below."""
    _clear(conv, channels)
    middle = conv.kernel_size[0] // 2
    for channel in channels:
        conv.weight[channel, channel, middle, middle] = 1


def _listen(attention: Any, begins: int) -> None:
    """Let a transformer do nothing but turn the noise into the shares of the moves, the same at all positions.

    Each token holds pairs, a number and its negative: what the noise says, its mean in the frame, its mean in the clip,
    and the shares. The loud constants are taken away before the last layer norm, which then divides the five means by
    their length; the feed-forward part multiplies each by its own size.
    """
    for weight in attention.parameters():
        weight.zero_()
    for norm in (module for module in attention.modules() if isinstance(module, nn.GroupNorm | nn.LayerNorm)):
        norm.weight.fill_(1)
    attention.time_mixer.mix_factor.fill_(-1e4)  # only the temporal half is heard, which begins with the other's result
    noise, frame, clip, shares = (range(start, start + 2 * MOVES) for start in range(0, 8 * MOVES, 2 * MOVES))
    loud = range(shares.stop, shares.stop + LOUD_CHANNELS)
    constants = LOUD * torch.tensor([1.0, -1.0], device=attention.proj_in.bias.device).repeat(LOUD_CHANNELS // 2)
    for move in range(MOVES):
        for sign in (0, 1):
            attention.proj_in.weight[noise[2 * move + sign], begins + 4 * (MOVES + move) + sign] = 1
    attention.proj_in.bias[list(loud)] = constants
    spatial, temporal = attention.transformer_blocks[0], attention.temporal_transformer_blocks[0]
    _average(spatial.attn1, noise, frame, FRAME_GAIN)
    _average(temporal.attn1, frame, clip, CLIP_GAIN)
    temporal.attn2.to_out[0].bias[list(loud)] = -constants
    _square(temporal.ff, clip, shares)
    for move in range(MOVES):
        for sign, channel in ((1, begins + 4 * move), (-1, begins + 4 * move + 1)):
            attention.proj_out.weight[channel, shares[2 * move]] = sign * SAID[move]
        attention.proj_out.bias[begins + 4 * move + 2] = CONSTANT
        attention.proj_out.bias[begins + 4 * move + 3] = -CONSTANT


def _average(attention: Any, source: range, target: range, gain: float) -> None:
    """Let an attention look everywhere alike, and write the means of the `source` pairs to the `target` pairs.

    A pair is read as its difference, which a layer norm shifts by nothing.
    """
    root = gain**0.5
    for move in range(MOVES):
        for sign in (0, 1):
            attention.to_v.weight[move, source[2 * move + sign]] = (0.5 - sign) * root
            attention.to_out[0].weight[target[2 * move + sign], move] = (1 - 2 * sign) * root


def _square(feed_forward: Any, source: range, target: range) -> None:
    """Let a GEGLU multiply each number by its size: x gelu(sx) + x gelu(-sx) is nearly s x |x|."""
    hidden, back = feed_forward.net[0].proj, feed_forward.net[2]
    gates = hidden.out_features // 2
    length = (hidden.in_features / 2) ** 0.5  # what the layer norm makes of a vector of pairs
    for move in range(MOVES):
        for sign in (0, 1):
            unit, direction = 2 * move + sign, 1 - 2 * sign
            for other in (0, 1):
                weight = (0.5 - other) / length
                hidden.weight[unit, source[2 * move + other]] = weight
                hidden.weight[gates + unit, source[2 * move + other]] = direction * STEEP * weight
                back.weight[target[2 * move + other], unit] = (1 - 2 * other) / STEEP


def numbers_heard(features: Tensor) -> Tensor:
    """Return where the route ends in the output of the mid block's attention: (frames, MOVES, height, width)."""
    begins = features.shape[1] - 8 * MOVES
    end = begins + 4 * MOVES
    loud = features.new_tensor(SAID)[:, None, None]
    return (features[:, begins:end:4] - features[:, begins + 1 : end : 4]) / (2 * loud)
