"""Run a layer's two halves over a whole clip in chunks: frames for the spatial half, pixels for the temporal half.

Tested in tests/generator/model/lean/test_chunks.py and tests/generator/model/lean/test_unet.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from generator.model.lean import layers
from generator.model.lean.fused.choice import operations
from generator.model.lean.fused.plain import Sums
from generator.model.lean.pack import LayerWeights

Check = Callable[[], None]
"""called between layers; raises Cancelled when the render is to be left"""


@dataclass(frozen=True, slots=True)
class Summed:
    """Maps, frames x height x width x channels, and their sums."""

    maps: Tensor
    sums: Sums | None = None
    """per frame, where the layer before has added them up anyway"""


def even_chunks(total: int, most: int) -> Iterator[slice]:
    """Cut `total` rows into chunks of at most `most`.

    All chunks have one size if that needs at most half as many chunks again: kernels are chosen for each size.
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
    resnet: Resnet, weights: LayerWeights, given: list[Summed], times: tuple[Tensor, Tensor], frames: int, most: int
) -> Summed:
    """Run a spatio-temporal resnet of the UNet over clips of `frames`, at most `most` frames at once.

    `given` holds the maps and, where there is one, the skip, of items * frames each. It is emptied, so that they are
    freed as early as possible. `times` is the embedding of the step's time, projected for the spatial and the temporal
    half, each a vector of channels. Returns the new maps.
    """
    out, sums = _run_spatial(resnet, weights, given, times[0], most)
    given.clear()
    return Summed(out, _run_temporal(resnet, weights, out, of_clips(sums, frames), times[1], frames, most))


def of_clips(sums: Sums, frames: int) -> Sums:
    """Return the sums of each clip from those of each of its frames."""
    clips: Sums = sums.unflatten(1, (-1, frames))
    return clips.flatten(2, 3)


def _run_spatial(
    resnet: Resnet, weights: LayerWeights, given: list[Summed], time: Tensor, most: int
) -> tuple[Tensor, Sums]:
    maps, skip = given[0].maps, given[1].maps if len(given) == 2 else None
    known = None if resnet.upscale else _joined_sums(given)
    sums: list[Sums] = []

    def spatial(chunk: slice, into: Tensor | None) -> Tensor:
        above = None if skip is None else skip[chunk]
        before = None if known is None else known[:, chunk]
        out, new = layers.spatial_resnet(
            maps[chunk], above, before, time, weights, resnet.eps, resnet.upscale, into=into
        )
        sums.append(new)
        return out

    shape = (*given[-1].maps.shape[:3], weights["conv2.weight"].shape[0])
    out = fill_chunks(shape, most, spatial, maps)
    return out, torch.cat(sums, 1)


def _joined_sums(given: list[Summed]) -> Sums | None:
    """Return the sums of the given maps, joined on their channels, or None where some are not known."""
    if len(given) == 1:
        return given[0].sums
    known = [each.sums.sum(2, keepdim=True) for each in given if each.sums is not None]
    return torch.cat(known, -1) if len(known) == len(given) else None


def _run_temporal(
    resnet: Resnet, weights: LayerWeights, maps: Tensor, sums: Sums, time: Tensor, frames: int, most: int
) -> Sums:
    """Blend the temporal resnet into the maps, in place. Returns their new sums."""
    clip = maps.unflatten(0, (-1, frames)).flatten(2, 3)
    items, _, pixels, _ = clip.shape
    chunks = list(even_chunks(pixels, max(1, pixels * most // (items * frames))))
    factors = temporal_norm(weights, 1, sums, frames * pixels, resnet.temporal_eps)
    inners: list[Tensor] = []
    inner_sums: list[Sums] = []
    for chunk in chunks:
        inner, part = layers.temporal_first(clip[:, :, chunk], *factors, weights)
        inners.append(inner)
        inner_sums.append(part)
        del inner
    shift = weights["temporal.conv1.bias"] + time
    inner_factors = temporal_norm(weights, 2, torch.cat(inner_sums, 2), frames * pixels, resnet.temporal_eps, shift)
    return torch.cat(
        [layers.temporal_second(clip[:, :, chunk], inners.pop(0), *inner_factors, weights) for chunk in chunks], 2
    )


def temporal_norm(
    weights: LayerWeights, which: int, sums: Sums, count: int, eps: float, shift: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the factor and offset (items x channels) of the temporal resnet's first or second group norm.

    `sums` are the whole clip's, over `count` = frames * pixels positions; `shift` as in `plain.norm_factors`.
    """
    name = f"temporal.norm{which}"
    return operations(sums).norm_factors(sums, count, weights[f"{name}.weight"], weights[f"{name}.bias"], eps, shift)


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
    heads: int, weights: LayerWeights, given: Summed, constants: Constants, frames: int, most: int
) -> Summed:
    """Run a spatio-temporal transformer over clips of `frames`, at most `most` frames at once.

    The maps, items * frames of them, are changed in place and returned.
    """
    maps, sums = given.maps, given.sums
    cross = constants.spatial.repeat_interleave(frames, 0)[:, None]

    def spatial(chunk: slice, into: Tensor | None) -> Tensor:
        known = None if sums is None else sums[:, chunk]
        return layers.spatial_transformer(maps[chunk], known, cross[chunk], weights, heads, into=into)

    rows = fill_chunks(maps.flatten(1, 2).shape, most, spatial, maps)
    clip, inner = (tensor.unflatten(0, (-1, frames)) for tensor in (maps.flatten(1, 2), rows))
    items, _, pixels, _ = clip.shape
    new_sums = [
        layers.temporal_transformer(
            clip[:, :, chunk], inner[:, :, chunk], constants.positions, constants.temporal[:, None], weights, heads
        )
        for chunk in even_chunks(pixels, max(1, pixels * most // (items * frames)))
    ]
    return Summed(maps, torch.cat(new_sums, 2))
