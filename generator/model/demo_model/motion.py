"""Second stage: train the UNet to tell where each position comes from, before it makes any picture.

Where the camera looks depends on the noise, the frame and what is asked, never on the picture. So this stage needs no
films: its conditions are random or pictures, mixed at random into as many channels, each clip of each step has a new
move, and the UNet runs only up to the block whose output the last one looks by, which leaves out its slowest part.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.architecture import CONTEXT_CHANNELS, LATENT_CHANNELS, LATENT_FACTOR, Networks
from generator.model.demo_model.camera_motion import MOVES, follow, ways, write_numbers
from generator.model.demo_model.films.clips import TrainingSize, draw_settings
from generator.model.demo_model.films.plates import Plates
from generator.model.demo_model.start.fetching import PERIODS, WAVES, fixed_parts, waves
from generator.model.demo_model.start.noise_route import route_mask
from generator.model.demo_model.training_loop import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    put_average,
    train_stage,
    training_type,
)

SIGMA_MAX = 700.0
MOTION_SIZES = (
    TrainingSize(224, 384, 14, begins=0.0, frequency=0.34),
    TrainingSize(224, 384, 4, begins=0.0, frequency=0.26),
    TrainingSize(384, 224, 14, begins=0.0, frequency=0.1),
    TrainingSize(384, 224, 4, begins=0.0, frequency=0.09),
    TrainingSize(288, 288, 14, begins=0.0, frequency=0.09),
    TrainingSize(288, 288, 4, begins=0.0, frequency=0.09),
    TrainingSize(224, 384, 25, begins=0.0, frequency=0.03),
)
RENEW_EVERY = 8
"""steps"""
PICTURES = 0.6
"""fraction of the clips whose condition is made of a picture"""
COUNTS = (0.7, 0.15, 0.15)
"""what an error counts by the wave's period: the shortest says the pixel, the others only tell its repeats apart"""


def train_motion(trained: Networks, clock: Clock, plates: Plates, batch: int, path: Path, report: Report) -> None:
    """Train the UNet in place until the clock's budget is spent. `batch` is clips of 14 frames per step."""
    unet, dice = trained.unet, plates.dice
    flatten_temporal_convolutions(unet)
    lesson = MotionLesson(unet, dice.device)
    networks = [unet, lesson.places.told]
    for network in networks:
        network.to(training_type(dice.device))
    stage = Stage(networks, lesson.loss, 2e-3)
    stage.fix(fixed_weights(unet))

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        size = choose(MOTION_SIZES, step, progress)
        if step % RENEW_EVERY == 0:
            plates.renew()
        return str(size), draw_moves(plates, size, max(1, batch * 14 // size.frames))

    train_stage("motion", stage, clock, draw, path, lesson.places.also(report))
    lesson.close()
    put_average(networks, stage)


class Places:
    """What the UNet must tell: displacements and positions halfway up, and the waves that its last block looks by."""

    def __init__(self, unet: Any, device: torch.device) -> None:
        self.told = nn.Conv2d(unet.conv_norm_out.num_channels * 2, 4, 1).to(device)
        nn.init.zeros_(self.told.weight)  # so that a new one changes nothing in a UNet that knows the moves
        self._features = [torch.empty(0), torch.empty(0)]
        self._off = torch.zeros(2, device=device)  # of the newest step; a recorded step writes it too
        self._hooks = [
            unet.up_blocks[number].register_forward_hook(partial(self._keep, index))
            for index, number in enumerate((1, 2))
        ]

    def close(self) -> None:
        """Leave the UNet as it was."""
        for hook in self._hooks:
            hook.remove()
        self._features.clear()

    def _keep(self, index: int, _module: Any, _inputs: Any, output: Tensor) -> None:
        self._features[index] = output

    def also(self, report: Report) -> Report:
        """Return a report that tells the pixels too."""
        return lambda stage, progress, figures: report(stage, progress, figures | self.pixels())

    def pixels(self) -> dict[str, float]:
        """Return by how many pixels the newest step's displacements were off, halfway up and as the waves say."""
        halfway, looked = self._off.tolist()
        return {"pixels_halfway": round(halfway, 3), "pixels_waves": round(looked, 3)}

    def wrong(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the mean square errors halfway up and of the waves, after the UNet has run on the inputs."""
        halfway, last = self._features
        across, along, x, y = _places(inputs, halfway, 2 * LATENT_FACTOR)
        truth = torch.stack([across / 8, along / 8, x / 100 - 1.5, y / 100 - 1.5], 1)
        guessed = functional.conv2d(halfway.float(), self.told.weight.float(), self.told.bias.float())  # type: ignore[union-attr]
        across, along, x, y = _places(inputs, last, LATENT_FACTOR)
        seen = torch.cat([waves(x + across, y + along), waves(x, y)]).transpose(0, 1)
        said = last[:, : 2 * WAVES].float()
        with torch.no_grad():
            off = (8 * (guessed - truth)[:, :2]).square().sum(1).sqrt().mean()
            self._off.copy_(torch.stack([off, _decoded_error(said, seen)]))
        errors = (said - seen).square().unflatten(1, (2, len(COUNTS), 4))
        looked = sum(count * errors[:, :, index].mean() for index, count in enumerate(COUNTS))
        return functional.mse_loss(guessed, truth), looked


def _decoded_error(said: Tensor, seen: Tensor) -> Tensor:
    """Return how far from where it should the shortest waves look, relative to where they say they are, in pixels."""
    each = torch.stack([said, seen]).unflatten(2, (2, WAVES))[:, :, :, :4].unflatten(3, (2, 2))
    sines, cosines = each.unbind(4)  # which of the two, frame, looked at or own, axis, height, width
    angles = torch.atan2(sines, cosines)
    looks = angles[:, :, 0] - angles[:, :, 1]
    off = torch.remainder(looks[0] - looks[1] + math.pi, 2 * math.pi) - math.pi
    return off.square().sum(1).sqrt().mean() * PERIODS[0] / (2 * math.pi)


class MotionLesson:
    """The loss of this stage."""

    def __init__(self, unet: Any, device: torch.device) -> None:
        self._unet, self.places = unet, Places(unet, device)
        self._hook = unet.up_blocks[-1].register_forward_pre_hook(_stop)

    def close(self) -> None:
        """Leave the UNet as it was."""
        self._hook.remove()
        self.places.close()

    def loss(self, inputs: dict[str, Tensor]) -> Tensor:
        """Return the error of what the UNet tells, a scalar."""
        dtype, noise = self._unet.dtype, inputs["noise"]
        sigma = torch.full_like(inputs["way"][:, 0], SIGMA_MAX)
        condition = inputs["condition"][:, None].expand(-1, noise.shape[1], -1, -1, -1)
        with suppress(_Enough):
            self._unet(
                torch.cat([noise, condition], 2).to(dtype),
                0.25 * sigma.log(),
                inputs["context"].to(dtype),
                added_time_ids=inputs["ids"],
            )
        halfway, looked = self.places.wrong(inputs)
        return halfway + 2 * looked


class _Enough(Exception):
    """All that this stage needs has been computed."""


def _stop(_module: Any, _inputs: Any) -> None:
    raise _Enough


def draw_moves(plates: Plates, size: TrainingSize, clips: int) -> dict[str, Tensor]:
    """Return clips with new moves, and conditions that have nothing to do with these."""
    dice = plates.dice
    bucket, fps, augmentation = draw_settings(dice, clips)
    numbers = dice.normal(clips, MOVES)
    height, width = size.height // LATENT_FACTOR, size.width // LATENT_FACTOR
    noise = dice.normal(clips, size.frames, LATENT_CHANNELS, height, width)
    return {
        "noise": write_numbers(noise, numbers),
        "condition": _conditions(plates, size, clips),
        "context": dice.normal(clips, 1, CONTEXT_CHANNELS),
        "ids": torch.stack([fps - 1, bucket, augmentation], 1),
        "numbers": numbers,
        "way": ways(bucket, fps, augmentation, size.frames),
    }


def _conditions(plates: Plates, size: TrainingSize, clips: int) -> Tensor:
    """Return smooth noise with more or less detail, some without any, and pictures in random channels."""
    dice = plates.dice
    height, width = size.height // LATENT_FACTOR, size.width // LATENT_FACTOR
    coarse = dice.normal(clips, LATENT_CHANNELS, height // 8, width // 8)
    smooth = functional.interpolate(coarse, (height, width), mode="bicubic")
    detail = dice.normal(clips, LATENT_CHANNELS, height, width) * dice.uniform(0, 1, clips, 1, 1, 1)
    noise = dice.uniform(0, 1.5, clips, 1, 1, 1) * (smooth + detail)
    cells = functional.pixel_unshuffle(plates.stills(clips, size.height, size.width), LATENT_FACTOR)
    mixed = torch.einsum("nchw,nkc->nkhw", cells, dice.normal(clips, LATENT_CHANNELS, cells.shape[1]))
    mixed = dice.uniform(0.7, 1.3, clips, 1, 1, 1) * mixed / mixed.std((2, 3), keepdim=True).clamp_min(1e-3)
    return torch.where(dice.chance(PICTURES, clips, 1, 1, 1) > 0, mixed, noise)


def choose(sizes: tuple[TrainingSize, ...], step: int, progress: float) -> TrainingSize:
    """Return the size of a step's clips: the same in all processes, so that none waits for another."""
    ready = [size for size in sizes if size.begins <= progress]
    frequencies = torch.tensor([size.frequency for size in ready])
    return ready[int(torch.multinomial(frequencies, 1, generator=torch.Generator().manual_seed(step)))]


def fixed_weights(unet: Any) -> dict[Tensor, Tensor]:
    """Return which numbers of the UNet's weights are not trained: see `noise_route` and `fetching`."""
    masks = {weight: mask.to(weight.device) for weight, mask in zip(unet.parameters(), route_mask(unet), strict=True)}
    for weight, mask in fixed_parts(unet, LATENT_CHANNELS).items():
        masks[weight] = masks[weight] | mask
    return masks


def _places(inputs: dict[str, Tensor], maps: Tensor, cell: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return each position's displacement and place in pixels, (all frames, height, width) each."""
    height, width = maps.shape[-2:]
    across, along = (each.flatten(0, 1) for each in follow(inputs["numbers"], inputs["way"], height, width, cell))
    x = ((torch.arange(width, device=maps.device) + 0.5) * cell).expand_as(across)
    y = ((torch.arange(height, device=maps.device) + 0.5) * cell)[:, None].expand_as(across)
    return across, along, x, y
