"""First stage: train the autoencoder on single pictures.

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
from torch import distributed as dist
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR
from generator.model.demo_model.films.plates import Plates, sharpened
from generator.model.demo_model.scenes import Dice, paint_pictures
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
LATENT_NOISE = 0.1
"""largest noise in the latents that the decoder learns to ignore: the UNet's latents are never exact"""
RENEW_EVERY = 8
"""steps"""
LATER = 0.6
"""fraction of the stage after which sharpness counts more than latents that can be moved"""
COLOUR_WEIGHT = 2.0
"""what an error in colour counts against one in brightness: colours vary less, and a wrong one is seen at once"""
REACH = 0.1
"""of the moves in half crops"""


def train_autoencoder(vae: Any, clock: Clock, plates: Plates, batch: int, state_path: Path, report: Report) -> None:
    """Train `vae` in place until the clock's budget is spent; `batch` is the number of pictures per step."""
    dice = plates.dice
    skip_temporal_halves(vae.decoder)
    vae.to(training_type(dice.device))
    stage = Stage([vae], partial(_loss, vae), peak_rate=1.5e-3)
    pictures = torch.empty(0)

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        nonlocal pictures
        if step % RENEW_EVERY == 0 or not len(pictures):
            plates.renew()
            painted = sharpened(dice, paint_pictures(dice, 2 * batch, CROP, CROP))
            pictures = torch.cat([painted, plates.crops(6 * batch, CROP)])
        # Every third step, later every sixth, a moved latent must decode to the moved picture: the UNet moves latents.
        moved = step % (3 if progress < LATER else 6) == 2
        return f"moved {moved}", _inputs(dice, pictures[dice.integers(len(pictures), batch)], moved)

    train_stage("autoencoder", stage, clock, draw, state_path, report)
    put_average([vae], stage)
    _scale_latents(vae, plates)


def _inputs(dice: Dice, pictures: Tensor, moved: bool) -> dict[str, Tensor]:
    count, cells = len(pictures), CROP // LATENT_FACTOR
    size = dice.uniform(0, LATENT_NOISE, count, 1, 1, 1)
    inputs = {"pictures": pictures, "noise": size * dice.normal(count, LATENT_CHANNELS, cells, cells)}
    if moved:
        inputs["move"] = _random_moves(dice, count)
    return inputs


def _loss(vae: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Return the error of the decoded pictures and of their edges, a scalar."""
    pictures = inputs["pictures"]
    latents = vae.encode(pictures.to(vae.dtype)).latent_dist.mean.float()
    if "move" in inputs:
        pictures, latents = _moved(pictures, inputs["move"]), _moved(latents, inputs["move"])
    noisy = latents + inputs["noise"] * latents.detach().std()
    decoded = vae.decode(noisy.to(vae.dtype), num_frames=1).sample.float()
    if "move" in inputs:  # without the border, which is a reflection and no picture
        pictures, decoded = (each[..., 12:-12, 12:-12].contiguous() for each in (pictures, decoded))
    unit_size = latents.var((0, 2, 3)).log().pow(2).mean() + latents.mean((0, 2, 3)).pow(2).mean()
    loss: Tensor = picture_error(decoded, pictures) + 0.01 * unit_size
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


def _random_moves(dice: Dice, pictures: int) -> Tensor:
    """Return a random shift for each picture, as affine maps (pictures, 2, 3) in units of half the frame."""
    moves = torch.eye(2, 3, device=dice.device).repeat(pictures, 1, 1)
    moves[:, :, 2] = dice.uniform(-REACH, REACH, pictures, 2)
    return moves


def _moved(maps: Tensor, move: Tensor) -> Tensor:
    grid = functional.affine_grid(move, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


@torch.no_grad()
def _scale_latents(vae: Any, plates: Plates) -> None:
    """Change the weights so that each latent channel has unit deviation, and scaling_factor can be 1."""
    deviation = vae.encode(plates.crops(64, CROP)).latent_dist.mean.std((0, 2, 3))
    if dist.is_initialized():
        dist.broadcast(deviation, 0)
    channels = len(deviation)
    vae.quant_conv.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:channels] /= deviation
    vae.decoder.conv_in.weight *= deviation.view(1, -1, 1, 1)
