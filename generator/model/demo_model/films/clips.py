"""The clips that the UNet learns from: made of plates, encoded, and kept on the device.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_FACTOR
from generator.model.demo_model.camera_motion import MOVES, follow, ways
from generator.model.demo_model.films.plates import SUPERSAMPLED, Plates
from generator.model.demo_model.scenes import Dice
from generator.model.demo_model.start.fetching import fetch
from generator.model.lean.encoders import CLIP_MEAN, CLIP_SIZE, CLIP_STD

STEPS_PER_BATCH = 3
"""training steps for each new batch of clips"""
KEPT_BATCHES = 24
ENCODED_TOGETHER = 56
"""frames"""
USUAL_BUCKET = 75.0
USUAL_RANGE = 25.0
"""standard deviation"""


@dataclass(frozen=True)
class TrainingSize:
    """One size of training clip, in pixels and frames."""

    height: int
    width: int
    frames: int
    begins: float
    """fraction of the stage after which it is used"""
    frequency: float
    """how often it is drawn then, relative to the others"""


class EncodedClips:
    """Batches of encoded clips of one size, kept on the device; every few draws a new batch is made."""

    def __init__(self, size: TrainingSize, vae: Any, plates: Plates, batch: int, *, pictures: bool) -> None:
        self._size, self._vae, self._plates, self._pictures = size, vae, plates, pictures
        self.batch = max(1, batch * 14 // size.frames)
        self._batches = [self._make() for _ in range(2)]
        self._draws = 0

    def draw(self) -> dict[str, Tensor]:
        """Return a batch of which each half comes from one of those that are kept; clips first."""
        self._draws += 1
        if self._draws % STEPS_PER_BATCH == 0:
            self._plates.renew()
            self._batches = [*self._batches[-KEPT_BATCHES + 1 :], self._make()]
        first, second = (self._batches[int(self._plates.dice.integers(len(self._batches), 1))] for _ in range(2))
        half = self.batch // 2
        return {name: torch.cat([first[name][:half], second[name][half:]]) for name in first}

    @torch.no_grad()
    def _make(self) -> dict[str, Tensor]:
        size, dice = self._size, self._plates.dice
        bucket, fps, augmentation = draw_settings(dice, self.batch)
        numbers = dice.normal(self.batch, MOVES)
        way = ways(bucket, fps, augmentation, size.frames)
        fine = (SUPERSAMPLED * size.height, SUPERSAMPLED * size.width)
        frames = self._plates.films(self.batch, *follow(numbers, way, *fine, 1 / SUPERSAMPLED))
        picture = frames[:, 0]
        condition = self._encode(picture + augmentation.view(-1, 1, 1, 1) * dice.normal(*picture.shape))
        latents = self._encode(picture)
        made = {
            "latents": _fetched(latents, numbers, way),
            "condition": condition,
            "seen": see(picture),
            "ids": torch.stack([fps - 1, bucket, augmentation], 1),
            "numbers": numbers,
            "way": way,
        }
        if self._pictures:
            made["pictures"] = ((frames + 1) * 127.5).round().to(torch.uint8)
        return made

    def _encode(self, pictures: Tensor) -> Tensor:
        chunks = torch.split(pictures.to(self._vae.dtype), ENCODED_TOGETHER)
        return torch.cat([self._vae.encode(chunk).latent_dist.mean for chunk in chunks])


def _fetched(latents: Tensor, numbers: Tensor, way: Tensor) -> Tensor:
    """Return the latents of clips (clips, frames, channels, height, width) as the last block can fetch them.

    `latents` (clips, channels, height, width) are the first frames': they show all that is ever seen.
    """
    clips, frames = way.shape
    height, width = latents.shape[-2:]
    across, along = (each.flatten(0, 1) for each in follow(numbers, way, height, width, LATENT_FACTOR))
    x = (torch.arange(width, device=way.device) + 0.5) * LATENT_FACTOR + across
    y = ((torch.arange(height, device=way.device) + 0.5) * LATENT_FACTOR)[:, None] + along
    found = fetch(latents.float().repeat_interleave(frames, 0), x, y, LATENT_FACTOR)
    return found.view(clips, frames, *latents.shape[1:]).to(latents.dtype)


def draw_settings(dice: Dice, clips: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return motion buckets, conditioning fps and noise augmentations, mostly the defaults or near them."""
    bucket = dice.integers(256, clips).float()
    usual = (USUAL_BUCKET + USUAL_RANGE * dice.normal(clips)).clamp(0, 255)
    bucket = torch.where(dice.chance(0.4, clips) > 0, usual, bucket)
    bucket = torch.where(dice.chance(0.06, clips) > 0, dice.integers(21, clips).float(), bucket)
    fps = torch.where(dice.chance(0.75, clips) > 0, torch.full_like(bucket, 7.0), dice.integers(26, clips) + 5.0)
    usual = torch.full_like(bucket, 0.02)
    return bucket, fps, torch.where(dice.chance(0.8, clips) > 0, usual, 10 ** dice.uniform(-2.5, 0, clips))


def see(picture: Tensor) -> Tensor:
    """Return what the image encoder sees: clips x 3 x 224 x 224, in CLIP's own scale, half precision."""
    small = functional.interpolate(picture, size=(CLIP_SIZE, CLIP_SIZE), mode="bilinear", antialias=True)
    mean, deviation = (picture.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (((small + 1) / 2 - mean) / deviation).half()
