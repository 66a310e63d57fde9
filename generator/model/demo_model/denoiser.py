"""Second stage: train the UNet with the image encoder, in the way Stable Video Diffusion was trained.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.architecture import Networks
from generator.model.demo_model.camera_motion import paint_clips
from generator.model.demo_model.scenes import Dice
from generator.model.demo_model.training_loop import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    put_average,
    train_stage,
    training_type,
)
from generator.model.lean.encoders import CLIP_MEAN, CLIP_SIZE, CLIP_STD

DROPPED = 0.05
"""fraction of clips trained without their picture, for classifier-free guidance"""
NOISE_MEAN, NOISE_DEVIATION = 1.0, 1.6
"""of log sigma; Stable Video Diffusion's own spread"""
NOISE_ENDS = (-4.0, 6.55)
"""of log sigma: the schedule starts at 700, which that distribution hardly ever draws; so a tenth is drawn uniformly"""
STEPS_PER_PAINTING = 8
KEPT_BATCHES = 24
ENCODED_TOGETHER = 224
"""frames"""


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


# 25 frames from the beginning, on small crops: when they came late, the camera turned back after the 14th frame.
TRAINING_SIZES = (
    TrainingSize(128, 128, 14, begins=0.0, frequency=0.3),
    TrainingSize(96, 96, 25, begins=0.0, frequency=0.3),
    TrainingSize(144, 256, 14, begins=0.25, frequency=1.2),
    TrainingSize(256, 144, 14, begins=0.25, frequency=0.7),
    TrainingSize(192, 192, 14, begins=0.25, frequency=0.6),
    TrainingSize(144, 256, 25, begins=0.5, frequency=0.5),
    TrainingSize(256, 144, 25, begins=0.5, frequency=0.3),
    TrainingSize(192, 192, 25, begins=0.5, frequency=0.3),
)


class EncodedClips:
    """Batches of encoded clips of one size, kept on the device; every few draws a new batch is painted."""

    def __init__(self, size: TrainingSize, vae: Any, dice: Dice, batch: int) -> None:
        self._size, self._vae, self._dice = size, vae, dice
        # as many as cost what `batch` clips of 14 frames at 128x256 would
        self.batch = max(1, batch * 14 * 128 * 256 // (size.frames * size.height * size.width))
        self._batches = [self._paint() for _ in range(4)]
        self._draws = 0

    def draw(self) -> dict[str, Tensor]:
        """Return a batch mixed from those that are kept, float32: latents, condition, seen and ids, clips first."""
        self._draws += 1
        if self._draws % STEPS_PER_PAINTING == 0:
            self._batches = [*self._batches[-KEPT_BATCHES + 1 :], self._paint()]
        sources = torch.randint(len(self._batches), (4,)).tolist()
        quarter = -(-self.batch // 4)
        chosen = []
        for source in sources:
            pick = self._dice.integers(self.batch, quarter)
            chosen.append({name: tensor[pick] for name, tensor in self._batches[source].items()})
        return {name: torch.cat([batch[name] for batch in chosen])[: self.batch].float() for name in chosen[0]}

    @torch.no_grad()
    def _paint(self) -> dict[str, Tensor]:
        size = self._size
        clips = paint_clips(self._dice, self.batch, size.frames, size.height, size.width)
        picture = clips.frames[:, 0]
        noisy = picture + clips.noise_augmentation.view(-1, 1, 1, 1) * self._dice.normal(*picture.shape)
        condition = self._encode(noisy)
        latents = self._encode(clips.frames.flatten(0, 1)).view(*clips.frames.shape[:2], *condition.shape[1:])
        ids = torch.stack([clips.conditioning_fps - 1, clips.motion_bucket, clips.noise_augmentation], 1)
        return {"latents": latents, "condition": condition, "seen": _seen(picture), "ids": ids}

    def _encode(self, pictures: Tensor) -> Tensor:
        chunks = torch.split(pictures.to(self._vae.dtype), ENCODED_TOGETHER)
        return torch.cat([self._vae.encode(chunk).latent_dist.mean for chunk in chunks]).half()


def _seen(picture: Tensor) -> Tensor:
    """Return what the image encoder sees: clips x 3 x 224 x 224, in CLIP's own scale, half precision."""
    small = functional.interpolate(picture, size=(CLIP_SIZE, CLIP_SIZE), mode="bilinear", antialias=True)
    mean, deviation = (picture.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (((small + 1) / 2 - mean) / deviation).half()


def train_denoiser(trained: Networks, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report) -> None:
    """Train the UNet and image encoder in place until the clock's budget is spent."""
    networks = [trained.unet, trained.image_encoder]
    flatten_temporal_convolutions(trained.unet)
    nn.init.zeros_(trained.unet.conv_out.weight)
    for network in networks:
        network.to(training_type(dice.device))
    vae = copy.deepcopy(trained.vae).to(training_type(dice.device))
    stage = Stage(networks, partial(_loss, trained.unet, trained.image_encoder), peak_rate=1e-3)
    pools: dict[TrainingSize, EncodedClips] = {}

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        size = _choose(progress)
        if size not in pools:
            pools[size] = EncodedClips(size, vae, dice, batch)
        return str(size), _inputs(dice, pools[size].draw())

    train_stage("denoiser", stage, clock, draw, state_path, report)
    put_average(networks, stage)


def _inputs(dice: Dice, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the noise and its level, and drop the picture from some clips."""
    clips = len(drawn["latents"])
    usual = NOISE_MEAN + NOISE_DEVIATION * dice.normal(clips)
    anywhere = dice.uniform(*NOISE_ENDS, clips)
    sigma = torch.where(dice.chance(0.1, clips) > 0, anywhere, usual).exp()
    return drawn | {
        "sigma": sigma,
        "noise": dice.normal(*drawn["latents"].shape),
        "kept": 1 - dice.chance(DROPPED, clips),
    }


def _loss(unet: Any, image_encoder: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the mean squared error of the v-prediction, which weights noise levels as EDM does."""
    latents, kept = inputs["latents"], inputs["kept"]
    sigma = inputs["sigma"].view(-1, 1, 1, 1, 1)
    noisy = latents + sigma * inputs["noise"]
    condition = (inputs["condition"] * kept.view(-1, 1, 1, 1))[:, None].expand(-1, latents.shape[1], -1, -1, -1)
    context = image_encoder(inputs["seen"].to(unet.dtype)).image_embeds[:, None] * kept.view(-1, 1, 1)
    predicted = unet(
        torch.cat([noisy / (sigma**2 + 1).sqrt(), condition], 2).to(unet.dtype),
        0.25 * inputs["sigma"].log(),
        context.to(unet.dtype),
        added_time_ids=inputs["ids"],
        return_dict=False,
    )[0]
    target = (noisy / (sigma**2 + 1) - latents) * (sigma**2 + 1).sqrt() / sigma
    return functional.mse_loss(predicted.float(), target)


def _choose(progress: float) -> TrainingSize:
    ready = [size for size in TRAINING_SIZES if size.begins <= progress]
    frequencies = torch.tensor([size.frequency for size in ready])
    return ready[int(torch.multinomial(frequencies, 1))]
