"""First stage: the autoencoder with its temporal decoder, trained on short clips of painted scenes."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
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

FRAMES = 4
CROP = 128
LATENT_NOISE = 0.15
"""largest noise that the decoder learns to see through: the UNet's latents are never exact"""
STEPS_PER_FILM = 4


def train_autoencoder(
    vae: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report
) -> dict[str, float]:
    """Train `vae` in place until the clock's budget is spent; give its last figures."""
    flatten_temporal_convolutions(vae)
    stage = Stage([vae], peak_rate=2e-3)
    if saved := read_state(state_path):
        stage.restore(saved)
    figures: dict[str, float] = {}
    clips = torch.empty(0)
    while clock.progress < 1:
        if stage.step % STEPS_PER_FILM == 0 or not len(clips):
            clips = film(dice, 2 * batch, FRAMES, CROP, CROP).frames
        pick = dice.integers(len(clips), batch)
        loss, error = _loss(vae, clips[pick], dice, moved=stage.step % 2 == 1)
        stage.descend(loss, clock.progress)
        if stage.step % 50 == 0:
            figures = {"loss": loss.item(), "psnr_db": -10 * float(torch.log10(error / 4)), "steps": stage.step}
            report("autoencoder", clock.progress, figures)
        if clock.time_to_save():
            write_state(state_path, stage.state(clock))
    write_state(state_path, stage.state(clock))
    stage.use_average()
    _scale_latents(vae, Dice(dice.device, seed=0))
    return figures


def _loss(vae: Any, clips: Tensor, dice: Dice, moved: bool) -> tuple[Tensor, Tensor]:
    """Give the loss of one step and the mean squared error in it."""
    frames = clips.flatten(0, 1)
    cuda = frames.is_cuda
    with torch.autocast("cuda", torch.bfloat16) if cuda else contextlib.nullcontext():
        latents = vae.encode(frames).latent_dist.mean
        if moved:
            # A moved latent must decode to the moved picture: then the UNet can animate by moving latents.
            grid_of = _random_grid(dice, len(clips), clips.shape[1])
            frames, latents = _moved(frames, grid_of), _moved(latents, grid_of)
        scale = latents.detach().float().std()
        noise = dice.uniform(0, LATENT_NOISE, len(clips), 1, 1, 1).repeat_interleave(clips.shape[1], 0)
        noisy = latents + noise * scale * dice.normal(*latents.shape)
        decoded = vae.decode(noisy, num_frames=clips.shape[1]).sample
    decoded, latents = decoded.float(), latents.float()
    if moved:  # the reflected border is no picture
        frames, decoded = (part[..., 8:-8, 8:-8].contiguous() for part in (frames, decoded))
    error = functional.mse_loss(decoded, frames)
    distance = (decoded - frames).abs().mean()
    edges = sum((decoded.diff(dim=axis) - frames.diff(dim=axis)).abs().mean() for axis in (-1, -2))
    over_time = (_over_time(decoded, clips.shape[1]) - _over_time(frames, clips.shape[1])).abs().mean()
    unit_size = latents.pow(2).mean().log().pow(2)
    return distance + 2 * error + 0.5 * edges + 0.5 * over_time + 0.01 * unit_size, error.detach()


def _over_time(frames: Tensor, count: int) -> Tensor:
    return frames.view(-1, count, *frames.shape[1:]).diff(dim=1)


def _random_grid(dice: Dice, clips: int, frames: int) -> Tensor:
    """Give an affine map (clips x frames, 2, 3) per clip: some zoom, turn and shift."""
    zoom = dice.uniform(-0.35, 0.35, clips).exp()
    angle = 0.2 * dice.normal(clips)
    cosine, sine = zoom * angle.cos(), zoom * angle.sin()
    shift = dice.uniform(-0.1, 0.1, 2, clips)
    rows = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], 1).view(clips, 2, 3)
    return rows.repeat_interleave(frames, 0)


def _moved(maps: Tensor, grid_of: Tensor) -> Tensor:
    grid = functional.affine_grid(grid_of, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)


@torch.no_grad()
def _scale_latents(vae: Any, dice: Dice) -> None:
    """Move the latents' scale into the weights, so that each channel has unit deviation and scaling_factor is 1."""
    frames = film(dice, 32, 1, CROP, CROP).frames[:, 0]
    deviation = vae.encode(frames).latent_dist.mean.std((0, 2, 3))
    channels = len(deviation)
    vae.quant_conv.weight[:channels] /= deviation.view(-1, 1, 1, 1)
    vae.quant_conv.bias[:channels] /= deviation
    vae.decoder.conv_in.weight *= deviation.view(1, -1, 1, 1)
