"""Run a layer's two halves over a whole clip in chunks: frames for what is spatial, pixels for what is temporal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from generator.model.lean import layers
from generator.model.lean.layers import Sums
from generator.model.lean.pack import LayerWeights

ChunkFunction = Callable[..., Any]
Check = Callable[[], None]
"""called between layers; raises Cancelled when the render is to be left"""


@dataclass(slots=True)
class ChunkFunctions:
    """The functions a chunk goes through: eager as they stand, or compiled ones of the same names."""

    spatial_resnet: ChunkFunction = layers.spatial_resnet
    temporal_first: ChunkFunction = layers.temporal_first
    temporal_second: ChunkFunction = layers.temporal_second
    spatial_transformer: ChunkFunction = layers.spatial_transformer
    temporal_transformer: ChunkFunction = layers.temporal_transformer
    pixel_attention: ChunkFunction = layers.pixel_attention
    project_out: ChunkFunction = layers.project_out


def even_chunks(total: int, most: int) -> Iterator[slice]:
    """Cut `total` into chunks of at most `most`, all alike where that costs at most half as many again.

    Chunks of one size are one shape to compile.
    """
    count = -(-total // max(1, min(most, total)))
    alike = next((more for more in range(count, count + count // 2 + 1) if total % more == 0), count)
    size = -(-total // alike)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def run_chunks(total: int, most: int, compute: Callable[[slice], Tensor]) -> Tensor:
    """Collect `compute` of every chunk in a new tensor; a single chunk is given back as it is, without a copy."""
    gathered = None
    for part in even_chunks(total, most):
        out = compute(part)
        if len(out) == total:
            return out
        if gathered is None:
            gathered = out.new_empty((total, *out.shape[1:]))
        gathered[part] = out
        del out
    assert gathered is not None
    return gathered


def fill_chunks(
    shape: Sequence[int], most: int, compute: Callable[[slice, Tensor | None], Tensor], like: Tensor
) -> Tensor:
    """Have `compute` put every chunk in its place of a new tensor, which saves a copy of it.

    A single chunk is given no place, and is given back as it is.
    """
    parts = list(even_chunks(shape[0], most))
    if len(parts) == 1:
        return compute(parts[0], None)
    filled = like.new_empty(shape)
    for part in parts:
        compute(part, filled[part])
    return filled


@dataclass(frozen=True, slots=True)
class Resnet:
    """A spatio-temporal resnet's shape-free facts."""

    eps: float
    temporal_eps: float
    upscale: bool = False


def run_resnet(
    functions: ChunkFunctions,
    resnet: Resnet,
    weights: LayerWeights,
    given: list[Tensor],
    times: tuple[Tensor, Tensor],
    frames: int,
    most: int,
) -> Tensor:
    """Run a spatio-temporal resnet of the UNet over a clip of `frames`, `most` frames' worth at once.

    `given` holds the maps and, above a skip, the skip; it is emptied so that they are freed as soon as may be.
    """
    out, sums = _run_spatial(functions, resnet, weights, given, times[0], most)
    given.clear()
    total, squares = (part.unflatten(0, (-1, frames)).sum(1) for part in sums)
    return _run_temporal(functions, resnet, weights, out, (total, squares), times[1], frames, most)


def _run_spatial(
    functions: ChunkFunctions, resnet: Resnet, weights: LayerWeights, given: list[Tensor], time: Tensor, most: int
) -> tuple[Tensor, Sums]:
    maps, skip = given if len(given) == 2 else (given[0], None)
    sums: list[Sums] = []

    def spatial(part: slice, into: Tensor | None) -> Tensor:
        above = None if skip is None else skip[part]
        out: Tensor
        out, total, squares = functions.spatial_resnet(
            maps[part], above, time, weights, resnet.eps, resnet.upscale, into=into
        )
        sums.append((total, squares))
        return out

    shape = (*given[-1].shape[:3], weights["conv2.weight"].shape[0])
    out = fill_chunks(shape, most, spatial, maps)
    total, squares = (torch.cat(part) for part in zip(*sums, strict=True))
    return out, (total, squares)


def _run_temporal(
    functions: ChunkFunctions,
    resnet: Resnet,
    weights: LayerWeights,
    maps: Tensor,
    sums: Sums,
    time: Tensor,
    frames: int,
    most: int,
) -> Tensor:
    """Blend the temporal resnet into the maps."""
    clip = maps.unflatten(0, (-1, frames)).flatten(2, 3)
    items, _, pixels, _ = clip.shape
    parts = list(even_chunks(pixels, max(1, pixels * most // (items * frames))))
    factors = temporal_norm(weights, 1, sums, frames * pixels, resnet.temporal_eps)
    inners: list[Tensor] = []
    inner_sums: list[Sums] = []
    for part in parts:
        inner, total, squares = functions.temporal_first(clip[:, :, part], *factors, weights)
        inners.append(inner)
        inner_sums.append((total, squares))
        del inner
    total, squares = (torch.stack(part).sum(0) for part in zip(*inner_sums, strict=True))
    shift = weights["temporal.conv1.bias"] + time
    inner_factors = temporal_norm(weights, 2, (total, squares), frames * pixels, resnet.temporal_eps, shift)
    for part in parts:
        functions.temporal_second(clip[:, :, part], inners.pop(0), *inner_factors, weights)
    return maps


def temporal_norm(
    weights: LayerWeights, which: int, sums: Sums, count: int, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Give a temporal group norm's factor and offset from the whole clip's channel sums."""
    name = f"temporal.norm{which}"
    return layers.norm_factors(sums, count, weights[f"{name}.weight"], weights[f"{name}.bias"], eps, shift)


@dataclass(frozen=True, slots=True)
class Constants:
    """What a transformer's folded parts come to for one clip."""

    spatial: Tensor
    """items x channels: the spatial cross-attention"""
    temporal: Tensor
    """items x channels: the temporal cross-attention"""
    positions: Tensor
    """frames x channels: the embedding of the frames' numbers"""

    def of(self, item: int | None) -> Constants:
        """Give one item's constants alone, or all."""
        if item is None:
            return self
        return Constants(self.spatial[item : item + 1], self.temporal[item : item + 1], self.positions)


def run_transformer(
    functions: ChunkFunctions,
    heads: int,
    weights: LayerWeights,
    maps: Tensor,
    constants: Constants,
    frames: int,
    most: int,
) -> Tensor:
    """Run a spatio-temporal transformer over a clip, `most` frames' worth at once, in place."""
    cross = constants.spatial.repeat_interleave(frames, 0)[:, None]

    def spatial(part: slice, into: Tensor | None) -> Tensor:
        out: Tensor = functions.spatial_transformer(maps[part], cross[part], weights, heads, into=into)
        return out

    rows = fill_chunks(maps.flatten(1, 2).shape, most, spatial, maps)
    clip, inner = (tensor.unflatten(0, (-1, frames)) for tensor in (maps.flatten(1, 2), rows))
    items, _, pixels, _ = clip.shape
    for part in even_chunks(pixels, max(1, pixels * most // (items * frames))):
        functions.temporal_transformer(
            clip[:, :, part], inner[:, :, part], constants.positions, constants.temporal[:, None], weights, heads
        )
    return maps
