# ruff: noqa: N803 - Triton's constants are written in capitals, as everywhere in its own code
"""Triton kernels that mix a clip's frames, and the gate of the feed-forward.

See `kernels` for what all of them have in common.

Tested in tests/generator/model/lean/fused/test_kernels.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
import triton
import triton.language as tl
from torch import Tensor

from generator.model.lean.fused import plain
from generator.model.lean.fused.norms import channel_sums
from generator.model.lean.fused.plain import Sums
from generator.model.lean.fused.tiles import new_sums, product_tile, stages, tile

MOST_CONVOLVED = 640
"""channels up to which `frame_conv` is faster than cuDNN on an H200: 1.5 times with 640, 3 times with 128"""

MOST_FRAMES = 64
"""that one program of `frame_attention` can attend over: their scores are held in registers"""


@triton.jit(do_not_specialize=["frames", "pixels", "parts", "steps"])
def _frame_conv(source, weight, bias, mix, target, sums, frames, pixels, item_stride, frame_stride, wide, tall, parts,
                squares_at, steps, BLEND: tl.constexpr, EVEN: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
                DEPTH: tl.constexpr):  # fmt: skip
    blocks = tl.cdiv(tall, COLUMNS)
    block = tl.program_id(0) // blocks
    at_frame = tl.program_id(1)
    frame = at_frame % frames
    row = block * ROWS + tl.arange(0, ROWS)
    column = (tl.program_id(0) % blocks) * COLUMNS + tl.arange(0, COLUMNS)
    depth = tl.arange(0, DEPTH)
    real = row < pixels
    inside = column < tall
    here = source + (at_frame.to(tl.int64) * pixels + row)[:, None] * wide
    filters = weight + column[None, :] * (3 * wide)
    result = tl.zeros((ROWS, COLUMNS), tl.float32)
    for index in range(3 * steps):
        tap = index // steps
        k = (index - tap * steps) * DEPTH + depth
        other = frame + tap - 1
        left = (row < tl.where((other >= 0) & (other < frames), pixels, 0))[:, None]  # frames beyond the ends are zero
        right = inside[None, :]
        if not EVEN:
            left = left & (k < wide)[None, :]
            right = right & (k < wide)[:, None]
        value = tl.load(here + (tap - 1) * pixels * wide + k[None, :], mask=left, other=0.0)
        kernel = tl.load(filters + tap * wide + k[:, None], mask=right, other=0.0)
        result = tl.dot(value, kernel, result, input_precision="ieee")
    mask = real[:, None] & inside[None, :]
    if BLEND:
        result += tl.load(bias + column, mask=inside, other=0.0).to(tl.float32)[None, :]
        to = target + (at_frame // frames).to(tl.int64) * item_stride + frame.to(tl.int64) * frame_stride
        to += row[:, None] * tall + column[None, :]
        result = tl.load(to, mask=mask, other=0.0).to(tl.float32) + result * tl.load(mix).to(tl.float32)
    else:
        to = target + (at_frame.to(tl.int64) * pixels + row)[:, None] * tall + column[None, :]
    rounded = result.to(target.dtype.element_ty)
    tl.store(to, rounded, mask=mask)
    result = tl.where(mask, rounded.to(tl.float32), 0.0)
    to_sums = sums + (at_frame * parts + block) * tall + column
    tl.store(to_sums, tl.sum(result, 0), mask=inside)
    tl.store(to_sums + squares_at, tl.sum(result * result, 0), mask=inside)


def frame_conv(clips: Tensor, weight: Tensor) -> tuple[Tensor, Sums]:
    """See `plain.frame_conv`."""
    if weight.shape[0] > MOST_CONVOLVED:
        out = plain.convolve_frames(clips, weight)
        return out, channel_sums(out)
    out = torch.empty(*clips.shape[:3], weight.shape[0], dtype=clips.dtype, device=clips.device)
    sums = _convolve(clips, weight, None, None, out)
    return out, sums.view(2, len(clips), -1, sums.shape[-1])


def blend_frame_conv(clips: Tensor, weight: Tensor, bias: Tensor, mix: Tensor, into: Tensor) -> Sums:
    """See `plain.blend_frame_conv`."""
    if weight.shape[0] > MOST_CONVOLVED:
        into.addcmul_(plain.convolve_frames(clips, weight, bias), mix)
        return channel_sums(into.view(-1, *into.shape[2:]))
    return _convolve(clips, weight, bias, mix, into)


def _convolve(clips: Tensor, weight: Tensor, bias: Tensor | None, mix: Tensor | None, into: Tensor) -> Sums:
    items, frames, pixels, wide = clips.shape
    tall = weight.shape[0]
    rows, columns, depth = product_tile(pixels, tall, wide)
    parts = triton.cdiv(pixels, rows)
    sums = new_sums(into, items * frames, parts)
    _frame_conv[(parts * triton.cdiv(tall, columns), items * frames)](
        clips, weight, weight if bias is None else bias, weight if mix is None else mix, into, sums, frames, pixels,
        into.stride(0), into.stride(1), wide, tall, parts, sums.stride(0), triton.cdiv(wide, depth),
        BLEND=bias is not None, EVEN=wide % depth == 0, ROWS=rows, COLUMNS=columns, DEPTH=depth, num_warps=4,
        num_stages=stages(clips, (rows + columns) * depth))  # fmt: skip
    return sums


@triton.jit(do_not_specialize=["count"])
def _gate(hidden, count, width, stride, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    row = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    mask = (row[:, None] < count) & (column[None, :] < width)
    at = hidden + row[:, None] * stride + column[None, :]
    value = tl.load(at, mask=mask).to(tl.float32)
    gate = tl.load(at + width, mask=mask).to(tl.float32)
    gate = 0.5 * gate * (1 + tl.erf(gate * 0.7071067811865476))
    tl.store(at, (gate * value).to(hidden.dtype.element_ty), mask=mask)


def gated(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """See `plain.gated`. The gate as part of the product was tried and gained nothing: cuBLAS's product is too fast."""
    hidden = F.linear(rows, weight, bias)
    count, width = hidden.shape[0], hidden.shape[1] // 2
    grid = (triton.cdiv(count, 16), triton.cdiv(width, 256))
    _gate[grid](hidden, count, width, hidden.stride(0), ROWS=16, COLUMNS=256, num_warps=8)
    return hidden[:, :width]


@triton.jit(do_not_specialize=["frames", "pixels"])
def _blend_back(clips, spatial, mix, target, frames, pixels, outer_stride, frame_stride, channels,
                ROWS: tl.constexpr, COLUMNS: tl.constexpr):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    item = tl.program_id(2).to(tl.int64)
    positions = frames * pixels
    mask = (row[:, None] < positions) & (column[None, :] < channels)
    frame = row // pixels
    pixel = row % pixels
    share = tl.load(mix).to(tl.float32)
    there = item * positions * channels + (pixel * frames + frame)[:, None] * channels + column[None, :]
    at = item * outer_stride + frame.to(tl.int64)[:, None] * frame_stride + pixel[:, None] * channels + column[None, :]
    temporal = tl.load(clips + there, mask=mask).to(tl.float32)
    still = tl.load(spatial + at, mask=mask).to(tl.float32)
    value = temporal * share + still * (1 - share)
    to = (item * positions + row[:, None]) * channels + column[None, :]
    tl.store(target + to, value.to(target.dtype.element_ty), mask=mask)


def blend_back(clips: Tensor, spatial: Tensor, mix: Tensor) -> Tensor:
    """See `plain.blend_back`."""
    items, frames, pixels, channels = spatial.shape
    target = torch.empty(spatial.shape, dtype=spatial.dtype, device=spatial.device)
    rows, columns = tile(channels)
    grid = (triton.cdiv(frames * pixels, rows), triton.cdiv(channels, columns), items)
    _blend_back[grid](clips, spatial, mix, target, frames, pixels, spatial.stride(0), spatial.stride(1), channels,
                      ROWS=rows, COLUMNS=columns)  # fmt: skip
    return target


@triton.jit(do_not_specialize=["frames", "heads"])
def _frame_attention(joint, target, frames, heads, scale, WIDTH: tl.constexpr, PADDED: tl.constexpr):
    batch = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    frame = tl.arange(0, PADDED)
    lane = tl.arange(0, WIDTH)
    row = heads * WIDTH
    mask = (frame < frames)[:, None]
    at = joint + batch * frames * 3 * row + head * WIDTH + frame[:, None] * (3 * row) + lane[None, :]
    query = tl.load(at, mask=mask, other=0.0)
    key = tl.load(at + row, mask=mask, other=0.0)
    value = tl.load(at + 2 * row, mask=mask, other=0.0)
    scores = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    scores = tl.where((frame < frames)[None, :], scores, float("-inf"))
    scores = tl.exp(scores - tl.max(scores, 1)[:, None])
    total = tl.sum(scores, 1)
    mixed = tl.dot(scores.to(value.dtype), value, input_precision="ieee") / total[:, None]
    to = target + batch * frames * row + head * WIDTH + frame[:, None] * row + lane[None, :]
    tl.store(to, mixed.to(target.dtype.element_ty), mask=mask)


def frame_attention(joint: Tensor, heads: int) -> Tensor:
    """See `plain.frame_attention`, which computes it where there are more than `MOST_FRAMES` frames or odd heads."""
    batch, frames, three = joint.shape
    width = three // 3 // heads
    if frames > MOST_FRAMES or width not in (16, 32, 64, 128):
        return plain.frame_attention(joint, heads)
    target = torch.empty(batch, frames, heads * width, dtype=joint.dtype, device=joint.device)
    padded = max(16, triton.next_power_of_2(frames))
    _frame_attention[(batch, heads)](joint, target, frames, heads, width**-0.5, WIDTH=width, PADDED=padded,
                                     num_warps=2 if padded > 32 else 1)  # fmt: skip
    return target
