"""Third and fourth stage: train the UNet with the image encoder, then both together with the decoder.

Stable Video Diffusion learns from random moves with random noise, and takes many steps to settle on one of them. Here
the noise decides the move (see `camera_motion`), so already at the highest noise level there is one right answer, and
one step is enough. It is the only step that is trained, with exactly what the pipeline begins with: noise without a
trace of the clip. A trace would change what the noise says on the move, by as much as a tenth of the way.

The third stage trains only the last block, which fetches the picture: the moves stay as precise as they were learned.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_FACTOR, Networks
from generator.model.demo_model.autoencoder import picture_error
from generator.model.demo_model.camera_motion import follow, write_numbers
from generator.model.demo_model.films.clips import EncodedClips, TrainingSize
from generator.model.demo_model.films.plates import Plates
from generator.model.demo_model.motion import SIGMA_MAX, Places, choose, fixed_weights
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

DROPPED = 0.02
"""fraction of clips trained without their picture, for classifier-free guidance"""
LATE = 0.8
"""how much more than the first frame the last one counts"""
UNCOVERED = 0.5
"""how much more counts what was not in the picture"""
TOLD = 0.3
"""weight, in the fourth stage, of the waves that the last block looks by"""
SHORT = 0.5
"""as progress: clips of 14 frames in all shapes"""
SHOWN = 3
"""frames of each clip that the fourth stage decodes"""


TRAINING_SIZES = (
    TrainingSize(224, 384, 14, begins=0.0, frequency=0.6),
    TrainingSize(384, 224, 14, begins=0.4, frequency=0.16),
    TrainingSize(288, 288, 14, begins=0.4, frequency=0.16),
    TrainingSize(224, 384, 25, begins=0.6, frequency=0.06),
)


def train_denoiser(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train the UNet and image encoder in place until the clock's budget is spent. `batch` is clips per step."""
    flatten_temporal_convolutions(trained.unet)
    nn.init.zeros_(trained.unet.conv_out.weight)
    vae = copy.deepcopy(trained.vae).to(training_type(plates.dice.device))
    keep_moves(trained.unet)
    lesson = Lesson(trained, plates.dice.device)
    networks = [trained.unet, trained.image_encoder]
    _train(Course("denoiser", lesson, networks, vae, 1e-3, finish=False), clock, plates, batch, path, report)


def keep_moves(unet: Any) -> None:
    """Let all of the UNet but its last block stay as it is."""
    unet.requires_grad_(False)
    for trained in (unet.up_blocks[-1], unet.conv_norm_out, unet.conv_out):
        trained.requires_grad_(True)


def finish(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train UNet, image encoder and decoder together, on what the decoder makes of the UNet's latents."""
    flatten_temporal_convolutions(trained.unet)
    trained.unet.requires_grad_(True)
    skip_temporal_halves(trained.vae.decoder)
    dtype = training_type(plates.dice.device)
    vae = copy.deepcopy(trained.vae).to(dtype)  # its encoder stays what it was
    lesson = Lesson(trained, plates.dice.device, decoder=trained.vae.decoder)
    networks = [trained.unet, trained.image_encoder, trained.vae.decoder]
    _train(Course("finish", lesson, networks, vae, 3e-4, finish=True), clock, plates, batch, path, report)


@dataclass(frozen=True)
class Course:
    """What one of the two stages trains, with which loss, how fast, and whether it is the last one."""

    name: str
    lesson: Lesson
    networks: list[nn.Module]
    vae: Any
    peak_rate: float
    finish: bool


def _train(course: Course, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    networks = course.networks
    for network in networks:
        network.to(training_type(plates.dice.device))
    stage = Stage(networks, course.lesson.loss, course.peak_rate)
    stage.fix(fixed_weights(networks[0], looking=not course.finish))
    pools: dict[TrainingSize, EncodedClips] = {}

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        size = choose(TRAINING_SIZES, step, SHORT if course.finish else progress)
        if size not in pools:
            pools[size] = EncodedClips(size, course.vae, plates, batch, pictures=course.finish)
        return str(size), _inputs(plates.dice, pools[size].draw())

    train_stage(course.name, stage, clock, draw, path, course.lesson.places.also(report))
    course.lesson.close()
    put_average(networks, stage)


def _inputs(dice: Dice, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the noise, and drop the picture from some clips."""
    clips, frames = drawn["latents"].shape[:2]
    noise = write_numbers(dice.normal(*drawn["latents"].shape), drawn["numbers"])
    added = {"noise": noise, "kept": 1 - dice.chance(DROPPED, clips)}
    if "pictures" in drawn:
        shown = torch.cat([dice.integers(frames, SHOWN - 1), dice.integers(2, 1) * (frames - 1)])
        pictures = drawn.pop("pictures").index_select(1, shown)
        added |= {"shown": shown, "pictures": pictures}
    return drawn | added


class Lesson:
    """The loss of the third and fourth stage."""

    def __init__(self, trained: Networks, device: torch.device, decoder: Any = None) -> None:
        self._unet, self._image_encoder, self._decoder = trained.unet, trained.image_encoder, decoder
        self.places = Places(trained.unet, device)

    def close(self) -> None:
        """Leave the UNet as it was."""
        self.places.close()

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the error of the v-prediction, and of what it means, a scalar."""
        latents = inputs["latents"].float()
        scale = (SIGMA_MAX**2 + 1) ** 0.5
        noisy = SIGMA_MAX * inputs["noise"]
        predicted = self._predict(inputs, noisy / scale)
        target = (noisy / scale**2 - latents) * scale / SIGMA_MAX
        error = predicted - target
        weights = _weigh(inputs, latents.shape)
        loss: Tensor = (weights * (error.square() + 0.3 * (error.square() + 0.01).sqrt())).mean()
        _, looked = self.places.wrong(inputs)
        if self._decoder is not None:
            clean = noisy / scale**2 - predicted * SIGMA_MAX / scale
            loss = loss + TOLD * looked + self._unlike(inputs, clean)
        return loss

    def _predict(self, inputs: dict[str, Tensor], noisy: Tensor) -> Tensor:
        unet, kept = self._unet, inputs["kept"]
        condition = (inputs["condition"] * kept.view(-1, 1, 1, 1))[:, None].expand(-1, noisy.shape[1], -1, -1, -1)
        context = self._image_encoder(inputs["seen"].to(unet.dtype)).image_embeds[:, None] * kept.view(-1, 1, 1)
        predicted = unet(
            torch.cat([noisy, condition], 2).to(unet.dtype),
            torch.full_like(inputs["kept"], 0.25 * math.log(SIGMA_MAX)),
            context.to(unet.dtype),
            added_time_ids=inputs["ids"],
            return_dict=False,
        )[0]
        result: Tensor = predicted.float()
        return result

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
    """Return what each latent counts, (clips, frames, 1, height, width): more if late or not in the picture."""
    frames, height, width = shape[1], shape[3], shape[4]
    across, along = follow(inputs["numbers"], inputs["way"], height, width, LATENT_FACTOR)
    x = (torch.arange(width, device=across.device) + 0.5) * LATENT_FACTOR + across
    y = ((torch.arange(height, device=across.device) + 0.5) * LATENT_FACTOR)[:, None] + along
    covered = (x >= 0) & (x <= width * LATENT_FACTOR) & (y >= 0) & (y <= height * LATENT_FACTOR)
    late = 1 - LATE / 2 + LATE * torch.arange(frames, device=across.device) / (frames - 1)
    return (late[:, None, None] * torch.where(covered, 1.0, 1 + UNCOVERED))[:, :, None]
