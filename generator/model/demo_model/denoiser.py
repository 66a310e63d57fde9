"""Second stage: the UNet (with the image encoder) learns to film, the way Stable Video Diffusion was trained."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.camera_motion import film
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
"""share of clips trained without their picture, for classifier-free guidance"""
NOISE_MEAN, NOISE_DEVIATION = 1.0, 1.6
"""of log sigma; Stable Video Diffusion's own spread"""
NOISE_ENDS = (-4.0, 6.55)
"""of log sigma: the schedule starts at 700, far out in that spread, so a tenth is drawn evenly"""
STEPS_PER_FILM = 8
KEPT_REELS = 24
ENCODED_TOGETHER = 224
"""frames"""


@dataclass(frozen=True)
class Footage:
    """One size of training clip; `weight` says how often it is drawn once its time has come."""

    height: int
    width: int
    frames: int
    begins: float
    """share of the stage before it is used"""
    weight: float


# 25 frames from the very beginning, on small crops: learnt late, the camera turned back after the 14th frame.
FOOTAGE = (
    Footage(128, 128, 14, begins=0.0, weight=0.3),
    Footage(96, 96, 25, begins=0.0, weight=0.3),
    Footage(144, 256, 14, begins=0.25, weight=1.2),
    Footage(256, 144, 14, begins=0.25, weight=0.7),
    Footage(192, 192, 14, begins=0.25, weight=0.6),
    Footage(144, 256, 25, begins=0.5, weight=0.5),
    Footage(256, 144, 25, begins=0.5, weight=0.3),
    Footage(192, 192, 25, begins=0.5, weight=0.3),
)


class Reels:
    """Encoded clips of one size, kept on the device; every few draws a batch of them is filmed anew."""

    def __init__(self, footage: Footage, vae: Any, dice: Dice, batch: int) -> None:
        self._footage, self._vae, self._dice = footage, vae, dice
        # as many as cost what `batch` clips of 14 frames at 128x256 would
        self.batch = max(1, batch * 14 * 128 * 256 // (footage.frames * footage.height * footage.width))
        self._reels = [self._film() for _ in range(4)]
        self._draws = 0

    def draw(self) -> dict[str, Tensor]:
        """Give a batch mixed from all that is kept."""
        self._draws += 1
        if self._draws % STEPS_PER_FILM == 0:
            self._reels = [*self._reels[-KEPT_REELS + 1 :], self._film()]
        sources = torch.randint(len(self._reels), (4,)).tolist()
        share = -(-self.batch // 4)
        parts = []
        for source in sources:
            pick = self._dice.integers(self.batch, share)
            parts.append({name: part[pick] for name, part in self._reels[source].items()})
        return {name: torch.cat([part[name] for part in parts])[: self.batch].float() for name in parts[0]}

    @torch.no_grad()
    def _film(self) -> dict[str, Tensor]:
        footage = self._footage
        clips = film(self._dice, self.batch, footage.frames, footage.height, footage.width)
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
    """Give what the image encoder sees: 224x224, in CLIP's own scale."""
    small = functional.interpolate(picture, size=(CLIP_SIZE, CLIP_SIZE), mode="bilinear", antialias=True)
    mean, deviation = (picture.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (((small + 1) / 2 - mean) / deviation).half()


def train_denoiser(parts: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report) -> None:
    """Train the UNet and image encoder in place until the clock's budget is spent."""
    networks = [parts.unet, parts.image_encoder]
    flatten_temporal_convolutions(parts.unet)
    nn.init.zeros_(parts.unet.conv_out.weight)
    for network in networks:
        network.to(training_type(dice.device))
    vae = copy.deepcopy(parts.vae).to(training_type(dice.device))
    stage = Stage(networks, partial(_loss, parts.unet, parts.image_encoder), peak_rate=1e-3)
    reels: dict[Footage, Reels] = {}

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        footage = _choose(progress)
        if footage not in reels:
            reels[footage] = Reels(footage, vae, dice, batch)
        return str(footage), _inputs(dice, reels[footage].draw())

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
    """Give the v-prediction error; equal weights on v are EDM's weights on the clip."""
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


def _choose(progress: float) -> Footage:
    ready = [footage for footage in FOOTAGE if footage.begins <= progress]
    weights = torch.tensor([footage.weight for footage in ready])
    return ready[int(torch.multinomial(weights, 1))]
