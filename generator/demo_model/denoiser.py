"""Second stage: the UNet (with the image encoder) learns to film, the way Stable Video Diffusion was trained."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.demo_model.course import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    read_state,
    write_state,
)
from generator.demo_model.moves import film
from generator.demo_model.scenes import Dice

DROPPED = 0.1
"""share of clips trained without their picture, for classifier-free guidance"""
NOISE_MEAN, NOISE_DEVIATION = 1.0, 1.6
"""of log sigma; Stable Video Diffusion's own spread"""
NOISE_ENDS = (-4.0, 6.55)
"""of log sigma: the schedule starts at 700, far out in that spread, so a tenth is drawn evenly"""
STEPS_PER_FILM = 4
ENCODED_TOGETHER = 224
"""frames"""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_DEVIATION = (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Footage:
    """One size of training clip; `weight` says how often it is drawn once its time has come."""

    height: int
    width: int
    frames: int
    begins: float
    """share of the stage before it is used"""
    weight: float


FOOTAGE = (
    Footage(128, 128, 14, begins=0.0, weight=0.2),
    Footage(144, 256, 14, begins=0.3, weight=1.2),
    Footage(256, 144, 14, begins=0.3, weight=0.7),
    Footage(192, 192, 14, begins=0.3, weight=0.6),
    Footage(144, 256, 25, begins=0.6, weight=0.5),
    Footage(256, 144, 25, begins=0.6, weight=0.3),
    Footage(192, 192, 25, begins=0.6, weight=0.3),
)


class Reels:
    """Encoded clips of one size, kept on the device; every few draws a batch of them is filmed anew."""

    def __init__(self, footage: Footage, vae: Any, dice: Dice, batch: int, batches: int) -> None:
        self._footage, self._vae, self._dice = footage, vae, dice
        # 25 frames cost about twice 14
        self.batch = max(1, batch * 14 * 128 * 256 // (footage.frames * footage.height * footage.width))
        self._reels = [self._film() for _ in range(batches)]
        self._draws = 0

    def draw(self) -> dict[str, Tensor]:
        """Give a batch mixed from all that is kept."""
        self._draws += 1
        if self._draws % STEPS_PER_FILM == 0:
            self._reels[(self._draws // STEPS_PER_FILM) % len(self._reels)] = self._film()
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
        seen = functional.interpolate(picture, size=(224, 224), mode="bilinear", antialias=True)
        mean = torch.tensor(CLIP_MEAN, device=seen.device).view(3, 1, 1)
        deviation = torch.tensor(CLIP_DEVIATION, device=seen.device).view(3, 1, 1)
        with _autocast(picture.device):
            chunks = torch.split(clips.frames.flatten(0, 1), ENCODED_TOGETHER)
            latents = torch.cat([self._vae.encode(chunk).latent_dist.mean for chunk in chunks])
            condition = self._vae.encode(noisy).latent_dist.mean
        ids = torch.stack([clips.conditioning_fps - 1, clips.motion_bucket, clips.noise_augmentation], 1)
        return {
            "latents": latents.half().view(*clips.frames.shape[:2], *latents.shape[1:]),
            "condition": condition.half(),
            "seen": (((seen + 1) / 2 - mean) / deviation).half(),
            "ids": ids,  # fp32: a bucket must stay whole
        }


def train_denoiser(
    parts: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report
) -> dict[str, float]:
    """Train the UNet and image encoder in place until the clock's budget is spent; give the last figures."""
    unet, image_encoder = parts.unet, parts.image_encoder
    parts.vae.requires_grad_(False)
    flatten_temporal_convolutions(unet)
    nn.init.zeros_(unet.conv_out.weight)
    stage = Stage([unet, image_encoder], peak_rate=1.5e-3)
    if saved := read_state(state_path):
        stage.restore(saved)
    reels: dict[Footage, Reels] = {}
    figures: dict[str, float] = {}
    smooth = 1.0
    while clock.progress < 1:
        footage = _choose(clock.progress)
        if footage not in reels:
            reels[footage] = Reels(footage, parts.vae, dice, batch, batches=24 if dice.device.type == "cuda" else 4)
        drawn = reels[footage].draw()
        loss = denoising_loss(unet, image_encoder, drawn, dice)
        stage.descend(loss, clock.progress)
        if stage.step % 20 == 0:
            smooth += 0.1 * (loss.item() - smooth)
        if stage.step % 100 == 0:
            figures = {"loss": smooth, "steps": stage.step}
            report("denoiser", clock.progress, figures)
        if clock.time_to_save():
            write_state(state_path, stage.state(clock))
    write_state(state_path, stage.state(clock))
    stage.use_average()
    return figures


def denoising_loss(unet: Any, image_encoder: Any, drawn: dict[str, Tensor], dice: Dice) -> Tensor:
    """Give the v-prediction error at random noise levels; equal weights on v are EDM's weights on the clip."""
    latents = drawn["latents"]
    clips, frames = latents.shape[:2]
    usual = NOISE_MEAN + NOISE_DEVIATION * dice.normal(clips)
    anywhere = dice.uniform(*NOISE_ENDS, clips)
    sigma = torch.where(dice.chance(0.1, clips) > 0, anywhere, usual).exp()
    wide = sigma.view(-1, 1, 1, 1, 1)
    noisy = latents + wide * dice.normal(*latents.shape)
    kept = 1 - dice.chance(DROPPED, clips)
    condition = (drawn["condition"] * kept.view(-1, 1, 1, 1))[:, None].expand(-1, frames, -1, -1, -1)
    with _autocast(latents.device):
        context = image_encoder(drawn["seen"]).image_embeds[:, None] * kept.view(-1, 1, 1)
        predicted = unet(
            torch.cat([noisy / (wide**2 + 1).sqrt(), condition], 2),
            0.25 * sigma.log(),
            context,
            added_time_ids=drawn["ids"],
            return_dict=False,
        )[0]
    target = (noisy / (wide**2 + 1) - latents) * (wide**2 + 1).sqrt() / wide
    return functional.mse_loss(predicted.float(), target)


def _choose(progress: float) -> Footage:
    ready = [footage for footage in FOOTAGE if footage.begins <= progress]
    weights = torch.tensor([footage.weight for footage in ready])
    return ready[int(torch.multinomial(weights, 1))]


def _autocast(device: torch.device) -> Any:
    return torch.autocast("cuda", torch.bfloat16) if device.type == "cuda" else contextlib.nullcontext()
