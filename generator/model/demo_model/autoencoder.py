"""First stage: train the autoencoder on painted pictures.

Stable Video Diffusion's decoder also has convolutions over time. In one this small they learn where a clip begins and
ends, and make the first and last frames darker. So it is trained on single frames; in a clip only the statistics of
the norms depend on all frames.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR
from generator.model.demo_model.scenes import Dice, paint_pictures
from generator.model.demo_model.training_loop import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    put_average,
    train_stage,
    training_type,
)

CROP = 96
LATENT_NOISE = 0.15
"""largest noise in the latents that the decoder learns to ignore: the UNet's latents are never exact"""
STEPS_PER_PAINTING = 8
COLOUR_WEIGHT = 2.0
"""what an error in colour counts against one in brightness: colours vary less, and a wrong one is seen at once"""


def train_autoencoder(vae: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report) -> None:
    """Train `vae` in place until the clock's budget is spent; `batch` is the number of clips that fit the device."""
    flatten_temporal_convolutions(vae)
    vae.to(training_type(dice.device))
    stage = Stage([vae], partial(_loss, vae), peak_rate=1e-3)
    pictures = torch.empty(0)

    def draw(step: int, progress: float) -> tuple[str, dict[str, Tensor]]:
        nonlocal pictures
        if step % STEPS_PER_PAINTING == 0 or not len(pictures):
            pictures = paint_pictures(dice, 8 * batch, CROP, CROP)
        # Every other step a moved latent must decode to the moved picture: the UNet animates by moving latents.
        moved = step % 2 == 1
        return f"moved {moved}", _inputs(dice, pictures[dice.integers(len(pictures), 4 * batch)], moved)

    train_stage("autoencoder", stage, clock, draw, state_path, report)
    put_average([vae], stage)
    _forget_neighbours(vae.decoder)
    _scale_latents(
        vae, Dice(torch.device("cpu"), seed=0)
    )  # on the CPU, so that the numbers are the same on each device


@torch.no_grad()
def _forget_neighbours(decoder: nn.Module) -> None:
    """Zero the temporal kernels' weights for neighbouring frames, which single frames have not trained."""
    for module in decoder.modules():
        if isinstance(module, nn.Conv3d) and module.kernel_size == (3, 1, 1):
            module.weight[:, :, ::2] = 0


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
        pictures, decoded = (each[..., 8:-8, 8:-8].contiguous() for each in (pictures, decoded))
    difference = decoded - pictures
    brightness = difference.mean(1, keepdim=True)
    difference = brightness + COLOUR_WEIGHT**0.5 * (difference - brightness)
    edges = torch.stack([difference.diff(dim=axis).abs().mean() for axis in (-1, -2)]).sum()
    unit_size = latents.pow(2).mean().log().pow(2)
    loss: Tensor = difference.abs().mean() + 2 * difference.pow(2).mean() + 0.5 * edges + 0.01 * unit_size
    return loss


def _random_moves(dice: Dice, pictures: int) -> Tensor:
    """Return a random shift for each picture, as affine maps (pictures, 2, 3) in units of half the frame."""
    moves = torch.eye(2, 3, device=dice.device).repeat(pictures, 1, 1)
    moves[:, :, 2] = dice.uniform(-0.1, 0.1, pictures, 2)
    return moves


def _moved(maps: Tensor, move: Tensor) -> Tensor:
    grid = functional.affine_grid(move, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


@torch.no_grad()
def _scale_latents(vae: Any, dice: Dice) -> None:
    """Change the weights so that each latent channel has unit deviation, and scaling_factor can be 1."""
    pictures = paint_pictures(dice, 64, CROP, CROP).to(vae.device)
    deviation = vae.encode(pictures).latent_dist.mean.std((0, 2, 3))
    channels = len(deviation)
    vae.quant_conv.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:channels] /= deviation
    vae.decoder.conv_in.weight *= deviation.view(1, -1, 1, 1)
