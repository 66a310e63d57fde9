"""Decide whether the operations between products run as Triton kernels or as plain torch."""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor

from generator.model.lean.fused import plain
from generator.model.lean.fused.plain import Sums

log = logging.getLogger(__name__)


class Operations(Protocol):
    """What both modules offer; `plain` says what each computes."""

    def channel_sums(self, maps: Tensor) -> Sums: ...  # noqa: D102

    def norm_factors(  # noqa: D102
        self, sums: Sums, count: int, weight: Tensor, bias: Tensor, eps: float, shift: Tensor | None = None
    ) -> tuple[Tensor, Tensor]: ...

    def scale_shift(  # noqa: D102
        self, maps: Tensor, factor: Tensor, offset: Tensor, *, silu: bool, into: Tensor | None = None
    ) -> Tensor: ...

    def add(self, maps: Tensor, more: Tensor, bias: Tensor, into: Tensor) -> Sums: ...  # noqa: D102

    def frame_conv(self, clips: Tensor, weight: Tensor) -> tuple[Tensor, Sums]: ...  # noqa: D102

    def blend_frame_conv(  # noqa: D102
        self, clips: Tensor, weight: Tensor, bias: Tensor, mix: Tensor, into: Tensor
    ) -> Sums: ...

    def gated(self, rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor: ...  # noqa: D102

    def add_norm(  # noqa: D102
        self,
        rows: Tensor,
        weight: Tensor,
        bias: Tensor,
        *,
        first: Tensor | None = None,
        then: Tensor | None = None,
        copy: bool = False,
    ) -> tuple[Tensor, Tensor]: ...

    def blend_back(self, clips: Tensor, spatial: Tensor, mix: Tensor) -> Tensor: ...  # noqa: D102

    def frame_attention(self, joint: Tensor, heads: int) -> Tensor: ...  # noqa: D102


def operations(tensor: Tensor) -> Operations:
    """Return the operations for tensors where `tensor` is: kernels on a GPU on which they work, otherwise plain."""
    return _on_gpu(tensor.device.index or 0) if tensor.device.type == "cuda" else cast(Operations, plain)


@functools.cache
def _on_gpu(index: int) -> Operations:
    """Build and try one kernel on that GPU; what they need may be missing: Triton, a C compiler, a recent card."""
    try:
        from generator.model.lean.fused import kernels

        ones = torch.ones(1, 32, 32, device=torch.device("cuda", index))
        doubled = kernels.scale_shift(ones, ones[:, 0], ones[:, 0], silu=False)
        if float(doubled.sum()) != 2 * ones.numel():
            raise RuntimeError("a kernel gave a wrong result")
    except Exception as error:  # noqa: BLE001 - whatever is missing, plain torch renders the same clip, slower
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        log.warning("no fused kernels on this GPU, clips take about 1.4 times as long: %s", reason)
        return cast(Operations, plain)
    return cast(Operations, kernels)


def start_building(device: torch.device, dtype: torch.dtype, folder: Path | None) -> threading.Thread | None:
    """Build the kernels for a GPU in a background thread, or return None where there are none to build.

    They are kept in `folder`, or where Triton keeps them. Without waiting for the thread, the first clip would build
    them itself.
    """
    if device.type != "cuda":
        return None
    if folder is not None:
        os.environ.setdefault("TRITON_CACHE_DIR", str(folder / "kernels"))
    thread = threading.Thread(target=_build, args=(device, dtype), name="kernels", daemon=True)
    thread.start()
    return thread


def _build(device: torch.device, dtype: torch.dtype) -> None:
    if operations(torch.empty(0, device=device)) is not plain:
        from generator.model.lean.fused import kernels

        started = time.monotonic()
        with torch.no_grad():
            kernels.build(device, dtype)
        log.info("the fused kernels are ready after %.1f s", time.monotonic() - started)
