"""Second and third stage: train the UNet with the image encoder, then both together with the decoder.

Stable Video Diffusion learns from random moves with random noise, and takes many steps to settle on one of them. Here
the noise decides the move (see `camera_motion`), so already at the highest noise level there is one right answer, and
one step is enough. Lower levels are trained too, less often, so that any schedule works.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_FACTOR, Networks
from generator.model.demo_model.autoencoder import picture_error
from generator.model.demo_model.camera_motion import MOVES, follow, ways, write_numbers
from generator.model.demo_model.plates import SUPERSAMPLED, Plates
from generator.model.demo_model.scenes import Dice
from generator.model.demo_model.training_loop import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    put_average,
    skip_temporal_halves,
    train_stage,
    training_type,
)
from generator.model.lean.encoders import CLIP_MEAN, CLIP_SIZE, CLIP_STD

DROPPED = 0.02
"""fraction of clips trained without their picture, for classifier-free guidance"""
SIGMA_MAX = 700.0
AT_MAX = 0.85
"""fraction of clips trained at the highest noise level; the others' log sigma is uniform down to that of SIGMA_LOW"""
SIGMA_LOW = 0.05
STEPS_PER_BATCH = 3
"""training steps for each new batch of clips"""
KEPT_BATCHES = 24
ENCODED_TOGETHER = 56
"""frames"""
LATE = 0.8
"""how much more than the first frame the last one counts"""
UNCOVERED = 0.5
"""how much more counts what was not in the picture"""
GUESSED = 0.1
"""weight of the displacements that the UNet must be able to tell halfway up"""
PERIODS = (128, 64, 32, 16)
"""pixels: a displacement is also told by its waves of these lengths, which attention can compare"""
SHORT = 0.5
"""as progress: clips of 14 frames in all shapes"""
SHOWN = 3
"""frames of each clip that the third stage decodes"""


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


TRAINING_SIZES = (
    TrainingSize(224, 384, 14, begins=0.0, frequency=0.6),
    TrainingSize(384, 224, 14, begins=0.4, frequency=0.16),
    TrainingSize(288, 288, 14, begins=0.4, frequency=0.16),
    TrainingSize(224, 384, 25, begins=0.6, frequency=0.06),
)


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
        bucket, fps, augmentation = _draw_settings(dice, self.batch)
        numbers = dice.normal(self.batch, MOVES)
        way = ways(bucket, fps, augmentation, size.frames)
        fine = (SUPERSAMPLED * size.height, SUPERSAMPLED * size.width)
        frames = self._plates.films(self.batch, *follow(numbers, way, *fine, 1 / SUPERSAMPLED))
        picture = frames[:, 0]
        condition = self._encode(picture + augmentation.view(-1, 1, 1, 1) * dice.normal(*picture.shape))
        latents = self._encode(frames.flatten(0, 1)).unflatten(0, (self.batch, size.frames))
        made = {
            "latents": latents,
            "condition": condition,
            "seen": _seen(picture),
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


def _draw_settings(dice: Dice, clips: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return motion buckets, conditioning fps and noise augmentations, mostly the defaults or near them."""
    bucket = torch.where(
        dice.chance(0.06, clips) > 0, dice.integers(21, clips).float(), dice.integers(256, clips).float()
    )
    fps = torch.where(dice.chance(0.75, clips) > 0, torch.full_like(bucket, 7.0), dice.integers(26, clips) + 5.0)
    usual = torch.full_like(bucket, 0.02)
    return bucket, fps, torch.where(dice.chance(0.8, clips) > 0, usual, 10 ** dice.uniform(-2.5, 0, clips))


def _seen(picture: Tensor) -> Tensor:
    """Return what the image encoder sees: clips x 3 x 224 x 224, in CLIP's own scale, half precision."""
    small = functional.interpolate(picture, size=(CLIP_SIZE, CLIP_SIZE), mode="bilinear", antialias=True)
    mean, deviation = (picture.new_tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    return (((small + 1) / 2 - mean) / deviation).half()


def train_denoiser(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train the UNet and image encoder in place until the clock's budget is spent. `batch` is clips per step."""
    flatten_temporal_convolutions(trained.unet)
    nn.init.zeros_(trained.unet.conv_out.weight)
    vae = copy.deepcopy(trained.vae).to(training_type(plates.dice.device))
    lesson = Lesson(trained, plates.dice.device)
    networks = [trained.unet, trained.image_encoder, lesson.told]
    _train("denoiser", lesson, networks, vae, Rate(1e-3, finish=False), clock, plates, batch, path, report)


def finish(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train UNet, image encoder and decoder together, on what the decoder makes of the UNet's latents."""
    flatten_temporal_convolutions(trained.unet)
    skip_temporal_halves(trained.vae.decoder)
    dtype = training_type(plates.dice.device)
    vae = copy.deepcopy(trained.vae).to(dtype)  # its encoder stays what it was
    lesson = Lesson(trained, plates.dice.device, decoder=trained.vae.decoder)
    networks = [trained.unet, trained.image_encoder, lesson.told, trained.vae.decoder]
    _train("finish", lesson, networks, vae, Rate(3e-4, finish=True), clock, plates, batch, path, report)


@dataclass(frozen=True)
class Rate:
    """How fast a stage learns, and whether it is the last one."""

    peak: float
    finish: bool


def _train(  # noqa: PLR0913 - what both stages have, one step from their public functions
    name: str,
    lesson: Lesson,
    networks: list[nn.Module],
    vae: Any,
    rate: Rate,
    clock: Clock,
    plates: Plates,
    batch: int,
    path: Path,
    report: Report,
) -> None:
    for network in networks:
        network.to(training_type(plates.dice.device))
    stage = Stage(networks, lesson.loss, rate.peak)
    pools: dict[TrainingSize, EncodedClips] = {}

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        size = _choose(step, SHORT if rate.finish else progress)
        if size not in pools:
            pools[size] = EncodedClips(size, vae, plates, batch, pictures=rate.finish)
        return str(size), _inputs(plates.dice, pools[size].draw())

    train_stage(name, stage, clock, draw, path, report)
    lesson.close()
    put_average(networks, stage)


def _choose(step: int, progress: float) -> TrainingSize:
    """Return the size of a step's clips: the same in all processes, so that none waits for another."""
    ready = [size for size in TRAINING_SIZES if size.begins <= progress]
    frequencies = torch.tensor([size.frequency for size in ready])
    return ready[int(torch.multinomial(frequencies, 1, generator=torch.Generator().manual_seed(step)))]


def _inputs(dice: Dice, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the noise and its level, and drop the picture from some clips."""
    clips, frames = drawn["latents"].shape[:2]
    anywhere = dice.uniform(math.log(SIGMA_LOW), math.log(SIGMA_MAX), clips).exp()
    sigma = torch.where(dice.chance(AT_MAX, clips) > 0, torch.full_like(anywhere, SIGMA_MAX), anywhere)
    noise = write_numbers(dice.normal(*drawn["latents"].shape), drawn["numbers"])
    added = {"sigma": sigma, "noise": noise, "kept": 1 - dice.chance(DROPPED, clips)}
    if "pictures" in drawn:
        shown = torch.cat([dice.integers(frames, SHOWN - 1), dice.integers(2, 1) * (frames - 1)])
        pictures = drawn.pop("pictures").index_select(1, shown)
        added |= {"shown": shown, "pictures": pictures}
    return drawn | added


class Lesson:
    """The loss of the second and third stage."""

    def __init__(self, trained: Networks, device: torch.device, decoder: Any = None) -> None:
        self._unet, self._image_encoder, self._decoder = trained.unet, trained.image_encoder, decoder
        halfway = trained.unet.up_blocks[1]
        self.told = nn.Conv2d(trained.unet.conv_norm_out.num_channels * 2, 4 + 8 * len(PERIODS), 1).to(device)
        self._halfway = torch.empty(0)
        self._hook = halfway.register_forward_hook(self._keep)

    def close(self) -> None:
        """Leave the UNet as it was."""
        self._hook.remove()
        self._halfway = torch.empty(0)

    def _keep(self, _module: Any, _inputs: Any, output: Tensor) -> None:
        self._halfway = output

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the error of the v-prediction, and of what it means, a scalar."""
        latents = inputs["latents"].float()
        sigma = inputs["sigma"].view(-1, 1, 1, 1, 1)
        noisy = latents + sigma * inputs["noise"]
        predicted = self._predict(inputs, noisy / (sigma**2 + 1).sqrt())
        target = (noisy / (sigma**2 + 1) - latents) * (sigma**2 + 1).sqrt() / sigma
        error = predicted - target
        weights = _weigh(inputs, latents.shape)
        loss = (weights * (error.square() + 0.3 * (error.square() + 0.01).sqrt())).mean()
        loss = loss + GUESSED * self._misjudged(inputs)
        if self._decoder is not None:
            clean = noisy / (sigma**2 + 1) - predicted * sigma / (sigma**2 + 1).sqrt()
            loss = loss + self._unlike(inputs, clean)
        return loss

    def _predict(self, inputs: dict[str, Tensor], noisy: Tensor) -> Tensor:
        unet, kept = self._unet, inputs["kept"]
        condition = (inputs["condition"] * kept.view(-1, 1, 1, 1))[:, None].expand(-1, noisy.shape[1], -1, -1, -1)
        context = self._image_encoder(inputs["seen"].to(unet.dtype)).image_embeds[:, None] * kept.view(-1, 1, 1)
        predicted = unet(
            torch.cat([noisy, condition], 2).to(unet.dtype),
            0.25 * inputs["sigma"].log(),
            context.to(unet.dtype),
            added_time_ids=inputs["ids"],
            return_dict=False,
        )[0]
        result: Tensor = predicted.float()
        return result

    def _misjudged(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the error of the positions and displacements that a linear layer finds halfway up the UNet."""
        height, width = self._halfway.shape[-2:]
        cell = 2 * LATENT_FACTOR
        across, along = (each.flatten(0, 1) for each in follow(inputs["numbers"], inputs["way"], height, width, cell))
        x = ((torch.arange(width, device=across.device) + 0.5) * cell).expand_as(across)
        y = ((torch.arange(height, device=across.device) + 0.5) * cell)[:, None].expand_as(across)
        size = cell * (height * width) ** 0.5
        truth = [across / cell, along / cell, 4 * (x / size - 0.5), 4 * (y / size - 0.5)]
        for period in PERIODS:
            angles = [each * (2 * math.pi / period) for each in (x, y, x + across, y + along)]
            truth += [wave for angle in angles for wave in (angle.sin(), angle.cos())]
        told: Tensor = self.told(self._halfway).float()
        return functional.mse_loss(told, torch.stack(truth, 1))

    def _unlike(self, inputs: dict[str, Tensor], clean: Tensor) -> Tensor:
        """Return the error of some decoded frames, and of how much fine detail they have."""
        some = clean.index_select(1, inputs["shown"]).flatten(0, 1)
        marks = torch.zeros(len(some), 1, device=some.device)
        decoded = self._decoder(some.to(self._unet.dtype), marks, num_frames=1).float()
        pictures = inputs["pictures"].flatten(0, 1).float() / 127.5 - 1
        return 2 * picture_error(decoded, pictures) + 0.05 * _detail_error(decoded, pictures)


def _detail_error(decoded: Tensor, pictures: Tensor) -> Tensor:
    """Return how far the energy of fine detail is off in 32x32 patches, as the mean size of its logarithm."""
    energies = []
    for each in (decoded, pictures):
        grey = each.mean(1, keepdim=True)
        fine = grey - functional.avg_pool2d(grey, 3, stride=1, padding=1)
        energies.append(functional.avg_pool2d(fine.square(), 32).add(1e-4).log())
    return (energies[0] - energies[1]).abs().mean()


def _weigh(inputs: dict[str, Tensor], shape: torch.Size) -> Tensor:
    """Return what each latent counts, (clips, frames, 1, height, width): more if it is late or was not in the picture."""
    frames, height, width = shape[1], shape[3], shape[4]
    across, along = follow(inputs["numbers"], inputs["way"], height, width, LATENT_FACTOR)
    x = (torch.arange(width, device=across.device) + 0.5) * LATENT_FACTOR + across
    y = ((torch.arange(height, device=across.device) + 0.5) * LATENT_FACTOR)[:, None] + along
    covered = (x >= 0) & (x <= width * LATENT_FACTOR) & (y >= 0) & (y <= height * LATENT_FACTOR)
    late = 1 - LATE / 2 + LATE * torch.arange(frames, device=across.device) / (frames - 1)
    return (late[:, None, None] * torch.where(covered, 1.0, 1 + UNCOVERED))[:, :, None]
