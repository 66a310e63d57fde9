"""What both training stages share: the clock that says how far training is, averaged weights, and the saved state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Report = Callable[[str, float, dict[str, float]], None]
"""called with the stage, the share done (0..1) and its latest figures"""

SAVE_EVERY_SECONDS = 60.0


class Clock:
    """A stage's time budget; the time already spent by earlier runs counts."""

    def __init__(self, budget_seconds: float, spent_seconds: float = 0.0) -> None:
        self.budget_seconds = budget_seconds
        self._began = time.monotonic() - spent_seconds
        self._saved = time.monotonic()

    @property
    def spent_seconds(self) -> float:
        """Give the seconds trained, over all runs."""
        return time.monotonic() - self._began

    @property
    def progress(self) -> float:
        """Give the share of the budget spent, at most 1."""
        return min(1.0, self.spent_seconds / max(self.budget_seconds, 1e-9))

    def time_to_save(self) -> bool:
        """Tell, once per interval, that the state should be written."""
        due = time.monotonic() - self._saved >= SAVE_EVERY_SECONDS
        if due:
            self._saved = time.monotonic()
        return due


def learning_rate(progress: float, peak: float) -> float:
    """Give the rate after `progress` of the stage: a short rise, then half a cosine down to almost nothing."""
    rise = min(1.0, progress / 0.03 + 0.01)
    return peak * rise * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6


@dataclass
class Stage:
    """One stage's networks with their optimiser, averaged weights and counters."""

    networks: list[nn.Module]
    peak_rate: float
    decay: float = 0.999
    step: int = 0

    def __post_init__(self) -> None:
        """Start the optimiser and the average from the networks as they are."""
        self.weights: list[Tensor] = [weight for network in self.networks for weight in network.parameters()]
        self.average: list[Tensor] = [weight.detach().clone() for weight in self.weights]
        self.optimiser = torch.optim.AdamW(self.weights, lr=1e-6, betas=(0.9, 0.99), weight_decay=1e-3)

    def descend(self, loss: Tensor, progress: float) -> None:
        """Take one optimiser step and move the average along."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(progress, self.peak_rate)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimiser.step()
        self.step += 1
        decay = min(self.decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, [weight.detach() for weight in self.weights], 1 - decay)

    def use_average(self) -> None:
        """Put the averaged weights into the networks."""
        with torch.no_grad():
            for weight, average in zip(self.weights, self.average, strict=True):
                weight.copy_(average)

    def state(self, clock: Clock) -> dict[str, Any]:
        """Give everything needed to go on later."""
        return {
            "weights": [weight.detach().cpu() for weight in self.weights],
            "average": [weight.cpu() for weight in self.average],
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": clock.spent_seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        with torch.no_grad():
            for mine, saved in zip(self.weights, state["weights"], strict=True):
                mine.copy_(saved)
            for mine, saved in zip(self.average, state["average"], strict=True):
                mine.copy_(saved)
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a stage's state so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    torch.save(state, aside)
    aside.replace(path)


def read_state(path: Path) -> dict[str, Any] | None:
    """Give a stage's saved state, or None at the first run."""
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def flatten_temporal_convolutions(network: nn.Module) -> None:
    """Run every 3x1x1 convolution as a plain 2-D one over (time, pixels): the same sums by faster kernels."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d) and module.kernel_size == (3, 1, 1):
            module.forward = partial(_convolve_time, module)  # type: ignore[method-assign]


def _convolve_time(module: nn.Conv3d, clip: Tensor) -> Tensor:
    flat = clip.flatten(3)
    return functional.conv2d(flat, module.weight.squeeze(-1), module.bias, padding=(1, 0)).view(
        *clip.shape[:1], -1, *clip.shape[2:]
    )
