"""What all training stages share: the time budget, averaged weights, one or more GPUs, and the saved state.

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
from diffusers.models.resnet import SpatioTemporalResBlock
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional

Report = Callable[[str, float, dict[str, float]], None]
"""called with the stage, the fraction done (0 to 1) and its latest figures"""

AVERAGE_DECAY = 0.998
"""of the averaged weights, per step"""
WINDOW = 100
"""steps whose losses are averaged into one; after a restart a new window begins"""
TOGETHER_EVERY = 10
"""steps after which all processes agree on the time"""
LARGEST_GRADIENT = 0.5


class Clock:
    """A stage's time budget; the time already spent by earlier runs counts. All processes have one time."""

    def __init__(self, budget_seconds: float, spent_seconds: float = 0.0) -> None:
        self.budget_seconds = budget_seconds
        self.spent_seconds = spent_seconds
        self._began = time.monotonic() - spent_seconds

    def look(self, device: torch.device) -> None:
        """Read the clock; of several processes the first one's."""
        now = torch.tensor([time.monotonic() - self._began], device=device)
        if dist.is_initialized():
            dist.broadcast(now, 0)
        self.spent_seconds = now.item()

    @property
    def progress(self) -> float:
        """Return the fraction of the budget spent, at most 1."""
        return min(1.0, self.spent_seconds / max(self.budget_seconds, 1e-9))


def learning_rate(progress: float, peak: float) -> float:
    """Return the rate after `progress` (0 to 1) of the stage: a short rise, then half a cosine down to almost 0."""
    rise = min(1.0, progress / 0.04 + 0.02)
    return peak * rise * (0.5 + 0.5 * math.cos(math.pi * progress)) + 1e-6


LossOf = Callable[[dict[str, Tensor]], Tensor]
"""called with a step's inputs, returns its loss, a scalar"""


class Stage:
    """One stage's networks with their optimiser, averaged weights and counters.

    The networks compute in their own type (bfloat16 on a GPU); the optimiser works on one flat float32 copy of all
    weights, so that processes exchange one tensor per step.
    """

    def __init__(self, networks: list[nn.Module], loss_of: LossOf, peak_rate: float) -> None:
        self._loss_of, self._peak_rate = loss_of, peak_rate
        self.weights: list[Tensor] = [weight for network in networks for weight in network.parameters()]
        self.weights = [weight for weight in self.weights if weight.requires_grad]
        self.flat = torch.cat([weight.detach().float().flatten() for weight in self.weights])
        if dist.is_initialized():
            dist.broadcast(self.flat, 0)
            with torch.no_grad():
                torch._foreach_copy_(self.weights, self.views(self.flat))
        self.average = self.flat.clone()
        self.flat.grad = torch.zeros_like(self.flat)
        self.device = self.flat.device
        on_gpu = self.device.type == "cuda"
        self._fixed: tuple[Tensor, Tensor] | None = None
        self.optimiser = torch.optim.AdamW([self.flat], lr=0.0, betas=(0.9, 0.99), weight_decay=1e-3, fused=on_gpu)
        self._recordings: dict[str, Recording] | None = {} if on_gpu else None
        self.step = 0

    def fix(self, masks: dict[Tensor, Tensor]) -> None:
        """Keep some numbers as they are: `masks` tells which of a weight's; other weights are trained whole."""
        nothing = [torch.zeros_like(weight, dtype=torch.bool) for weight in self.weights]
        chosen = [masks.get(weight, none).flatten() for weight, none in zip(self.weights, nothing, strict=True)]
        where = torch.cat([mask.to(self.device) for mask in chosen]).nonzero()[:, 0]
        self._fixed = (where, self.flat[where].clone())

    def views(self, flat: Tensor) -> list[Tensor]:
        """Return a flat tensor's parts in the shapes of the weights."""
        parts = flat.split([weight.numel() for weight in self.weights])
        return [part.view_as(weight) for part, weight in zip(parts, self.weights, strict=True)]

    def descend(self, kind: str, inputs: dict[str, Tensor], progress: float) -> Tensor:
        """Do one optimiser step and return its loss; inputs of one kind have the same shapes each time."""
        gradient = self.flat.grad
        assert gradient is not None
        loss = self._backward(inputs) if self._recordings is None else self._replay(self._recordings, kind, inputs)
        if dist.is_initialized():
            dist.all_reduce(gradient, op=dist.ReduceOp.AVG)
        gradient.nan_to_num_(0.0, 0.0, 0.0)
        gradient.mul_((LARGEST_GRADIENT / (gradient.norm() + 1e-6)).clamp_max(1.0))
        self.optimiser.param_groups[0]["lr"] = learning_rate(progress, self._peak_rate)
        self.optimiser.step()
        if self._fixed is not None:
            self.flat[self._fixed[0]] = self._fixed[1]
        self.step += 1
        with torch.no_grad():
            torch._foreach_copy_(self.weights, self.views(self.flat))
            self.average.lerp_(self.flat, 1 - min(AVERAGE_DECAY, (1 + self.step) / (10 + self.step)))
        return loss

    def _replay(self, recordings: dict[str, Recording], kind: str, inputs: dict[str, Tensor]) -> Tensor:
        if kind not in recordings:
            recordings[kind] = Recording(self._backward, inputs)
        return recordings[kind].play(inputs)

    def _backward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Write the loss's gradient to that of the flat weights; what the loss does not need stays at zero."""
        for weight in self.weights:
            weight.grad = None
        loss = self._loss_of(inputs)
        loss.backward()
        assert self.flat.grad is not None
        pairs = zip(self.views(self.flat.grad), self.weights, strict=True)
        used = [(part, weight.grad) for part, weight in pairs if weight.grad is not None]
        torch._foreach_copy_([part for part, _ in used], [gradient for _, gradient in used])
        return loss.detach()

    def state(self, clock: Clock) -> dict[str, Any]:
        """Return what is needed to go on later: small, at the price of the optimiser's first moment."""
        moments = self.optimiser.state.get(self.flat, {})
        return {
            "average": self.average.half().cpu(),
            "squares": moments["exp_avg_sq"].sqrt().bfloat16().cpu() if moments else torch.empty(0),
            "step": self.step,
            "seconds": clock.spent_seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the averaged weights of `state`."""
        with torch.no_grad():
            self.average.copy_(state["average"])
            self.flat.copy_(self.average)
            torch._foreach_copy_(self.weights, self.views(self.flat))
        self.step = int(state["step"])
        if len(state["squares"]):
            self.optimiser.state[self.flat] = {
                "step": torch.tensor(float(self.step), device=self.device),
                "exp_avg": torch.zeros_like(self.flat),
                "exp_avg_sq": state["squares"].to(self.device).float().square(),
            }


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
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):
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
    """Train from the saved state, if any, until the clock's budget is spent; then save."""
    if saved := read_state(state_path):
        stage.restore(saved)
    began = stage.step
    losses = torch.zeros((), device=stage.device)
    try:
        clock.look(stage.device)
        while clock.progress < 1:
            losses += stage.descend(*draw(stage.step, clock.progress), clock.progress)
            if stage.step % TOGETHER_EVERY == 0:
                clock.look(stage.device)
            if (stage.step - began) % WINDOW == 0:
                report(name, clock.progress, {"loss": losses.item() / WINDOW, "steps": stage.step})
                losses.zero_()
    finally:
        if is_first():
            write_state(state_path, stage.state(clock))


def is_first() -> bool:
    """Tell whether this is the only process or the first of several."""
    return not dist.is_initialized() or dist.get_rank() == 0


def put_average(networks: list[nn.Module], stage: Stage) -> None:
    """Turn the networks to float32 and copy the averaged weights into them."""
    for network in networks:
        network.float()
    with torch.no_grad():
        torch._foreach_copy_(stage.weights, stage.views(stage.average))


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


def skip_temporal_halves(decoder: nn.Module) -> None:
    """Run a decoder whose temporal halves are mixed in with a share of 0 without them: the same result sooner."""
    for module in decoder.modules():
        if isinstance(module, SpatioTemporalResBlock):
            module.forward = partial(_run_spatial_half, module)
            module.temporal_res_block.requires_grad_(False)
            module.time_mixer.requires_grad_(False)


def _run_spatial_half(module: Any, hidden_states: Tensor, temb: Any = None, image_only_indicator: Any = None) -> Tensor:
    result: Tensor = module.spatial_res_block(hidden_states, temb)
    return result
