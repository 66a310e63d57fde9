"""How the kernels cut tensors into tiles.

Tested in tests/generator/model/lean/fused/test_kernels.py.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import triton
from torch import Tensor

from generator.model.lean.fused.plain import Sums


def strided(maps: Tensor) -> tuple[int, int, int, tuple[int, int, int]]:
    """Return items, positions, positions of the innermost dimension, and the strides of those three dimensions."""
    if maps.ndim == 3:
        items, inner, _ = maps.shape
        return items, inner, inner, (maps.stride(0), 0, maps.stride(1))
    items, outer, inner, _ = maps.shape
    return items, outer * inner, inner, (maps.stride(0), maps.stride(1), maps.stride(2))


def tile(channels: int) -> tuple[int, int]:
    """Return the rows and columns of a tile of 4096 elements whose width suits that many channels."""
    columns = 64 if channels % 64 == 0 else 32
    return 4096 // columns, columns


def passes_over(positions: int, channels: int) -> tuple[int, int, int, int]:
    """Return a tile's rows and columns, how many of them one program adds up, and how many programs there are."""
    rows, columns = tile(channels)
    passes = max(1, min(16, positions // (8 * rows)))
    return rows, columns, passes, triton.cdiv(positions, passes * rows)


def product_tile(count: int, columns: int, depth: int) -> tuple[int, int, int]:
    """Return rows, columns and depth of a product's tile for that many rows, columns and depth."""
    return (
        min(128, max(16, triton.next_power_of_2(count))),
        min(128, max(16, triton.next_power_of_2(columns))),
        min(64, max(16, triton.next_power_of_2(depth))),
    )


def stages(like: Tensor, elements: int) -> int:
    """Return how many loads of a product's tiles can be under way in a card's shared memory."""
    room = _shared_memory(like.device.index or 0) if like.is_cuda else 2**16
    return max(1, min(3, room // (elements * like.element_size())))


@functools.cache
def _shared_memory(index: int) -> int:
    facts: Any = torch.cuda.get_device_properties(index)
    return int(getattr(facts, "shared_memory_per_block_optin", 2**16))


def new_sums(like: Tensor, items: int, parts: int) -> Sums:
    """Return room for the sums of `like`'s channels."""
    return torch.empty(2, items, parts, like.shape[-1], dtype=torch.float32, device=like.device)
