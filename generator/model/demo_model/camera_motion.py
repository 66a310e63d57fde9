"""The demo model's only camera move over painted pictures: how far per frame, and the clips that result.

The move is the same for every picture: the camera drifts to the right. A network of one and a half million parameters
that has to choose between directions shows a blend of all of them, which looks like dissolving; without a choice it
stays sharp. For a zoom the network would have to know the position in the frame, which convolutions over two levels
cannot.

Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from generator.model.demo_model.scenes import Dice, paint_pictures

FULL_MOTION = 0.16 / 13
"""shift per frame at motion bucket 255 and 7 fps, as a fraction of the frame's size"""
STILL_BELOW = 10
"""motion buckets up to here do not move at all"""
REACH = 0.5
"""the camera's longest way, as a fraction of the frame's size; there it stops"""
BEYOND = 8
"""pixels painted past the furthest frame, for the interpolation"""


@dataclass(frozen=True)
class Clips:
    """A batch of clips, with the settings that each shows; the settings are vectors of one number per clip."""

    frames: Tensor
    """(clips, frames, 3, height, width) in -1..1; frame 0 is the picture"""
    motion_bucket: Tensor
    conditioning_fps: Tensor
    noise_augmentation: Tensor


def shift_per_frame(motion_bucket: Tensor, conditioning_fps: Tensor, noise_augmentation: Tensor) -> Tensor:
    """Return the shift per frame, as a fraction of the square root of the frame's area. All tensors are one per clip.

    It grows with the bucket (0 to 255) and with the augmentation (0 to 1), and shrinks with the fps, since less time
    passes between two frames.
    """
    strength = (motion_bucket - STILL_BELOW).clamp_min(0) / (255 - STILL_BELOW)
    return FULL_MOTION * strength * (7 / conditioning_fps) * (1 + noise_augmentation)


def paint_clips(dice: Dice, clips: int, frames: int, height: int, width: int) -> Clips:
    """Paint pictures wider than the frame, and return clips in which the camera drifts over them."""
    bucket = torch.where(
        dice.chance(0.1, clips) > 0, dice.integers(21, clips).float(), dice.integers(256, clips).float()
    )
    fps = torch.where(dice.chance(0.5, clips) > 0, torch.full_like(bucket, 7.0), dice.integers(26, clips) + 5.0)
    augmentation = torch.where(
        dice.chance(0.5, clips) > 0, torch.full_like(bucket, 0.02), 10 ** dice.uniform(-2.5, 0, clips)
    )
    size = (height * width) ** 0.5
    pictures = paint_pictures(dice, clips, height, width + BEYOND + int(REACH * size))
    shift = shift_per_frame(bucket, fps, augmentation) * size
    seen = [_crop(pictures, (shift * time).clamp_max(REACH * size), height, width) for time in range(frames)]
    return Clips(torch.stack(seen, 1), bucket, fps, augmentation)


def _crop(pictures: Tensor, right: Tensor, height: int, width: int) -> Tensor:
    """Return the window (clips, 3, height, width) that begins `right` pixels from the left; at 0 its exact pixels."""
    tall, wide = pictures.shape[-2:]
    y = (torch.arange(height, device=pictures.device) + 0.5) * 2 / tall - 1
    x = (torch.arange(width, device=pictures.device) + 0.5 + right[:, None]) * 2 / wide - 1
    grid = torch.stack([x[:, None].expand(-1, height, -1), y[None, :, None].expand(len(pictures), -1, width)], -1)
    return functional.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(
        -1, 1
    )
