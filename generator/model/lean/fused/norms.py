# ruff: noqa: N803 - Triton's constants are written in capitals, as everywhere in its own code
"""Triton kernels around group norms and layer norms: sums, factors, and the passes that apply them.

See `kernels` for what all of them have in common.

Tested in tests/generator/model/lean/fused/test_kernels.py.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from generator.model.lean.fused.plain import GROUPS, Sums
from generator.model.lean.fused.tiles import new_sums, passes_over, strided, tile

_MOST_PARTS = 256
"""that a program of the norm's factors adds up in a loop; more are added up by torch first"""


@triton.jit(do_not_specialize=["positions", "inner", "parts", "passes"])
def _channel_sums(source, sums, positions, inner, item_stride, outer_stride, inner_stride, channels, parts, squares_at,
                  passes, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    part = tl.program_id(0)
    item = tl.program_id(2)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    start = source + item.to(tl.int64) * item_stride
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    square = tl.zeros((ROWS, COLUMNS), tl.float32)
    for index in range(passes):
        row = (part * passes + index) * ROWS + tl.arange(0, ROWS)
        mask = (row[:, None] < positions) & inside[None, :]
        at = (row // inner).to(tl.int64) * outer_stride + (row % inner) * inner_stride
        value = tl.load(start + at[:, None] + column[None, :], mask=mask, other=0.0).to(tl.float32)
        total += value
        square += value * value
    to = sums + (item * parts + part) * channels + column
    tl.store(to, tl.sum(total, 0), mask=inside)
    tl.store(to + squares_at, tl.sum(square, 0), mask=inside)


def channel_sums(maps: Tensor) -> Sums:
    """See `plain.channel_sums`."""
    items, positions, inner, strides = strided(maps)
    channels = maps.shape[-1]
    rows, columns, passes, parts = passes_over(positions, channels)
    sums = new_sums(maps, items, parts)
    grid = (parts, triton.cdiv(channels, columns), items)
    _channel_sums[grid](maps, sums, positions, inner, *strides, channels, parts, sums.stride(0),
                        passes, ROWS=rows, COLUMNS=columns)  # fmt: skip
    return sums


@triton.jit(do_not_specialize=["count", "parts", "channels", "width", "squares_at"])
def _norm_factors(sums, weight, bias, shift, factor, offset, count, eps, parts, channels, width, squares_at,
                  SHIFT: tl.constexpr, PARTS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    group = tl.program_id(0)
    item = tl.program_id(1)
    lane = tl.arange(0, COLUMNS)
    column = group * width + lane
    inside = lane < width
    total = tl.zeros((PARTS, COLUMNS), tl.float32)
    square = tl.zeros((PARTS, COLUMNS), tl.float32)
    for index in range(tl.cdiv(parts, PARTS)):
        part = index * PARTS + tl.arange(0, PARTS)
        mask = (part < parts)[:, None] & inside[None, :]
        at = sums + (item * parts + part)[:, None] * channels + column[None, :]
        total += tl.load(at, mask=mask, other=0.0)
        square += tl.load(at + squares_at, mask=mask, other=0.0)
    added = tl.zeros((COLUMNS,), tl.float32)
    sum_of = tl.sum(total, 0)
    square_of = tl.sum(square, 0)
    if SHIFT:
        added = tl.load(shift + column, mask=inside, other=0.0).to(tl.float32)
        square_of += added * (2 * sum_of + count * added)
        sum_of += count * added
    mean = tl.sum(sum_of, 0) / (count * width)
    spread = tl.rsqrt(tl.maximum(tl.sum(square_of, 0) / (count * width) - mean * mean, 0.0) + eps)
    scale = spread * tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    moved = tl.load(bias + column, mask=inside, other=0.0).to(tl.float32) - (mean - added) * scale
    tl.store(factor + item * channels + column, scale.to(factor.dtype.element_ty), mask=inside)
    tl.store(offset + item * channels + column, moved.to(offset.dtype.element_ty), mask=inside)


def norm_factors(
    sums: Sums, count: int, weight: Tensor, bias: Tensor, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """See `plain.norm_factors`."""
    sums = sums.sum(2, keepdim=True) if sums.shape[2] > _MOST_PARTS else sums
    _, items, parts, channels = sums.shape
    factor, offset = (torch.empty(items, channels, dtype=weight.dtype, device=sums.device) for _ in range(2))
    columns = max(128, triton.next_power_of_2(channels // GROUPS))
    _norm_factors[(GROUPS, items)](
        sums, weight, bias, weight if shift is None else shift, factor, offset, float(count), eps, parts, channels,
        channels // GROUPS, sums.stride(0), SHIFT=shift is not None, PARTS=16, COLUMNS=columns)  # fmt: skip
    return factor, offset


@triton.jit(do_not_specialize=["positions", "inner"])
def _scale_shift(source, factor, offset, target, positions, inner, item_stride, outer_stride, inner_stride, channels,
                 SILU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    item = tl.program_id(2)
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    mask = (row[:, None] < positions) & inside[None, :]
    start = source + item.to(tl.int64) * item_stride
    at = (row // inner).to(tl.int64) * outer_stride + (row % inner) * inner_stride
    value = tl.load(start + at[:, None] + column[None, :], mask=mask).to(tl.float32)
    scale = tl.load(factor + item * channels + column, mask=inside).to(tl.float32)
    shift = tl.load(offset + item * channels + column, mask=inside).to(tl.float32)
    value = value * scale[None, :] + shift[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    to = (item.to(tl.int64) * positions + row[:, None]) * channels + column[None, :]
    tl.store(target + to, value.to(target.dtype.element_ty), mask=mask)


def scale_shift(maps: Tensor, factor: Tensor, offset: Tensor, *, silu: bool, into: Tensor | None = None) -> Tensor:
    """See `plain.scale_shift`."""
    target = torch.empty(maps.shape, dtype=maps.dtype, device=maps.device) if into is None else into
    items, positions, inner, strides = strided(maps)
    channels = maps.shape[-1]
    rows, columns = tile(channels)
    grid = (triton.cdiv(positions, rows), triton.cdiv(channels, columns), items)
    _scale_shift[grid](maps, factor, offset, target, positions, inner, *strides, channels,
                       SILU=silu, ROWS=rows, COLUMNS=columns)  # fmt: skip
    return target


@triton.jit(do_not_specialize=["positions", "parts", "passes"])
def _add(maps, more, bias, target, sums, positions, maps_stride, more_stride, target_stride, channels, parts,
         squares_at, passes, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    part = tl.program_id(0)
    item = tl.program_id(2).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = column < channels
    added = tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    square = tl.zeros((ROWS, COLUMNS), tl.float32)
    for index in range(passes):
        row = (part * passes + index) * ROWS + tl.arange(0, ROWS)
        mask = (row[:, None] < positions) & inside[None, :]
        at = row[:, None] * channels + column[None, :]
        value = tl.load(more + item * more_stride + at, mask=mask, other=0.0).to(tl.float32) + added[None, :]
        value += tl.load(maps + item * maps_stride + at, mask=mask, other=0.0).to(tl.float32)
        rounded = value.to(target.dtype.element_ty)
        tl.store(target + item * target_stride + at, rounded, mask=mask)
        value = tl.where(mask, rounded.to(tl.float32), 0.0)
        total += value
        square += value * value
    to = sums + (item * parts + part) * channels + column
    tl.store(to, tl.sum(total, 0), mask=inside)
    tl.store(to + squares_at, tl.sum(square, 0), mask=inside)


def add(maps: Tensor, more: Tensor, bias: Tensor, into: Tensor) -> Sums:
    """See `plain.add`."""
    items, positions, channels = maps.shape
    rows, columns, passes, parts = passes_over(positions, channels)
    sums = new_sums(maps, items, parts)
    grid = (parts, triton.cdiv(channels, columns), items)
    _add[grid](maps, more, bias, into, sums, positions, maps.stride(0), more.stride(0), into.stride(0), channels,
               parts, sums.stride(0), passes, ROWS=rows, COLUMNS=columns)  # fmt: skip
    return sums


@triton.jit(do_not_specialize=["count", "middle", "inner", "first_every", "first_count"])
def _add_norm(source, first, then, weight, bias, target, normed, count, middle, inner, outer_stride, middle_stride,
              inner_stride, first_every, first_count, channels, eps, FIRST: tl.constexpr, THEN: tl.constexpr,
              STORE: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    inside = column < channels
    mask = (row[:, None] < count) & inside[None, :]
    outer = row // (middle * inner)
    at = outer.to(tl.int64) * outer_stride + ((row // inner) % middle) * middle_stride + (row % inner) * inner_stride
    value = tl.load(source + at[:, None] + column[None, :], mask=mask, other=0.0).to(tl.float32)
    to = row.to(tl.int64)[:, None] * channels + column[None, :]
    if FIRST:
        which = (row // first_every) % first_count
        value += tl.load(first + which[:, None] * channels + column[None, :], mask=mask, other=0.0).to(tl.float32)
    if STORE:
        stored = value
        if THEN:
            stored = value + tl.load(then + column, mask=inside, other=0.0).to(tl.float32)[None, :]
        tl.store(target + to, stored.to(target.dtype.element_ty), mask=mask)
    mean = tl.sum(value, 1) / channels
    value = tl.where(mask, value - mean[:, None], 0.0)
    spread = tl.rsqrt(tl.sum(value * value, 1) / channels + eps)
    scale = tl.load(weight + column, mask=inside, other=0.0).to(tl.float32)
    shift = tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)
    value = value * spread[:, None] * scale[None, :] + shift[None, :]
    tl.store(normed + to, value.to(normed.dtype.element_ty), mask=mask)


def add_norm(
    rows: Tensor,
    weight: Tensor,
    bias: Tensor,
    *,
    first: Tensor | None = None,
    then: Tensor | None = None,
    copy: bool = False,
) -> tuple[Tensor, Tensor]:
    """See `plain.add_norm`."""
    outer, middle, inner, channels = rows.shape
    count = outer * middle * inner
    stores = copy or first is not None or then is not None
    target = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device) if copy else rows
    normed = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
    every, different = (1, 1) if first is None else _repeats(rows, first)
    columns = triton.next_power_of_2(channels)
    tall = max(1, 4096 // columns)
    _add_norm[(triton.cdiv(count, tall),)](
        rows, rows if first is None else first, rows if then is None else then, weight, bias, target, normed,
        count, middle, inner, rows.stride(0), rows.stride(1), rows.stride(2), every, different, channels, 1e-5,
        FIRST=first is not None, THEN=then is not None, STORE=stores, ROWS=tall, COLUMNS=columns,
        num_warps=8)  # fmt: skip
    return target, normed


def _repeats(rows: Tensor, first: Tensor) -> tuple[int, int]:
    """Return after how many rows the next row of `first` follows, and after how many of those it begins again."""
    last = max((axis for axis in range(3) if first.shape[axis] != 1), default=0)
    every = 1
    for size in rows.shape[last + 1 : 3]:
        every *= size
    return every, first.numel() // first.shape[-1]
