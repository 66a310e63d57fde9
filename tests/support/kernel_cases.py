"""Each kernel beside its plain function over one set of shapes: `python -m tests.support.kernel_cases` prints errors.

Without a GPU the kernels run in Triton's interpreter, which is chosen by the environment before Triton is imported:
hence a process of its own.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import torch
from torch import Tensor

Shape = tuple[int, int, int]
"""channels, pixels and frames"""


class Inputs:
    """Random tensors, the same ones for each who asks in the same order."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        self._rng = torch.Generator().manual_seed(0)
        self._device, self._dtype = device, dtype

    def __call__(self, *shape: int) -> Tensor:
        drawn: Tensor = torch.randn(shape, generator=self._rng)
        return drawn.to(self._device, self._dtype)

    def filters(self, tall: int, wide: int) -> Tensor:
        weight: Tensor = self(tall, wide, 3, 1) * (3 * wide) ** -0.5
        return weight.contiguous(memory_format=torch.channels_last)


def channel_sums(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    clip, rows = given(2, frames, pixels, channels), given(3, frames * pixels + 1, channels)
    return [ops.channel_sums(some).sum(2) for some in (clip, clip[:, :, 1 : pixels // 2], rows)]


def norm_factors(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, _frames = shape
    rows, weight, bias, shift = given(2, pixels, channels), given(channels), given(channels), given(channels)
    sums = ops.channel_sums(rows)
    return [
        *ops.norm_factors(sums, pixels, weight, bias, 1e-5),
        *ops.norm_factors(sums, pixels, weight, bias, 1e-6, shift),
    ]


def scale_shift(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    clip, rows = given(2, frames, pixels, channels), given(2, pixels, channels)
    factor, offset = given(2, channels), given(2, channels)
    results = [
        ops.scale_shift(maps, factor, offset, silu=silu)
        for maps in (clip, clip[:, :, 1 : pixels // 2], rows)
        for silu in (False, True)
    ]
    ops.scale_shift(rows, factor, offset, silu=True, into=rows)
    return [*results, rows]


def add(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, _frames = shape
    maps, more, bias = given(3, pixels, channels), given(3, pixels, channels), given(channels)
    apart = torch.empty_like(maps)
    sums = ops.add(maps, more.clone(), bias, apart)
    part = maps[:, 1 : pixels // 2]
    part_sums = ops.add(part, more[:, 1 : pixels // 2].contiguous(), bias, part)
    return [apart, sums.sum(2), maps, part_sums.sum(2)]


def frame_conv(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    clip, weight, bias = given(2, frames, pixels, channels), given.filters(channels, channels), given(channels)
    out, sums = ops.frame_conv(clip, weight)
    target, mix = given(2, frames, 2 * pixels, channels), given(1).sigmoid()
    blended = ops.blend_frame_conv(clip, weight, bias, mix, target[:, :, 1 : pixels + 1])
    return [out, sums.sum(2), target, blended.sum(2)]


def gated(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, _frames = shape
    return [ops.gated(given(pixels, channels), given(8 * channels, channels) / 8, given(8 * channels))]


def add_norm(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    weight, bias, then = given(channels), given(channels), given(channels)
    results: list[Tensor] = []
    for repeats in ((2, pixels, frames), (2, 1, 1), (1, 1, frames), (1, 1, 1), (2, pixels, 1)):
        for copy in (False, True):
            rows = given(2, frames, pixels, channels).transpose(1, 2)
            rows = rows if copy else rows.contiguous()
            added = ops.add_norm(rows, weight, bias, first=given(*repeats, channels), then=then, copy=copy)
            results += [rows, *added]
    rows = given(2, pixels, frames, channels)
    return [*results, *ops.add_norm(rows, weight, bias)]


def blend_back(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    clips, wide = given(2, pixels, frames, channels), given(2, frames, 2 * pixels, channels)
    return [ops.blend_back(clips, wide[:, :, 1 : pixels + 1], given(1).sigmoid())]


def frame_attention(ops: Any, given: Inputs, shape: Shape) -> list[Tensor]:
    channels, pixels, frames = shape
    return [ops.frame_attention(given(pixels, frames, 3 * channels), channels // 32)]


CASES = (channel_sums, norm_factors, scale_shift, add, frame_conv, gated, add_norm, blend_back, frame_attention)


def errors(device: torch.device, dtype: torch.dtype, shapes: tuple[Shape, ...]) -> dict[str, float]:
    """Return each case's largest difference, as a share of the largest number of the plain result."""
    from generator.model.lean.fused import kernels, plain

    found: dict[str, float] = {}
    for shape in shapes:
        for case in CASES:
            both = (case(ops, Inputs(device, dtype), shape) for ops in (kernels, plain))
            pairs = zip(*both, strict=True)
            found[f"{case.__name__}-{shape[0]}"] = max(
                float((ours - theirs).abs().max() / theirs.abs().max()) for ours, theirs in pairs
            )
    return found


if __name__ == "__main__":
    os.environ["TRITON_INTERPRET"] = "1"
    json.dump(errors(torch.device("cpu"), torch.float32, ((32, 70, 5), (96, 41, 14), (128, 19, 25))), sys.stdout)
