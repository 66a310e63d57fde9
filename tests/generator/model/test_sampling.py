"""The schedules and the denoising loop, held against diffusers and against an ODE whose answer is known."""

from __future__ import annotations

import math
import warnings

import pytest
import torch
from diffusers import EDMDPMSolverMultistepScheduler, EulerDiscreteScheduler
from diffusers.schedulers.scheduling_utils import AysSchedules

from generator.clip import DEFAULT_STEPS, Quality
from generator.model.sampling import (
    Schedule,
    Solver,
    ays_sigmas,
    draw_again,
    draw_noise,
    karras_sigmas,
    model_input,
    plan_steps,
    sample,
    shrink_noise,
    timestep_of,
    to_clean,
)
from tests.support.tiny_checkpoint import SCHEDULER


def mixture_denoiser(noisy: torch.Tensor, sigma: float, _step: int) -> torch.Tensor:
    """Return the exact expected clean value of a mixture of three narrow bumps, of unit variance together."""
    centres = torch.tensor([-1.3, 0.2, 1.4])
    width = 0.1
    spread = sigma**2 + width**2
    likelihoods = torch.softmax(-((noisy[:, None] - centres) ** 2) / (2 * spread), dim=1)
    bumps = (centres * sigma**2 + noisy[:, None] * width**2) / spread
    return (likelihoods * bumps).sum(1)


def error_of(schedule: Schedule) -> float:
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(5))
    reference = sample(mixture_denoiser, noise, Schedule((*karras_sigmas(1000), 0.0), Solver.EULER))
    return float((sample(mixture_denoiser, noise, schedule) - reference).abs().mean())


def with_solver(schedule: Schedule, solver: Solver) -> Schedule:
    return Schedule(schedule.sigmas, solver)


def test_second_order_schedules_beat_euler_of_as_many_calls() -> None:
    schedules = {quality: plan_steps(quality, DEFAULT_STEPS[quality]) for quality in Quality}
    found = {quality: error_of(schedule) for quality, schedule in schedules.items()}
    euler = {quality: error_of(with_solver(schedule, Solver.EULER)) for quality, schedule in schedules.items()}
    print({str(quality): (round(found[quality], 3), round(euler[quality], 3)) for quality in Quality})
    assert found[Quality.BALANCED] < euler[Quality.BALANCED]
    assert found[Quality.FAST] < euler[Quality.FAST]
    assert found[Quality.FAST] < found[Quality.QUALITY], "10 well-chosen levels beat 25"


def test_balanced_is_diffusers_second_order_solver() -> None:
    scheduler = EDMDPMSolverMultistepScheduler(
        sigma_min=0.002, sigma_max=700.0, sigma_data=1.0, prediction_type="v_prediction"
    )
    scheduler.set_timesteps(15)
    noise = torch.randn(400, generator=torch.Generator().manual_seed(5))
    theirs = noise * scheduler.init_noise_sigma
    for time, sigma in zip(scheduler.timesteps, scheduler.sigmas.tolist(), strict=False):
        clean = mixture_denoiser(theirs, sigma, 0)
        prediction = (theirs / (sigma**2 + 1) - clean) * (sigma**2 + 1) ** 0.5 / sigma
        scheduler.scale_model_input(theirs, time)
        theirs = scheduler.step(prediction, time, theirs).prev_sample
    assert torch.allclose(sample(mixture_denoiser, noise, plan_steps(Quality.BALANCED, 15)), theirs, atol=1e-4)


def test_euler_converges_on_the_known_ode() -> None:
    errors = [error_of(plan_steps(Quality.QUALITY, steps)) for steps in (10, 25, 100)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5


def test_quality_is_diffusers_euler_step_for_step() -> None:
    scheduler = EulerDiscreteScheduler(**SCHEDULER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scheduler.set_timesteps(25)
    schedule = plan_steps(Quality.QUALITY, 25)
    assert torch.allclose(torch.tensor(schedule.sigmas), scheduler.sigmas, rtol=1e-4)
    assert torch.allclose(torch.tensor([timestep_of(s) for s in schedule.sigmas[:-1]]), scheduler.timesteps, atol=1e-4)
    noise = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    theirs = noise * scheduler.init_noise_sigma

    def model(scaled: torch.Tensor, time: float) -> torch.Tensor:
        return torch.sin(scaled * 3 + time)

    for time in scheduler.timesteps:
        theirs = scheduler.step(model(scheduler.scale_model_input(theirs, time), float(time)), time, theirs).prev_sample

    def denoise(noisy: torch.Tensor, sigma: float, _step: int) -> torch.Tensor:
        return to_clean(model(model_input(noisy, sigma), timestep_of(sigma)), noisy, sigma)

    assert torch.allclose(sample(denoise, noise, schedule), theirs, atol=2e-4)


def test_fast_carries_nvidias_levels_and_ends_at_zero() -> None:
    known = AysSchedules["StableDiffusionVideoSigmas"]
    schedule = plan_steps(Quality.FAST, 10)
    assert schedule.sigmas == pytest.approx(known)
    assert schedule.sigmas[-1] == 0.0 and schedule.calls == 10


@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize("steps", [1, 2, 7, 40])
def test_any_step_count_gives_falling_levels_over_the_trained_range(quality: Quality, steps: int) -> None:
    schedule = plan_steps(quality, steps)
    assert schedule.calls == steps
    assert list(schedule.sigmas) == sorted(schedule.sigmas, reverse=True)
    assert schedule.sigmas[0] == pytest.approx(700.0)
    noise = torch.randn(8, generator=torch.Generator().manual_seed(0))
    assert torch.isfinite(sample(mixture_denoiser, noise, schedule)).all()


def test_a_model_of_another_range_gets_the_curve_stretched() -> None:
    assert ays_sigmas(10, sigma_max=80.0)[0] == pytest.approx(80.0)
    assert ays_sigmas(10, sigma_max=80.0)[-1] == pytest.approx(0.034)


def test_turbo_jumps_and_noises_again_and_never_calls_near_zero() -> None:
    schedule = plan_steps(Quality.QUALITY, 4, turbo=True)
    assert schedule.solver is Solver.CONSISTENCY and schedule.calls == 4
    assert min(schedule.sigmas[:-1]) > 0.5
    asked: list[float] = []

    def perfect(noisy: torch.Tensor, sigma: float, _step: int) -> torch.Tensor:
        asked.append(sigma)
        return torch.full_like(noisy, 2.0)

    rng = torch.Generator().manual_seed(0)
    assert torch.equal(sample(perfect, torch.randn(5, generator=rng), schedule), torch.full((5,), 2.0))
    assert asked == list(schedule.sigmas[:-1])


def test_a_seed_means_the_same_noise_and_another_seed_another() -> None:
    first, again, other = (draw_noise(seed, (1, 3, 8, 8), (1, 2, 4, 1, 1)) for seed in (3, 3, 4))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])


def test_every_step_is_announced() -> None:
    seen: list[tuple[int, int]] = []
    schedule = plan_steps(Quality.QUALITY, 3)
    sample(mixture_denoiser, torch.zeros(1), schedule, on_step=lambda done, of: seen.append((done, of)))
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("small", [(18, 32), (20, 32), (17, 29), (36, 64)])
def test_a_smaller_clips_noise_is_unit_noise_that_drifts_as_the_large_one(small: tuple[int, int]) -> None:
    noise = torch.randn((400, 2, 36, 64), generator=torch.Generator().manual_seed(1))
    shrunk = shrink_noise(noise, *small)
    assert shrunk.shape == (400, 2, *small)
    drift, before = (each.sum((2, 3)) / math.sqrt(each[0, 0].numel()) for each in (shrunk, noise))
    assert torch.allclose(drift, before, atol=1e-3), "what decides where all of it drifts"
    assert float(shrunk.std()) == pytest.approx(1, abs=0.01)
    assert float((shrunk[..., 1:] * shrunk[..., :-1]).mean()) == pytest.approx(0, abs=0.01)
    assert float((shrunk[..., 1:, :] * shrunk[..., :-1, :]).mean()) == pytest.approx(0, abs=0.01)
    if small == (36, 64):
        assert torch.allclose(shrunk, noise, atol=1e-5)


def test_a_smaller_clips_noise_lies_where_the_large_one_does() -> None:
    bright = torch.zeros(1, 36, 64)
    bright[:, 20:24, 40:48] = 1
    shrunk = shrink_noise(bright, 18, 32)
    assert float(shrunk[:, 10:12, 20:24].sum() / shrunk.sum()) > 0.99


def test_noise_that_is_added_again_fits_the_clips_too() -> None:
    large, small = (
        draw_again(torch.Generator().manual_seed(3), torch.Size((2, *side, 4)), (36, 64))
        for side in ((36, 64), (18, 32))
    )
    plain = torch.randn((2, 36, 64, 4), generator=torch.Generator().manual_seed(3))
    assert torch.equal(large, plain), "a clip's is what it was without drafts"
    assert small.shape == (2, 18, 32, 4)
    assert torch.allclose(small.sum((1, 2)) / 24, large.sum((1, 2)) / 48, atol=1e-3)
    assert torch.allclose(small[0, ..., 1], shrink_noise(large[0, ..., 1], 18, 32), atol=1e-5)
