"""First stage: the autoencoder with its temporal decoder, trained on short clips of painted pictures."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
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

CLIP_LENGTHS = (6, 14, 25)
"""frames; the decoder looks along time, so one that only ever saw four frames is lost in the middle of fourteen"""
CROP = 96
LATENT_NOISE = 0.15
"""largest noise that the decoder learns to see through: the UNet's latents are never exact"""
STEPS_PER_FILM = 8
COLOUR_WEIGHT = 2.0
"""of an error in colour against one in brightness: colours vary less, and a wrong one is seen at once"""


def train_autoencoder(
    vae: Any, clock: Clock, dice: Dice, batch: int, state_path: Path, report: Report
) -> dict[str, float]:
    """Train `vae` in place until the clock's budget is spent; give its last figures."""
    flatten_temporal_convolutions(vae)
    for name, module in vae.named_modules():
        if name.endswith(".conv2"):  # each residual branch begins as nothing
            nn.init.zeros_(module.weight)
    vae.to(training_type(dice.device))
    stage = Stage([vae], partial(_loss, vae), peak_rate=1e-3)
    if saved := read_state(state_path):
        stage.restore(saved)
    figures: dict[str, float] = {}
    clips, together = torch.empty(0), 0
    losses = torch.zeros((), device=dice.device)
    try:
        while clock.progress < 1:
            if stage.step % STEPS_PER_FILM == 0 or not len(clips):
                length = CLIP_LENGTHS[stage.step // STEPS_PER_FILM % len(CLIP_LENGTHS)]
                together = max(1, 4 * batch // length)
                clips = film(dice, 2 * together, length, CROP, CROP).frames
            frames = clips[dice.integers(len(clips), together)]
            # Every other step a moved latent must decode to the moved picture: the UNet animates by moving latents.
            moved = stage.step % 2 == 1
            losses += stage.descend(f"{len(frames[0])} {moved}", _inputs(dice, frames, moved), clock.progress)
            if stage.step % 100 == 0:
                figures = {"loss": losses.item() / 100, "steps": stage.step}
                losses.zero_()
                stage.watch(figures["loss"])
                report("autoencoder", clock.progress, figures)
            if clock.time_to_save():
                write_state(state_path, stage.state(clock))
    finally:  # also when somebody stops it
        write_state(state_path, stage.state(clock))
    put_average([vae], stage)
    _scale_latents(vae, Dice(torch.device("cpu"), seed=0))  # the same numbers wherever it trained
    return figures


def _inputs(dice: Dice, frames: Tensor, moved: bool) -> dict[str, Tensor]:
    clips, length = frames.shape[:2]
    cells = CROP // LATENT_FACTOR
    size = dice.uniform(0, LATENT_NOISE, clips, 1, 1, 1, 1)
    inputs = {"frames": frames, "noise": size * dice.normal(clips, length, LATENT_CHANNELS, cells, cells)}
    if moved:
        inputs["move"] = _random_moves(dice, clips).repeat_interleave(length, 0)
    return inputs


def _loss(vae: Any, inputs: dict[str, Tensor]) -> Tensor:
    """Give the error of the decoded frames, of their edges and of their change over time."""
    length = inputs["frames"].shape[1]
    frames = inputs["frames"].flatten(0, 1)
    latents = vae.encode(frames.to(vae.dtype)).latent_dist.mean.float()
    if "move" in inputs:
        frames, latents = _moved(frames, inputs["move"]), _moved(latents, inputs["move"])
    noisy = latents + inputs["noise"].flatten(0, 1) * latents.detach().std()
    decoded = vae.decode(noisy.to(vae.dtype), num_frames=length).sample.float()
    if "move" in inputs:  # the reflected border is no picture
        frames, decoded = (part[..., 8:-8, 8:-8].contiguous() for part in (frames, decoded))
    difference = decoded - frames
    brightness = difference.mean(1, keepdim=True)
    difference = brightness + COLOUR_WEIGHT**0.5 * (difference - brightness)
    error, distance = difference.pow(2).mean(), difference.abs().mean()
    edges = torch.stack([difference.diff(dim=axis).abs().mean() for axis in (-1, -2)]).sum()
    over_time = difference.view(-1, length, *difference.shape[1:]).diff(dim=1).abs().mean()
    unit_size = latents.pow(2).mean().log().pow(2)
    loss: Tensor = distance + 2 * error + 0.5 * edges + 0.5 * over_time + 0.01 * unit_size
    return loss


def _random_moves(dice: Dice, clips: int) -> Tensor:
    """Give a shift by parts of latent cells as an affine map (2, 3) for each clip."""
    moves = torch.eye(2, 3, device=dice.device).repeat(clips, 1, 1)
    moves[:, :, 2] = dice.uniform(-0.1, 0.1, clips, 2)
    return moves


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
