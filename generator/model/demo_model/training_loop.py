"""What both training stages share: the clock of their time budget, averaged weights, and the saved state.

Of the training only the result is tested. Tested in tests/generator/model/demo_model/test_demo_model.py.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Report = Callable[[str, float, dict[str, float]], None]
"""called with the stage, the fraction done (0 to 1) and its latest figures"""

SAVE_EVERY_SECONDS = 40.0
AVERAGE_DECAY = 0.998
"""of the averaged weights, per step"""
WINDOW = 100
"""steps whose losses are averaged into one; after a restart a new window begins"""
BLOWN_UP = 1.6
"""a mean loss so many times the best so far is a failure, not noise"""


class Clock:
    """A stage's time budget; the time already spent by earlier runs counts."""

    def __init__(self, budget_seconds: float, spent_seconds: float = 0.0) -> None:
        self.budget_seconds = budget_seconds
        self._began = time.monotonic() - spent_seconds
        self._saved = time.monotonic()

    @property
    def spent_seconds(self) -> float:
        """Return the seconds trained, over all runs."""
        return time.monotonic() - self._began

    @property
    def progress(self) -> float:
        """Return the fraction of the budget spent, at most 1."""
        return min(1.0, self.spent_seconds / max(self.budget_seconds, 1e-9))

    def time_to_save(self) -> bool:
        """Return True once per interval, when the state should be written."""
        due = time.monotonic() - self._saved >= SAVE_EVERY_SECONDS
        if due:
            self._saved = time.monotonic()
        return due


def learning_rate(progress: float, peak: float) -> float:
    """Return the rate after `progress` (0 to 1) of the stage: a short rise, then half a cosine down to almost 0."""
    rise = min(1.0, progress / 0.05 + 0.01)
    return peak * rise * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6


LossOf = Callable[[dict[str, Tensor]], Tensor]
"""called with a step's inputs, returns its loss, a scalar"""


class Stage:
    """One stage's networks with their optimiser, averaged weights and counters.

    The networks compute in their own type (bfloat16 on a GPU); the optimiser works on float32 copies.
    """

    def __init__(self, networks: list[nn.Module], loss_of: LossOf, peak_rate: float) -> None:
        self._loss_of, self._peak_rate = loss_of, peak_rate
        self.weights: list[Tensor] = [weight for network in networks for weight in network.parameters()]
        self.master = [weight.detach().float().clone() for weight in self.weights]
        self.average = [weight.clone() for weight in self.master]
        for weight in self.master:
            weight.grad = torch.zeros_like(weight)
        self.device = self.master[0].device
        self._rate = torch.zeros((), device=self.device)
        on_gpu = self.device.type == "cuda"
        self.optimiser = torch.optim.AdamW(
            self.master, lr=self._rate, betas=(0.9, 0.99), weight_decay=1e-3, fused=on_gpu, capturable=on_gpu
        )
        self._recordings: dict[str, Recording] | None = {} if on_gpu else None
        self.step = 0
        self._best = float("inf")
        self._good: list[Tensor] = []

    def descend(self, kind: str, inputs: dict[str, Tensor], progress: float) -> Tensor:
        """Do one optimiser step and return its loss; inputs of one kind have the same shapes each time."""
        self._rate.fill_(learning_rate(progress, self._peak_rate))
        loss = self._descend(inputs) if self._recordings is None else self._replay(self._recordings, kind, inputs)
        self.step += 1
        decay = min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_(self.average, self.master, 1 - decay)
        return loss

    def _replay(self, recordings: dict[str, Recording], kind: str, inputs: dict[str, Tensor]) -> Tensor:
        if kind not in recordings:
            recordings[kind] = Recording(self._descend, inputs)
        return recordings[kind].play(inputs)

    def _descend(self, inputs: dict[str, Tensor]) -> Tensor:
        for weight in self.weights:
            weight.grad = None
        loss = self._loss_of(inputs)
        loss.backward()
        # With one layer in its middle block the decoder never calls its attention, which then has no gradient.
        pairs = [(copy.grad, weight.grad) for copy, weight in zip(self.master, self.weights, strict=True)]
        used = [(copy, gradient) for copy, gradient in pairs if copy is not None and gradient is not None]
        for _, gradient in used:  # through the common norm one overflow would reach every weight
            gradient.nan_to_num_(0.0, 0.0, 0.0)
        torch._foreach_copy_([copy for copy, _ in used], [gradient for _, gradient in used])
        nn.utils.clip_grad_norm_(self.master, 0.5)
        self.optimiser.step()
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.master)
        return loss.detach()

    def watch(self, mean_loss: float) -> None:
        """Keep a copy of the weights, or, if the loss has blown up, go back to the last copy and halve the rate."""
        moments = [entry[name] for entry in self.optimiser.state.values() for name in ("exp_avg", "exp_avg_sq")]
        everything = [*self.master, *self.average, *moments]
        with torch.no_grad():
            if mean_loss < BLOWN_UP * self._best or not self._good:
                self._good = [tensor.detach().clone() for tensor in everything]
                self._best = min(self._best, mean_loss)
            else:  # in place, because recordings use these tensors' addresses
                torch._foreach_copy_(everything, self._good)
                torch._foreach_copy_(self.weights, self.master)
                self._peak_rate /= 2

    def state(self, clock: Clock) -> dict[str, Any]:
        """Return everything that is needed to go on later."""
        return {
            "weights": [weight.detach().cpu() for weight in self.master],
            "average": [weight.cpu() for weight in self.average],
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "seconds": clock.spent_seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        with torch.no_grad():
            torch._foreach_copy_(self.master, [weight.to(self.device) for weight in state["weights"]])
            torch._foreach_copy_(self.weights, self.master)
            torch._foreach_copy_(self.average, [weight.to(self.device) for weight in state["average"]])
        self.optimiser.load_state_dict(state["optimiser"])
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate
        self.step = int(state["step"])


class Recording:
    """One training step as a CUDA graph: thousands of small kernels without their launches from Python."""

    def __init__(self, step: LossOf, inputs: dict[str, Tensor]) -> None:
        self._inputs = {name: tensor.clone() for name, tensor in inputs.items()}
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # so that libraries have chosen their kernels before the recording
            for _ in range(3):
                step(self._inputs)
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._loss = step(self._inputs)

    def play(self, inputs: dict[str, Tensor]) -> Tensor:
        """Run the step on new inputs; the loss is overwritten by the next call."""
        for name, buffer in self._inputs.items():
            buffer.copy_(inputs[name])
        self._graph.replay()
        return self._loss


Draw = Callable[[int, float], tuple[str, dict[str, Tensor]]]
"""called with the step's number and the fraction done, returns the kind of the step's inputs and the inputs"""


def train_stage(name: str, stage: Stage, clock: Clock, draw: Draw, state_path: Path, report: Report) -> None:
    """Train from the saved state, if any, until the clock's budget is spent; save, also when interrupted."""
    if saved := read_state(state_path):
        stage.restore(saved)
    began = stage.step
    losses = torch.zeros((), device=stage.device)
    try:
        while clock.progress < 1:
            losses += stage.descend(*draw(stage.step, clock.progress), clock.progress)
            if (stage.step - began) % WINDOW == 0:
                mean = losses.item() / WINDOW
                losses.zero_()
                stage.watch(mean)
                report(name, clock.progress, {"loss": mean, "steps": stage.step})
            if clock.time_to_save():
                write_state(state_path, stage.state(clock))
    finally:
        write_state(state_path, stage.state(clock))


def put_average(networks: list[nn.Module], stage: Stage) -> None:
    """Turn the networks to float32 and copy the averaged weights into them."""
    weights: list[Tensor] = [weight for network in networks for weight in network.float().parameters()]
    with torch.no_grad():
        torch._foreach_copy_(weights, stage.average)


def training_type(device: torch.device) -> torch.dtype:
    """Return the type that networks compute in while they train."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a stage's state so that a kill leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".part")
    torch.save(state, aside)
    aside.replace(path)


def read_state(path: Path) -> dict[str, Any] | None:
    """Return a stage's saved state, or None at the first run."""
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
