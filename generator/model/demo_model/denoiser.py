"""Third and fourth stage: train the UNet's last block with the image encoder, then both together with the decoder.

Stable Video Diffusion learns from random moves with random noise, and takes many steps to settle on one of them. Here
the noise decides the move (see `camera_motion`), so already at the highest noise level there is one right answer, and
one step is enough. It is the only step that is trained, with exactly what the pipeline begins with: noise without a
trace of the clip. A trace would change what the noise says on the move, by as much as a tenth of the way.

Both stages train only the last block, which fetches the picture: the moves stay as precise as they were learned. At
first its prediction is what it fetches, and nothing else.

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

from generator.model.demo_model.architecture import Networks
from generator.model.demo_model.autoencoder import detail_error, fine_energy, picture_error
from generator.model.demo_model.camera_motion import follow, write_numbers
from generator.model.demo_model.films.clips import EncodedClips, TrainingSize
from generator.model.demo_model.films.plates import Plates
from generator.model.demo_model.motion import SIGMA_MAX, choose, fixed_weights
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
LATENTS = 0.3
DECODED = 2.0
DETAIL = 0.4
CRISP = 0.4
STEADY = 2.0
COLOUR = 3.0
"""weights, in the fourth stage, of the latents, and of what the decoder makes of them: all errors, missing or added
fine detail, frames that are less or more crisp than the first, errors that do not move with the picture, and wrong
colours of whole areas"""
AREA = 32
"""pixels: side of such an area"""
SHORT = 0.5
"""as progress: clips of 14 frames in all shapes"""
SHOWN = 3
"""frames of each clip that the fourth stage decodes: two neighbours, and the first or the last"""


TRAINING_SIZES = (
    TrainingSize(224, 384, 14, begins=0.0, frequency=0.6),
    TrainingSize(384, 224, 14, begins=0.4, frequency=0.16),
    TrainingSize(288, 288, 14, begins=0.4, frequency=0.16),
    TrainingSize(224, 384, 25, begins=0.6, frequency=0.06),
)


def train_denoiser(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train last block and image encoder in place until the clock's budget is spent. `batch` is clips per step."""
    flatten_temporal_convolutions(trained.unet)
    vae = copy.deepcopy(trained.vae).to(training_type(plates.dice.device))
    keep_moves(trained.unet)
    lesson = Lesson(trained)
    networks = [trained.unet, trained.image_encoder]
    _train(Course("denoiser", lesson, networks, vae, 5e-4, finish=False), clock, plates, batch, path, report)


def keep_moves(unet: Any) -> None:
    """Let all of the UNet but its last block stay as it is."""
    unet.requires_grad_(False)
    for trained in (unet.up_blocks[-1], unet.conv_norm_out, unet.conv_out):
        trained.requires_grad_(True)


def finish(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train last block, image encoder and decoder together, on what the decoder makes of the latents."""
    flatten_temporal_convolutions(trained.unet)
    keep_moves(trained.unet)
    skip_temporal_halves(trained.vae.decoder)
    dtype = training_type(plates.dice.device)
    vae = copy.deepcopy(trained.vae).to(dtype)  # its encoder stays what it was
    lesson = Lesson(trained, trained.vae.decoder)
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
    stage.fix(fixed_weights(networks[0]))
    pools: dict[TrainingSize, EncodedClips] = {}

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        size = choose(TRAINING_SIZES, step, SHORT if course.finish else progress)
        if size not in pools:
            pools[size] = EncodedClips(size, course.vae, plates, batch, pictures=course.finish)
        return str(size), _inputs(plates.dice, pools[size].draw())

    train_stage(course.name, stage, clock, draw, path, report)
    put_average(networks, stage)


def _inputs(dice: Dice, drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add the noise, and drop the picture from some clips."""
    clips, frames = drawn["latents"].shape[:2]
    noise = write_numbers(dice.normal(*drawn["latents"].shape), drawn["numbers"])
    added = {"noise": noise, "kept": 1 - dice.chance(DROPPED, clips)}
    if "pictures" in drawn:
        before = dice.integers(frames - 1, 1)
        shown = torch.cat([before, before + 1, dice.integers(2, 1) * (frames - 1)])
        pictures = drawn.pop("pictures")
        added |= {"shown": shown, "pictures": pictures.index_select(1, shown), "fine": _fine(_levels(pictures[:, 0]))}
    return drawn | added


class Lesson:
    """The loss of the third and fourth stage."""

    def __init__(self, trained: Networks, decoder: Any = None) -> None:
        self._unet, self._image_encoder, self._decoder = trained.unet, trained.image_encoder, decoder

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the error of the v-prediction, and of what it means, a scalar."""
        latents = inputs["latents"].float()
        scale = (SIGMA_MAX**2 + 1) ** 0.5
        noisy = SIGMA_MAX * inputs["noise"]
        predicted = self._predict(inputs, noisy / scale)
        target = (noisy / scale**2 - latents) * scale / SIGMA_MAX
        error = predicted - target
        late = torch.linspace(-0.5, 0.5, latents.shape[1], device=latents.device)[:, None, None, None]
        loss: Tensor = ((1 + LATE * late) * (error.square() + 0.3 * (error.square() + 0.01).sqrt())).mean()
        if self._decoder is not None:
            clean = noisy / scale**2 - predicted * SIGMA_MAX / scale
            loss = LATENTS * loss + self._unlike(inputs, clean)
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
        """Return the error of some decoded frames."""
        some = clean.index_select(1, inputs["shown"]).flatten(0, 1)
        marks = torch.zeros(len(some), 1, device=some.device)
        decoded = self._decoder(some.to(self._unet.dtype), marks, num_frames=1).float()
        pictures = _levels(inputs["pictures"].flatten(0, 1))
        error = decoded - pictures
        colour = functional.avg_pool2d(error, AREA).abs().mean()
        flicker = _flicker(error.unflatten(0, (-1, SHOWN)), inputs)
        crisp = (_fine(decoded).log() - inputs["fine"].repeat_interleave(SHOWN).log()).abs().mean()
        loss = DECODED * picture_error(decoded, pictures) + DETAIL * detail_error(decoded, pictures)
        return loss + CRISP * crisp + STEADY * flicker + COLOUR * colour


def _levels(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _fine(pictures: Tensor) -> Tensor:
    """Return the mean energy of each picture's fine detail, one number for each."""
    return fine_energy(pictures).mean((1, 2, 3)) + 1e-6


def _flicker(errors: Tensor, inputs: dict[str, Tensor]) -> Tensor:
    """Return how much of the errors of the first two frames shown does not move with the picture.

    `errors` is (clips, SHOWN, 3, height, width). The displacement between the two is taken where the later frame has
    it: at motion bucket 75 that is off by 0.02 pixels in the mean, at 127 by 0.06.
    """
    height, width = errors.shape[-2:]
    before, way = inputs["way"].index_select(1, inputs["shown"])[:, :2].split(1, 1)
    across, along = (each[:, 0] for each in follow(inputs["numbers"], way - before, height, width, 1))
    x = (torch.arange(width, device=way.device) + 0.5 + across) * 2 / width - 1
    y = ((torch.arange(height, device=way.device) + 0.5)[:, None] + along) * 2 / height - 1
    grid = torch.stack([x, y], -1)
    carried = functional.grid_sample(errors[:, 0], grid, padding_mode="border", align_corners=False)
    return (carried - errors[:, 1]).abs().mean()
