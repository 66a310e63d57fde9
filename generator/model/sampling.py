"""The denoising loop and its schedules: plain functions on tensors, in single precision whatever the model's.

A denoiser is any function of (noisy latents, sigma, step) that gives the clean latents it expects.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from diffusers.schedulers.scheduling_utils import AysSchedules

from generator.clip import Quality

Denoise = Callable[[torch.Tensor, float, int], torch.Tensor]
OnStep = Callable[[int, int], None]

SIGMA_MIN, SIGMA_MAX = 0.002, 700.0
"""The range Stable Video Diffusion was trained on, from its scheduler's configuration."""
KARRAS_RHO = 7.0


class Solver(StrEnum):
    """How one step uses what the model said."""

    EULER = "euler"
    MULTISTEP = "dpm++2m"
    """second order from the previous step's answer, at no extra call"""
    CONSISTENCY = "consistency"
    """for a distilled model: jump to the answer, then noise it again"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Noise levels from the highest to the final 0.0, one model call for each but the last, and the solver between."""

    sigmas: tuple[float, ...]
    solver: Solver

    @property
    def calls(self) -> int:
        """Tell how often the model is called."""
        return len(self.sigmas) - 1


def plan_steps(
    quality: Quality,
    steps: int,
    *,
    turbo: bool = False,
    sigma_min: float = SIGMA_MIN,
    sigma_max: float = SIGMA_MAX,
) -> Schedule:
    """Give the schedule of a quality preset with `steps` model calls."""
    if turbo:
        # The lowest level of a Karras ladder is all but clean: a distilled model's last call goes one above it.
        return Schedule((*karras_sigmas(steps + 1, sigma_min, sigma_max)[:-1], 0.0), Solver.CONSISTENCY)
    if quality is Quality.FAST:
        return Schedule((*ays_sigmas(steps, sigma_max), 0.0), Solver.MULTISTEP)
    solver = Solver.MULTISTEP if quality is Quality.BALANCED else Solver.EULER
    return Schedule((*karras_sigmas(steps, sigma_min, sigma_max), 0.0), solver)


def karras_sigmas(steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> tuple[float, ...]:
    """Space `steps` levels as Karras et al. 2022 (rho 7) do, as SVD's own scheduler is configured."""
    low, high = sigma_min ** (1 / KARRAS_RHO), sigma_max ** (1 / KARRAS_RHO)
    ramp = [index / max(steps - 1, 1) for index in range(steps)]
    return tuple((high + share * (low - high)) ** KARRAS_RHO for share in ramp)


def ays_sigmas(steps: int, sigma_max: float = SIGMA_MAX) -> tuple[float, ...]:
    """Give NVIDIA's Align-Your-Steps levels for SVD, log-interpolated to `steps` as its authors do.

    A model trained up to another `sigma_max` gets the same curve stretched to it.
    """
    known = [math.log(sigma) for sigma in AysSchedules["StableDiffusionVideoSigmas"][:-1]]
    stretch = (math.log(sigma_max) - known[-1]) / (known[0] - known[-1])
    levels = []
    for index in range(steps):
        place = index / max(steps - 1, 1) * (len(known) - 1)
        left = min(int(place), len(known) - 2)
        value = known[left] + (place - left) * (known[left + 1] - known[left])
        levels.append(math.exp(known[-1] + (value - known[-1]) * stretch))
    return tuple(levels)


def draw_noise(
    seed: int, picture_shape: tuple[int, ...], latent_shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    """Draw the picture's and the latents' noise on the CPU, so that a seed means the same clip on any device.

    Also gives the generator for what a solver draws later. The order is StableVideoDiffusionPipeline's.
    """
    rng = torch.Generator("cpu").manual_seed(seed)
    picture = torch.randn(picture_shape, generator=rng)
    return picture, torch.randn(latent_shape, generator=rng), rng


def to_clean(prediction: torch.Tensor, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Turn a v-prediction at `sigma` into the clean latents it implies."""
    spread = sigma * sigma + 1
    return noisy / spread - prediction.float() * (sigma / math.sqrt(spread))


def model_input(noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Scale noisy latents to unit variance for the model."""
    return noisy / math.sqrt(sigma * sigma + 1)


def timestep_of(sigma: float) -> float:
    """Give the model's continuous time for a noise level."""
    return 0.25 * math.log(sigma)


def sample(
    denoise: Denoise,
    noise: torch.Tensor,
    schedule: Schedule,
    rng: torch.Generator | None = None,
    on_step: OnStep = lambda _done, _of: None,
) -> torch.Tensor:
    """Walk from unit `noise` down the schedule to clean latents; `on_step(done, of)` is called around every step."""
    sigmas = schedule.sigmas
    latents = noise * math.sqrt(sigmas[0] ** 2 + 1)
    before: torch.Tensor | None = None
    on_step(0, schedule.calls)
    for index in range(schedule.calls):
        clean = denoise(latents, sigmas[index], index)
        latents = _step(schedule, index, latents, clean, before, rng)
        before = clean
        on_step(index + 1, schedule.calls)
    return latents


def _step(
    schedule: Schedule,
    index: int,
    latents: torch.Tensor,
    clean: torch.Tensor,
    before: torch.Tensor | None,
    rng: torch.Generator | None,
) -> torch.Tensor:
    sigma, following = schedule.sigmas[index], schedule.sigmas[index + 1]
    if following == 0.0:
        return clean
    if schedule.solver is Solver.CONSISTENCY:
        noise = torch.randn(clean.shape, generator=rng).to(clean.device)
        return clean + noise * following
    ratio = following / sigma
    if schedule.solver is Solver.MULTISTEP and before is not None:
        # DPM-Solver++(2M), Lu et al. 2022, in log-sigma time: extrapolate what the model says half a step ahead.
        ahead = math.log(sigma / following) / (2 * math.log(schedule.sigmas[index - 1] / sigma))
        clean = clean + ahead * (clean - before)
    return ratio * latents + (1 - ratio) * clean
