"""Run a layer's two halves over a whole clip in chunks: frames for the spatial half, pixels for the temporal half.

Tested in tests/generator/model/lean/test_chunks.py and tests/generator/model/lean/test_unet.py.
"""

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
    """The functions that compute a chunk: the eager ones of `layers`, or compiled ones of the same names."""

    spatial_resnet: ChunkFunction = layers.spatial_resnet
    temporal_first: ChunkFunction = layers.temporal_first
    temporal_second: ChunkFunction = layers.temporal_second
    spatial_transformer: ChunkFunction = layers.spatial_transformer
    temporal_transformer: ChunkFunction = layers.temporal_transformer
    pixel_attention: ChunkFunction = layers.pixel_attention
    project_out: ChunkFunction = layers.project_out


def even_chunks(total: int, most: int) -> Iterator[slice]:
    """Cut `total` rows into chunks of at most `most`.

    All chunks have one size if that needs at most half as many chunks again: one size is one shape to compile.
    """
    count = -(-total // max(1, min(most, total)))
    alike = next((more for more in range(count, count + count // 2 + 1) if total % more == 0), count)
    size = -(-total // alike)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def run_chunks(total: int, most: int, compute: Callable[[slice], Tensor]) -> Tensor:
    """Compute each chunk of `total` rows and return the results, joined on the first dimension.

    A single chunk's result is returned as it is, without a copy.
    """
    gathered = None
    for chunk in even_chunks(total, most):
        out = compute(chunk)
        if len(out) == total:
            return out
        if gathered is None:
            gathered = out.new_empty((total, *out.shape[1:]))
        gathered[chunk] = out
        del out
    assert gathered is not None
    return gathered


def fill_chunks(
    shape: Sequence[int], most: int, compute: Callable[[slice, Tensor | None], Tensor], like: Tensor
) -> Tensor:
    """Return a new tensor of `shape`, with the dtype and device of `like`, that `compute` has filled chunk by chunk.

    `compute` writes a chunk into the view that it is passed, which saves a copy. A single chunk is passed None, and
    its result is returned as it is.
    """
    chunks = list(even_chunks(shape[0], most))
    if len(chunks) == 1:
        return compute(chunks[0], None)
    filled = like.new_empty(shape)
    for chunk in chunks:
        compute(chunk, filled[chunk])
    return filled


@dataclass(frozen=True, slots=True)
class Resnet:
    """What a spatio-temporal resnet computes, apart from its weights."""

    eps: float
    """of the spatial half's norms"""
    temporal_eps: float
    upscale: bool = False
    """double the maps' sides first"""


def run_resnet(
    functions: ChunkFunctions,
    resnet: Resnet,
    weights: LayerWeights,
    given: list[Tensor],
    times: tuple[Tensor, Tensor],
    frames: int,
    most: int,
) -> Tensor:
    """Run a spatio-temporal resnet of the UNet over clips of `frames`, at most `most` frames at once.

    `given` holds the maps and, where there is one, the skip, each (items * frames) x height x width x channels. It is
    emptied, so that they are freed as early as possible. `times` is the embedding of the step's time, projected for
    the spatial and the temporal half, each a vector of channels. Returns the new maps.
    """
    out, sums = _run_spatial(functions, resnet, weights, given, times[0], most)
    given.clear()
    total, squares = (each.unflatten(0, (-1, frames)).sum(1) for each in sums)
    return _run_temporal(functions, resnet, weights, out, (total, squares), times[1], frames, most)


def _run_spatial(
    functions: ChunkFunctions, resnet: Resnet, weights: LayerWeights, given: list[Tensor], time: Tensor, most: int
) -> tuple[Tensor, Sums]:
    maps, skip = given if len(given) == 2 else (given[0], None)
    sums: list[Sums] = []

    def spatial(chunk: slice, into: Tensor | None) -> Tensor:
        above = None if skip is None else skip[chunk]
        out: Tensor
        out, total, squares = functions.spatial_resnet(
            maps[chunk], above, time, weights, resnet.eps, resnet.upscale, into=into
        )
        sums.append((total, squares))
        return out

    shape = (*given[-1].shape[:3], weights["conv2.weight"].shape[0])
    out = fill_chunks(shape, most, spatial, maps)
    total, squares = (torch.cat(each) for each in zip(*sums, strict=True))
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
    """Blend the temporal resnet into the maps, in place."""
    clip = maps.unflatten(0, (-1, frames)).flatten(2, 3)
    items, _, pixels, _ = clip.shape
    chunks = list(even_chunks(pixels, max(1, pixels * most // (items * frames))))
    factors = temporal_norm(weights, 1, sums, frames * pixels, resnet.temporal_eps)
    inners: list[Tensor] = []
    inner_sums: list[Sums] = []
    for chunk in chunks:
        inner, total, squares = functions.temporal_first(clip[:, :, chunk], *factors, weights)
        inners.append(inner)
        inner_sums.append((total, squares))
        del inner
    total, squares = (torch.stack(each).sum(0) for each in zip(*inner_sums, strict=True))
    shift = weights["temporal.conv1.bias"] + time
    inner_factors = temporal_norm(weights, 2, (total, squares), frames * pixels, resnet.temporal_eps, shift)
    for chunk in chunks:
        functions.temporal_second(clip[:, :, chunk], inners.pop(0), *inner_factors, weights)
    return maps


def temporal_norm(
    weights: LayerWeights, which: int, sums: Sums, count: int, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the factor and offset (items x channels) of the temporal resnet's first or second group norm.

    `sums` are the whole clip's, over `count` = frames * pixels positions; `shift` as in `layers.norm_factors`.
    """
    name = f"temporal.norm{which}"
    return layers.norm_factors(sums, count, weights[f"{name}.weight"], weights[f"{name}.bias"], eps, shift)


@dataclass(frozen=True, slots=True)
class Constants:
    """What one transformer computes once per clip, from the weights that are folded away."""

    spatial: Tensor
    """items x channels: the result of the spatial cross-attention, the same for every pixel"""
    temporal: Tensor
    """items x channels: the result of the temporal cross-attention, the same for every frame"""
    positions: Tensor
    """frames x channels: the embedding of the frames' numbers"""

    def of(self, item: int | None) -> Constants:
        """Return the constants of one item alone, or of all for None."""
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
    """Run a spatio-temporal transformer over clips of `frames`, at most `most` frames at once.

    `maps` is (items * frames) x height x width x channels. It is changed in place and returned.
    """
    cross = constants.spatial.repeat_interleave(frames, 0)[:, None]

    def spatial(chunk: slice, into: Tensor | None) -> Tensor:
        out: Tensor = functions.spatial_transformer(maps[chunk], cross[chunk], weights, heads, into=into)
        return out

    rows = fill_chunks(maps.flatten(1, 2).shape, most, spatial, maps)
    clip, inner = (tensor.unflatten(0, (-1, frames)) for tensor in (maps.flatten(1, 2), rows))
    items, _, pixels, _ = clip.shape
    for chunk in even_chunks(pixels, max(1, pixels * most // (items * frames))):
        functions.temporal_transformer(
            clip[:, :, chunk], inner[:, :, chunk], constants.positions, constants.temporal[:, None], weights, heads
        )
    return maps
