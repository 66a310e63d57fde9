"""The demo model's camera moves: what a clip's noise, motion bucket, fps and noise augmentation make of a picture.

A clip's noise decides the move. Five of its channels, each added up over the whole clip, are five standard normal
numbers: how much of each basic move the clip has. Their squares, signs kept, are the moves' shares, so that one or two
stand out. Where a pixel comes from is the way, times a sum of the shares, each times a smooth function of the position
in the frame: a network can learn that without a picture. Nearness is assumed, not seen: the frame's centre is near. The
frame's sides stay where they are or move outwards a little, so nothing comes into view that the picture does not show.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

MOVES = 5
"""basic moves: pan right, pan down, push in, turn, orbit; each also the other way, but that of a push in is slower"""
FULL_MOTION = 0.16 / 13
"""way per frame at motion bucket 255 and 7 fps, in units of the square root of the frame's area"""
STILL_BELOW = 10
"""motion buckets up to here do not move at all"""
REACH = 0.23
"""the camera's longest way, in the same unit; there it stops"""


def way_per_frame(motion_bucket: Tensor, conditioning_fps: Tensor, noise_augmentation: Tensor) -> Tensor:
    """Return the way per frame, in units of the square root of the frame's area. All tensors are one per clip.

    It grows with the bucket (0 to 255) and with the augmentation (0 to 1), and shrinks with the fps, since less time
    passes between two frames.
    """
    strength = (motion_bucket - STILL_BELOW).clamp_min(0) / (255 - STILL_BELOW)
    return FULL_MOTION * strength * (7 / conditioning_fps) * (1 + noise_augmentation)


def read_numbers(noise: Tensor) -> Tensor:
    """Return the standard normal numbers, (clips, MOVES), in unit noise (clips, frames, channels, height, width)."""
    count = noise[0, :, 0].numel()
    return noise[:, :, :MOVES].sum((1, 3, 4)) / math.sqrt(count)


def write_numbers(noise: Tensor, numbers: Tensor) -> Tensor:
    """Return the noise changed by a constant per channel so that `read_numbers` of it returns `numbers`."""
    count = noise[0, :, 0].numel()
    change = (numbers - read_numbers(noise)) / math.sqrt(count)
    padded = torch.nn.functional.pad(change, (0, noise.shape[2] - MOVES))
    return noise + padded[:, None, :, None, None]


def mix_moves(numbers: Tensor) -> Tensor:
    """Return how much of each basic move a clip has, (clips, MOVES): the sizes of each clip's shares add up to 1."""
    mix: Tensor = numbers * numbers.abs() / numbers.square().sum(1, keepdim=True).clamp_min(1e-6)
    return mix


def displace(mix: Tensor, u: Tensor, v: Tensor, half: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return where a frame's pixels come from, relative to themselves, after a way of 1.

    `mix` is (clips, MOVES). `u` and `v` are the pixels' distances from the centre, to the right and down, of one shape
    (height, width); `half` is half the frame's width and height. Both results are (clips, height, width). All lengths
    are in units of the root of the frame's area.
    """
    right, down, inwards, turn, orbit = (mix[:, index, None, None] for index in range(MOVES))
    p, q = u / half[0], v / half[1]
    between_sides, between_ends = 1 - p * p, 1 - q * q
    near = torch.exp(-3.3 * p * p - 1.12 * q * q)
    # At a side only `near` is left of a pan or an orbit, 0.18 at most: less than the push, so no side comes inwards.
    push = 0.52 + 0.48 * inwards
    across = half[0] * (right * (1.3 * between_sides + near) + 4.9 * orbit * (near - between_sides / 2))
    along = half[1] * down * 2.2 * between_ends
    return across - push * u - 0.32 * turn * v, along - push * v + 0.32 * turn * u


def follow(numbers: Tensor, way: Tensor, height: int, width: int, cell: float) -> tuple[Tensor, Tensor]:
    """Return where the pixels of each frame come from in the first one, relative to themselves, in pixels.

    `numbers` is (clips, MOVES), `way` (clips, frames). Both results are (clips, frames, height, width) at the centres
    of cells of `cell` pixels; `height` and `width` are in such cells.
    """
    size = (height * width) ** 0.5
    u, v = ((torch.arange(count, device=way.device) + 0.5 - count / 2) / size for count in (width, height))
    half = (width / size / 2, height / size / 2)
    across, along = displace(mix_moves(numbers), u.expand(height, width), v[:, None].expand(height, width), half)
    scale = way[:, :, None, None] * size * cell
    return scale * across[:, None], scale * along[:, None]


def ways(motion_bucket: Tensor, conditioning_fps: Tensor, noise_augmentation: Tensor, frames: int) -> Tensor:
    """Return the camera's way up to each frame, (clips, frames), in units of the root of the frame's area."""
    per_frame = way_per_frame(motion_bucket, conditioning_fps, noise_augmentation)
    return (per_frame[:, None] * torch.arange(frames, device=per_frame.device)).clamp_max(REACH)
