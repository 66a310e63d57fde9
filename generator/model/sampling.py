"""The denoising loop and its schedules: plain functions on tensors, always in single precision.

Sigma is the standard deviation of the noise in the latents; clean latents have unit variance.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch

from generator.clip import Quality

Denoise = Callable[[torch.Tensor, float, int], torch.Tensor]
"""called with noisy latents, their sigma and the step's index; returns the clean latents that the model expects"""
DrawAgain = Callable[[torch.Size], torch.Tensor]
"""called with the latents' shape by a solver that adds noise again; returns unit noise on the CPU"""
OnStep = Callable[[int, int], None]
"""called with the number of steps done and of all steps"""

SIGMA_MIN, SIGMA_MAX = 0.002, 700.0
"""the range that Stable Video Diffusion was trained on, from its scheduler's configuration"""
KARRAS_RHO = 7.0
AYS_SIGMAS = (700.0, 54.5, 15.886, 7.977, 4.248, 1.789, 0.981, 0.403, 0.173, 0.034)
"""for SVD, from Align Your Steps (Sabour et al. 2024), without the final 0.0"""


class Solver(StrEnum):
    """How one step uses the model's answer."""

    EULER = "euler"
    MULTISTEP = "dpm++2m"
    """second order, by the previous step's answer: no extra call of the model"""
    CONSISTENCY = "consistency"
    """for a distilled model: jump to the answer, then noise it again"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Noise levels from the highest to the final 0.0, and the solver of the steps between them."""

    sigmas: tuple[float, ...]
    solver: Solver

    @property
    def calls(self) -> int:
        """Return how often the model is called: once per level, except the final 0.0."""
        return len(self.sigmas) - 1


def plan_steps(
    quality: Quality,
    steps: int,
    *,
    turbo: bool = False,
    sigma_min: float = SIGMA_MIN,
    sigma_max: float = SIGMA_MAX,
) -> Schedule:
    """Return the schedule of a quality preset with `steps` model calls; `turbo` is for a distilled model."""
    if turbo:
        # The lowest Karras level has almost no noise: a distilled model is called last at the level above it.
        return Schedule((*karras_sigmas(steps + 1, sigma_min, sigma_max)[:-1], 0.0), Solver.CONSISTENCY)
    if quality is Quality.FAST:
        return Schedule((*ays_sigmas(steps, sigma_max), 0.0), Solver.MULTISTEP)
    solver = Solver.MULTISTEP if quality is Quality.BALANCED else Solver.EULER
    return Schedule((*karras_sigmas(steps, sigma_min, sigma_max), 0.0), solver)


def karras_sigmas(steps: int, sigma_min: float = SIGMA_MIN, sigma_max: float = SIGMA_MAX) -> tuple[float, ...]:
    """Return `steps` levels, from sigma_max down to sigma_min, spaced as in Karras et al. 2022 (rho 7).

    SVD's own scheduler is configured so.
    """
    low, high = sigma_min ** (1 / KARRAS_RHO), sigma_max ** (1 / KARRAS_RHO)
    ramp = [index / max(steps - 1, 1) for index in range(steps)]
    return tuple((high + fraction * (low - high)) ** KARRAS_RHO for fraction in ramp)


def ays_sigmas(steps: int, sigma_max: float = SIGMA_MAX) -> tuple[float, ...]:
    """Return NVIDIA's Align-Your-Steps levels for SVD, from the highest down, without the final 0.0.

    They are interpolated in log sigma to `steps` levels, as their authors do. For a model that was trained up to
    another `sigma_max` the same curve is stretched to it.
    """
    known = [math.log(sigma) for sigma in AYS_SIGMAS]
    stretch = (math.log(sigma_max) - known[-1]) / (known[0] - known[-1])
    levels = []
    for index in range(steps):
        position = index / max(steps - 1, 1) * (len(known) - 1)
        left = min(int(position), len(known) - 2)
        value = known[left] + (position - left) * (known[left + 1] - known[left])
        levels.append(math.exp(known[-1] + (value - known[-1]) * stretch))
    return tuple(levels)


def draw_noise(
    seed: int, picture_shape: tuple[int, ...], latent_shape: tuple[int, ...]
) -> tuple[torch.Tensor, torch.Tensor, torch.Generator]:
    """Return unit noise for the picture and for the latents, and the rng for what `draw_again` draws later.

    All are on the CPU and in single precision, so that a seed means the same clip on any device. The order is that of
    StableVideoDiffusionPipeline.
    """
    rng = torch.Generator("cpu").manual_seed(seed)
    picture = torch.randn(picture_shape, generator=rng)
    return picture, torch.randn(latent_shape, generator=rng), rng


def draw_again(rng: torch.Generator, shape: torch.Size, clip_side: tuple[int, int]) -> torch.Tensor:
    """Return unit noise of `shape`, frames x height x width x channels, on the CPU.

    `clip_side` is the height and width of the clip's latents: a draft, whose latents are smaller, gets the clip's
    noise, reduced by `shrink_noise`.
    """
    frames, height, width, channels = shape
    noise = torch.randn((frames, *clip_side, channels), generator=rng)
    if clip_side == (height, width):
        return noise
    return shrink_noise(noise.permute(0, 3, 1, 2), height, width).permute(0, 2, 3, 1)


def shrink_noise(noise: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return the noise (..., rows, columns) of a smaller picture of the same thing: (..., height, width).

    It stays unit noise, each number independent of the others, and each plane's sum over the root of its count, which
    says where all of it drifts, is exactly what it was. So a small clip of it moves as the large one.
    """
    rows, columns = (_areas(*each) for each in ((noise.shape[-2], height), (noise.shape[-1], width)))
    shrunk: torch.Tensor = rows @ noise @ columns.T
    return shrunk


def _areas(count: int, into: int) -> torch.Tensor:
    """Return (into, count) weights: what share of each of `into` equal parts each of `count` cells takes.

    The rows are made orthonormal, in the way that changes them least: then independent numbers stay independent. The
    row of ones is an eigenvector of the change, so that sums stay what they were.
    """
    ends = torch.arange(into + 1, dtype=torch.float64) * (count / into)
    cells = torch.arange(count, dtype=torch.float64)
    shares = (torch.minimum(ends[1:, None], cells + 1) - torch.maximum(ends[:-1, None], cells)).clamp_min(0)
    values, vectors = torch.linalg.eigh(shares @ shares.T)
    weights: torch.Tensor = vectors @ (vectors.T @ shares / values.sqrt()[:, None])
    return weights.float()


def to_clean(prediction: torch.Tensor, noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Turn a v-prediction at `sigma` into the clean latents that it implies; all three have one shape."""
    spread = sigma * sigma + 1
    return noisy / spread - prediction.float() * (sigma / math.sqrt(spread))


def model_input(noisy: torch.Tensor, sigma: float) -> torch.Tensor:
    """Scale noisy latents to unit variance, as the model needs them."""
    return noisy / math.sqrt(sigma * sigma + 1)


def timestep_of(sigma: float) -> float:
    """Return the model's continuous time for a noise level."""
    return 0.25 * math.log(sigma)


def sample(
    denoise: Denoise,
    noise: torch.Tensor,
    schedule: Schedule,
    again: DrawAgain = torch.randn,
    on_step: OnStep = lambda _done, _of: None,
) -> torch.Tensor:
    """Denoise unit `noise` of any shape down the schedule, and return the clean latents, of the same shape.

    `again` is called by a distilled model's solver alone, `on_step` before the first step and after each. Raises what
    these functions raise.
    """
    sigmas = schedule.sigmas
    latents = noise * math.sqrt(sigmas[0] ** 2 + 1)
    before: torch.Tensor | None = None
    on_step(0, schedule.calls)
    for index in range(schedule.calls):
        clean = denoise(latents, sigmas[index], index)
        latents = _step(schedule, index, latents, clean, before, again)
        before = clean
        on_step(index + 1, schedule.calls)
    return latents


def _step(
    schedule: Schedule,
    index: int,
    latents: torch.Tensor,
    clean: torch.Tensor,
    before: torch.Tensor | None,
    again: DrawAgain,
) -> torch.Tensor:
    sigma, following = schedule.sigmas[index], schedule.sigmas[index + 1]
    if following == 0.0:
        return clean
    if schedule.solver is Solver.CONSISTENCY:
        return clean + again(clean.shape).to(clean.device) * following
    ratio = following / sigma
    if schedule.solver is Solver.MULTISTEP and before is not None:
        # DPM-Solver++(2M), Lu et al. 2022, in log-sigma time: extrapolate the model's answer by half a step.
        ahead = math.log(sigma / following) / (2 * math.log(schedule.sigmas[index - 1] / sigma))
        clean = clean + ahead * (clean - before)
    return ratio * latents + (1 - ratio) * clean
