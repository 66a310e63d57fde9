"""What approximate products gain and cost in one guided step: half-precision sums, and products of 8 bits (E4M3).

Where there are no 8-bit products, as on a CPU, they are imitated by rounding: the error is the same, the time is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tests.benchmarks.gpu.bench import Bench, measure
from tests.benchmarks.gpu.models import Models, plan

LARGEST = 448.0
"""the largest number in E4M3"""
_EIGHT = torch.float8_e4m3fn


def _to_eight_bits(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows x width in E4M3 and each row's scale, rows x 1 in single precision."""
    scale = rows.abs().amax(1, keepdim=True).float().clamp_min(1e-12) / LARGEST
    return (rows / scale).to(_EIGHT), scale


def multiply(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return `F.linear(rows, weight, bias)` of two dimensions with both factors in E4M3, a scale for each row."""
    (left, left_scale), (right, right_scale) = _to_eight_bits(rows), _to_eight_bits(weight)
    if rows.is_cuda:  # by rows only with bfloat16 results
        out = torch._scaled_mm(
            left, right.T, scale_a=left_scale, scale_b=right_scale.T.contiguous(), out_dtype=torch.bfloat16
        )
    else:
        out = (left.float() * left_scale) @ (right.float() * right_scale).T
    out = out.to(rows.dtype)
    return out if bias is None else out + bias


class EightBits(TorchFunctionMode):
    """Computes linear layers with `multiply`, if their sizes are multiples of 16, as the hardware needs them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is F.linear and _fits(args[0], args[1]):
            rows = args[0].reshape(-1, args[0].shape[-1])
            return multiply(rows, *args[1:]).view(*args[0].shape[:-1], -1)
        if func is torch.addmm and _fits(args[1], args[2].T):
            return torch.add(args[0], multiply(args[1], args[2].T), out=kwargs["out"])
        return func(*args, **kwargs)


def _fits(rows: Tensor, weight: Tensor) -> bool:
    return rows.numel() // rows.shape[-1] >= 16 and all(side % 16 == 0 for side in weight.shape)


@contextlib.contextmanager
def half_sums() -> Iterator[None]:
    """Let cuBLAS add up in half precision."""
    products = torch.backends.cuda.matmul
    products.allow_fp16_accumulation = True
    try:
        yield
    finally:
        products.allow_fp16_accumulation = False


def fast_math(bench: Bench, models: Models) -> None:
    """Measure a guided step with each, and its difference to the step in the working precision."""
    step = models.lean_step(plan(50))
    expected = step()
    bench.row("Fast math", "what", "s", "times faster", "relative error")
    usual = measure(bench, step, 3, 1).seconds
    bench.row("Fast math", "as it is", usual, 1.0, 0.0)
    ways: dict[str, Callable[[], Any]] = {"half sums": half_sums}
    if not bench.on_gpu or torch.cuda.get_device_capability() >= (8, 9):
        ways["8-bit products"] = EightBits
    for name, way in ways.items():
        with way():
            error = float((step().float() - expected.float()).norm() / expected.float().norm())
            seconds = measure(bench, step, 3, 1).seconds
        bench.row("Fast math", name, seconds, usual / seconds, error)
        key = name.replace(" ", "_").replace("8-bit", "eight_bit")
        bench.note(**{f"fast_math_{key}_step_s": seconds, f"fast_math_{key}_relative_error": error})
