"""Camera moves over painted scenes: how far per frame, which way, and the clips that result."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from generator.demo_model.scenes import Dice, Scene, paint_scene

FULL_MOTION = 0.15 / 13
"""root-mean-square shift per frame at motion bucket 255 and 7 fps, as a share of the frame's size"""
STILL_BELOW = 10
"""motion buckets up to here do not move at all"""
CANVAS = 1.6
"""painted picture over frame, in each direction; a camera that leaves it sees its reflection"""


@dataclass(frozen=True)
class Clips:
    """A batch of clips with the settings that a person would have had to ask for."""

    frames: Tensor
    """(clips, frames, 3, height, width) in -1..1; frame 0 is the picture"""
    motion_bucket: Tensor
    conditioning_fps: Tensor
    noise_augmentation: Tensor


def shift_per_frame(motion_bucket: Tensor, conditioning_fps: Tensor, noise_augmentation: Tensor) -> Tensor:
    """Give the shift per frame as a share of the frame's size.

    More with the bucket; less with the fps, since less time passes between two frames; freer with the augmentation.
    """
    share = (motion_bucket - STILL_BELOW).clamp_min(0) / (255 - STILL_BELOW)
    return FULL_MOTION * share * (7 / conditioning_fps) * (1 + 2 * noise_augmentation)


def film(dice: Dice, clips: int, frames: int, height: int, width: int) -> Clips:
    """Paint scenes and film each with a camera move of its own."""
    scene = paint_scene(dice, clips, _canvas(height), _canvas(width))
    bucket = torch.where(
        dice.chance(0.1, clips) > 0, dice.integers(21, clips).float(), dice.integers(256, clips).float()
    )
    fps = torch.where(dice.chance(0.5, clips) > 0, torch.full_like(bucket, 7.0), dice.integers(26, clips) + 5.0)
    augmentation = torch.where(
        dice.chance(0.5, clips) > 0, torch.full_like(bucket, 0.02), 10 ** dice.uniform(-2.5, 0, clips)
    )
    size = (height * width) ** 0.5
    move = _directions(dice, clips) * (shift_per_frame(bucket, fps, augmentation) * size)[:, None]
    depth = 1 + 0.8 * dice.uniform(0, 1, clips) * dice.chance(0.4, clips)
    pictures = [_frame(scene, move * time, depth, height, width) for time in range(frames)]
    return Clips(torch.stack(pictures, 1), bucket, fps, augmentation)


def _canvas(side: int) -> int:
    return -(-int(side * CANVAS) // 8) * 8


def _directions(dice: Dice, clips: int) -> Tensor:
    """Give (right, down, zoom, turn) of unit length: mostly one of pan, zoom and turn, with a little of the others."""
    kind = dice.uniform(0, 1, clips, 1)
    weights = torch.where(
        kind < 0.4,
        torch.tensor([1, 1, 0.2, 0.1], device=dice.device),
        torch.where(
            kind < 0.85,
            torch.tensor([0.25, 0.25, 1, 0.1], device=dice.device),
            torch.tensor([0.2, 0.2, 0.4, 1], device=dice.device),
        ),
    )
    move = dice.normal(clips, 4) * weights
    inwards = dice.chance(0.7, clips) * 2 - 1  # people expect a push in more often than a pull out
    move[:, 2] = move[:, 2].abs() * inwards
    return functional.normalize(move, dim=1)


def _frame(scene: Scene, move: Tensor, depth: Tensor, height: int, width: int) -> Tensor:
    """Give the frame (clips, 3, height, width) after a move in pixels; the subject moves `depth` times as far."""
    behind = _look(scene.background, move, height, width)
    front = _look(scene.subject, move * depth[:, None], height, width)
    alpha = front[:, 3:].clamp(0, 1)
    return (behind * (1 - alpha) + front[:, :3]).clamp(-1, 1)


def _look(canvas: Tensor, move: Tensor, height: int, width: int) -> Tensor:
    """Resample the canvas as a camera sees it; a zero move is the canvas's own pixels, untouched."""
    tall, wide = canvas.shape[-2:]
    radius = ((height**2 + width**2) / 12) ** 0.5  # root mean square distance of a pixel from the centre
    y = torch.arange(height, device=canvas.device) - (height - 1) / 2
    x = torch.arange(width, device=canvas.device) - (width - 1) / 2
    y, x = torch.meshgrid(y, x, indexing="ij")
    right, down, zoom, turn = (part[:, None, None] for part in move.unbind(1))
    scale, angle = (-zoom / radius).exp(), turn / radius
    source_x = scale * (x * angle.cos() - y * angle.sin()) + right
    source_y = scale * (x * angle.sin() + y * angle.cos()) + down
    grid = torch.stack([source_x * 2 / wide, source_y * 2 / tall], -1)
    return functional.grid_sample(canvas, grid, mode="bicubic", padding_mode="reflection", align_corners=False)
