"""First stage: the autoencoder with its temporal decoder, trained on short clips of painted scenes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from generator.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR
from generator.demo_model.course import (
    Clock,
    Report,
    Stage,
    flatten_temporal_convolutions,
    put_average,
    read_state,
    training_type,
    write_state,
)
from generator.demo_model.moves import film
from generator.demo_model.scenes import Dice

FRAMES = 4
CROP = 96
LATENT_NOISE = 0.15
"""largest noise that the decoder learns to see through: the UNet's latents are never exact"""
STEPS_PER_FILM = 8


def train_autoencoder(
    vae: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report
) -> dict[str, float]:
    """Train `vae` in place until the clock's budget is spent; give its last figures."""
    flatten_temporal_convolutions(vae)
    vae.to(training_type(dice.device))
    stage = Stage([vae], partial(_loss, vae), peak_rate=1e-3)
    if saved := read_state(state_path):
        stage.restore(saved)
    figures: dict[str, float] = {}
    clips = torch.empty(0)
    losses = torch.zeros((), device=dice.device)
    while clock.progress < 1:
        if stage.step % STEPS_PER_FILM == 0 or not len(clips):
            clips = film(dice, 4 * batch, FRAMES, CROP, CROP).frames
        frames = clips[dice.integers(len(clips), batch)]
        # Every other step a moved latent must decode to the moved picture: the UNet animates by moving latents.
        moved = stage.step % 2 == 1
        losses += stage.descend("moved" if moved else "plain", _inputs(dice, frames, moved), clock.progress)
        if stage.step % 100 == 0:
            figures = {"loss": losses.item() / 100, "steps": stage.step}
            losses.zero_()
            stage.watch(figures["loss"])
            report("autoencoder", clock.progress, figures)
        if clock.time_to_save():
            write_state(state_path, stage.state(clock))
    write_state(state_path, stage.state(clock))
    put_average([vae], stage)
    _scale_latents(vae, Dice(torch.device("cpu"), seed=0))  # the same numbers wherever it trained
    return figures


def _inputs(dice: Dice, frames: Tensor, moved: bool) -> dict[str, Tensor]:
    clips = len(frames)
    cells = CROP // LATENT_FACTOR
    size = dice.uniform(0, LATENT_NOISE, clips, 1, 1, 1, 1)
    inputs = {"frames": frames, "noise": size * dice.normal(clips, FRAMES, LATENT_CHANNELS, cells, cells)}
    if moved:
        inputs["move"] = _random_moves(dice, clips)
    return inputs


def _loss(vae: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Give the error of the decoded frames, of their edges and of their change over time."""
    frames = inputs["frames"].flatten(0, 1)
    latents = vae.encode(frames.to(vae.dtype)).latent_dist.mean.float()
    if "move" in inputs:
        frames, latents = _moved(frames, inputs["move"]), _moved(latents, inputs["move"])
    noisy = latents + inputs["noise"].flatten(0, 1) * latents.detach().std()
    decoded = vae.decode(noisy.to(vae.dtype), num_frames=FRAMES).sample.float()
    if "move" in inputs:  # the reflected border is no picture
        frames, decoded = (part[..., 8:-8, 8:-8].contiguous() for part in (frames, decoded))
    error = functional.mse_loss(decoded, frames)
    distance = (decoded - frames).abs().mean()
    edges = torch.stack([(decoded.diff(dim=axis) - frames.diff(dim=axis)).abs().mean() for axis in (-1, -2)]).sum()
    over_time = (_over_time(decoded) - _over_time(frames)).abs().mean()
    unit_size = latents.pow(2).mean().log().pow(2)
    loss: Tensor = distance + 2 * error + 0.5 * edges + 0.5 * over_time + 0.01 * unit_size
    return loss


def _over_time(frames: Tensor) -> Tensor:
    return frames.view(-1, FRAMES, *frames.shape[1:]).diff(dim=1)


def _random_moves(dice: Dice, clips: int) -> Tensor:
    """Give an affine map (clips x frames, 2, 3) per clip: some zoom, turn and shift."""
    zoom = dice.uniform(-0.35, 0.35, clips).exp()
    angle = 0.2 * dice.normal(clips)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    shift = dice.uniform(-0.1, 0.1, 2, clips)
    rows = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], 1).view(clips, 2, 3)
    return rows.repeat_interleave(FRAMES, 0)


def _moved(maps: Tensor, move: Tensor) -> Tensor:
    grid = functional.affine_grid(move, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


@torch.no_grad()
def _scale_latents(vae: Any, dice: Dice) -> None:
    """Move the latents' scale into the weights, so that each channel has unit deviation and scaling_factor is 1."""
    frames = film(dice, 64, 1, CROP, CROP).frames[:, 0].to(vae.device)
    deviation = vae.encode(frames).latent_dist.mean.std((0, 2, 3))
    channels = len(deviation)
    vae.quant_conv.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:channels] /= deviation
    vae.decoder.conv_in.weight *= deviation.view(1, -1, 1, 1)
