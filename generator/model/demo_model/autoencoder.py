"""First stage: train the autoencoder on pictures and on what the camera sees of them a little later.

The UNet moves latents: it fetches them from between the cells. So what counts is not only that a picture can be coded
and decoded, but that its fetched latents decode to the moved picture, as sharp as the first one, and that what is wrong
in one frame is wrong in the next one too: then it moves with the picture, and does not flicker.

Stable Video Diffusion's decoder also has convolutions over time. In one this small they learn where a clip begins and
ends, and make the first and last frames darker. So they are mixed in with a share of 0.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR
from generator.model.demo_model.films.plates import Plates
from generator.model.demo_model.start.fetching import fetch
from generator.model.demo_model.training_loop import (
    Clock,
    Report,
    Stage,
    put_average,
    skip_temporal_halves,
    train_stage,
    training_type,
)

CROP = 128
LATENT_NOISE = 0.06
"""largest noise in the latents that the decoder learns to ignore: the UNet's latents are never exact"""
RENEW_EVERY = 8
"""steps"""
COLOUR_WEIGHT = 2.0
"""what an error in colour counts against one in brightness: colours vary less, and a wrong one is seen at once"""
STILL = 0.4
"""fraction of the pictures that are decoded where they are, as the first frame is"""
REACH = 0.1
ZOOM = 0.07
TURN = 0.07
STEP = 0.025
"""of the moves: shifts and steps in units of half a crop, turns in radians"""
STEADY = 0.5
DETAIL = 0.03
"""weights of an error that does not move with the picture, and of missing or added fine detail"""


def train_autoencoder(vae: Any, clock: Clock, plates: Plates, batch: int, state_path: Path, report: Report) -> None:
    """Train `vae` in place until the clock's budget is spent; `batch` is the number of decoded pictures per step."""
    dice = plates.dice
    skip_temporal_halves(vae.decoder)
    vae.to(training_type(dice.device))
    stage = Stage([vae], partial(_loss, vae), peak_rate=1.5e-3)

    def draw(step: int, _progress: float) -> tuple[str, dict[str, Tensor]]:
        if step % RENEW_EVERY == 0:
            plates.renew()
        return "views", _inputs(plates, batch // 2)

    train_stage("autoencoder", stage, clock, draw, state_path, report)
    put_average([vae], stage)


def _inputs(plates: Plates, count: int) -> dict[str, Tensor]:
    """Return pictures with two views of each, one a step after the other, and noise for the latents of both."""
    dice, cells = plates.dice, CROP // LATENT_FACTOR
    still, first, step = torch.eye(3, device=dice.device).repeat(3, count, 1, 1)
    turn = dice.uniform(-TURN, TURN, count)
    size = 1 + dice.uniform(-ZOOM, ZOOM, count)
    first[:, 0, 0] = first[:, 1, 1] = size * turn.cos()
    first[:, 1, 0] = size * turn.sin()
    first[:, 0, 1] = -first[:, 1, 0]
    first[:, :2, 2] = dice.uniform(-REACH, REACH, count, 2)
    first = torch.where(dice.chance(STILL, count, 1, 1) > 0, still, first)
    step[:, :2, 2] = dice.uniform(-STEP, STEP, count, 2)
    moves = torch.stack([still, first, first @ step])[:, :, :2]
    loud = dice.uniform(0, LATENT_NOISE, count, 1, 1, 1)
    return {
        "pictures": plates.views(CROP, moves),
        "moves": moves[1:],
        "step": step[:, :2],
        "noise": loud * dice.normal(2, count, LATENT_CHANNELS, cells, cells),
    }


def _loss(vae: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the error of the decoded views, a scalar."""
    still, *views = inputs["pictures"].unbind(1)
    latents = vae.encode(still.to(vae.dtype)).latent_dist.mean.float()
    noise = inputs["noise"] * latents.detach().std()
    found = [_fetched(latents, move) + each for move, each in zip(inputs["moves"], noise, strict=True)]
    decoded = vae.decode(torch.cat(found).to(vae.dtype), num_frames=1).sample.float()
    truth = torch.cat(views)
    # what the picture does not show cannot be known
    decoded = torch.where(_covered(inputs["moves"].flatten(0, 1)), decoded, truth)
    before, after = (decoded - truth).chunk(2)
    steady = (_moved(before, inputs["step"]) - after).abs().mean()
    # so that scaling_factor can be 1
    unit_size = latents.var((0, 2, 3)).log().pow(2).mean() + latents.mean((0, 2, 3)).pow(2).mean()
    wrong = picture_error(decoded, truth) + STEADY * steady + DETAIL * detail_error(decoded, truth)
    loss: Tensor = wrong + 0.01 * unit_size
    return loss


def picture_error(decoded: Tensor, pictures: Tensor) -> Tensor:
    """Return the mean error of pictures (any number, 3, height, width) and of their edges, also at half the size."""
    difference = decoded - pictures
    brightness = difference.mean(1, keepdim=True)
    difference = brightness + COLOUR_WEIGHT**0.5 * (difference - brightness)
    smaller = functional.avg_pool2d(difference, 2)
    edges = torch.stack([each.diff(dim=axis).abs().mean() for each in (difference, smaller) for axis in (-1, -2)])
    error: Tensor = difference.abs().mean() + 4 * difference.pow(2).mean() + 0.3 * edges.sum()
    return error


def detail_error(decoded: Tensor, pictures: Tensor) -> Tensor:
    """Return how far the energy of fine detail is off in 32x32 patches, as the mean size of its logarithm."""
    found, true = (functional.avg_pool2d(fine_energy(each), 32).add(1e-4).log() for each in (decoded, pictures))
    return (found - true).abs().mean()


def fine_energy(pictures: Tensor) -> Tensor:
    """Return the energy of what a 3x3 mean takes away from pictures (any number, 3, height, width), in one channel."""
    grey = pictures.mean(1, keepdim=True)
    return (grey - functional.avg_pool2d(grey, 3, stride=1, padding=1, count_include_pad=False)).square()


def _fetched(latents: Tensor, moves: Tensor) -> Tensor:
    """Return the latents (clips, channels, height, width) as the UNet fetches them after a move."""
    grid = functional.affine_grid(moves, list(latents.shape), align_corners=False)
    x, y = ((grid + 1) * CROP / 2).unbind(-1)
    return fetch(latents, x, y, LATENT_FACTOR)


def _covered(moves: Tensor) -> Tensor:
    """Tell which pixels come from inside the picture, (clips, 1, CROP, CROP)."""
    grid = functional.affine_grid(moves, [len(moves), 1, CROP, CROP], align_corners=False)
    return (grid.abs().amax(-1) < 1)[:, None]


def _moved(maps: Tensor, step: Tensor) -> Tensor:
    grid = functional.affine_grid(step, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
