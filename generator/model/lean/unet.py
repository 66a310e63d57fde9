"""The spatio-temporal UNet of diffusers, computed in chunks, its weights resident on the device or streamed to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor

from generator.model.checkpoint.structure import Block, Config, unet_blocks
from generator.model.lean import layers
from generator.model.lean.chunks import (
    Check,
    Constants,
    Resnet,
    Summed,
    run_chunks,
    run_resnet,
    run_transformer,
)
from generator.model.lean.naming import (
    Weights,
    name_below,
    name_ends,
    name_folded,
    name_resnet,
    name_transformer,
)
from generator.model.lean.pack import LayerWeights, Named, Packed, pack
from generator.model.lean.residency import ResidentWeights, WeightSource


@dataclass(frozen=True, slots=True)
class Layer:
    """A resnet with its transformer, or a downsampler. Resnet, transformer and downsampler have one stretch each."""

    resnet: Resnet | None
    """None: a downsampler"""
    heads: int = 0
    """0: no transformer follows the resnet"""
    takes_skip: bool = False
    """its input is joined with the latest skip"""
    leaves_skip: bool = False
    """its result is a skip for a later layer"""


@dataclass(frozen=True, slots=True)
class PackedUNet:
    """A UNet's weights, laid out for its layers."""

    layers: tuple[Layer, ...]
    body: Packed
    """the layers' weights, in order of use"""
    ends: Packed
    """the first and the last layer, and the time embeddings: small, and always on the device"""
    folded: Packed
    """what is used once per clip, to compute its constants"""
    time_width: int
    """of a step's time as sinusoids"""
    added_width: int
    """of each added id as sinusoids"""


_ENDS = {
    "conv_in": "conv_in",
    "time_embedding": "time",
    "add_embedding": "added",
    "conv_norm_out": "norm_out",
    "conv_out": "conv_out",
}
_LAST_EPS = 1e-5


def pack_unet(config: Config, weights: Weights, dtype: torch.dtype, device: torch.device) -> PackedUNet:
    """Pack the weights of a UNetSpatioTemporalConditionModel in `dtype`, to be copied to `device`.

    `config` is complete. Nothing is read yet but the factors of the blends.
    """
    steps: list[Layer] = []
    body: list[Named] = []
    folded: list[Named] = []

    def add(block: Block, j: int, *, upsampler: str | None = None, crossed: bool = True, **skips: bool) -> None:
        heads = block.heads if crossed else 0
        steps.append(Layer(Resnet(block.eps, block.eps, upscale=upsampler is not None), heads, **skips))
        body.append(name_resnet(weights, f"{block.path}.resnets.{j}", upsampler))
        if heads:
            body.append(name_transformer(weights, f"{block.path}.attentions.{j}"))
            folded.append(name_folded(weights, f"{block.path}.attentions.{j}"))

    down, middle, up = unet_blocks(config)
    for block in down:
        for j in range(len(block.inputs)):
            add(block, j, leaves_skip=True)
        if block.sampler:
            steps.append(Layer(None, leaves_skip=True))
            body.append(name_below(weights, block.sampler, "downsampler"))
    add(middle, 0)
    add(middle, 1, crossed=False)
    upsampler = None
    for block in up:
        for j in range(len(block.inputs)):
            add(block, j, upsampler=upsampler, takes_skip=True)
            upsampler = None
        upsampler = block.sampler
    return PackedUNet(
        layers=tuple(steps),
        body=pack(body, dtype, device),
        ends=pack([name_ends(weights, _ENDS)], dtype, device),
        folded=pack(folded, dtype, device),
        time_width=down[0].width,
        added_width=config["addition_time_embed_dim"],
    )


@dataclass(frozen=True, slots=True)
class ClipConstants:
    """What does not change between a clip's steps."""

    transformers: tuple[Constants, ...]
    """in order of use"""
    times: Tensor
    """steps x channels: the embedding of each step's time and of the clip's added ids, before its activation"""


def _embed(weights: LayerWeights, name: str, rows: Tensor) -> Tensor:
    """Run a TimestepEmbedding on rows: two linear layers with a SiLU between them."""
    rows = F.silu(F.linear(rows, weights[f"{name}.linear_1.weight"], weights[f"{name}.linear_1.bias"]))
    return F.linear(rows, weights[f"{name}.linear_2.weight"], weights[f"{name}.linear_2.bias"])


class LeanUNet:
    """A packed UNet that runs on a device; `weights` decides where its layers are, `frames_per_chunk` the peak."""

    def __init__(
        self,
        packed: PackedUNet,
        weights: WeightSource,
        device: torch.device,
        frames_per_chunk: int,
    ) -> None:
        self._packed = packed
        self._weights = weights
        self._ends = ResidentWeights(packed.ends, device).layer(0)
        self._device = device
        self._dtype = packed.body.dtype
        self._frames_per_chunk = frames_per_chunk

    def prepare(
        self, context: Tensor, added_ids: Sequence[float], timesteps: Sequence[float], frames: int
    ) -> ClipConstants:
        """Compute what stays the same over a clip's steps.

        `context` is items x 1 x width, the image encoder's embedding. `added_ids` are conditioning fps - 1, motion
        bucket and noise augmentation. `timesteps` is the model's time for each step.
        """
        ids = torch.tensor(added_ids, dtype=self._dtype).float()
        numbers = _sinusoids(ids, self._packed.added_width).flatten()[None]
        added = _embed(self._ends, "added", numbers.to(self._device, self._dtype))
        waves = _sinusoids(torch.tensor(timesteps, dtype=torch.float32), self._packed.time_width)
        times = _embed(self._ends, "time", waves.to(self._device, self._dtype)) + added
        folded = range(len(self._packed.folded.stretches))
        return ClipConstants(tuple(self._fold(index, context[:, 0], frames) for index in folded), times)

    def _fold(self, index: int, context: Tensor, frames: int) -> Constants:
        """Compute one transformer's constants; its folded weights are on the device during this call only."""
        stretch = self._packed.folded.stretches[index]
        weights = stretch.views(self._packed.folded.host(index).to(self._device, non_blocking=True))
        # There is one context token. Softmax over it is 1, so cross-attention is its value, the same for every query.
        values = [
            F.linear(
                F.linear(context, weights[f"{half}.to_v.weight"]),
                weights[f"{half}.to_out.weight"],
                weights[f"{half}.to_out.bias"],
            )
            for half in ("spatial", "temporal")
        ]
        width = weights["positions.linear_1.weight"].shape[1]
        waves = _sinusoids(torch.arange(frames), width).to(self._device, self._dtype)
        return Constants(values[0], values[1], _embed(weights, "positions", waves))

    def __call__(
        self, sample: Tensor, constants: ClipConstants, step: int, check: Check, item: int | None = None
    ) -> Tensor:
        """Return the model's v-prediction for `sample` at a step of the schedule, with the output's channels.

        `sample` is items x frames x height x width x channels in latent cells: noisy latents of unit variance and the
        picture's latents. Where the halves of guidance are computed one after the other, `item` is the index of the
        only item in `sample`. Raises what `check` raises.
        """
        items, frames = sample.shape[:2]
        transformers = iter([folded.of(item) for folded in constants.transformers])
        maps = self._chunked(sample.flatten(0, 1), lambda some: layers.conv(some, self._ends, "conv_in"))
        state = _State(
            Summed(maps), [Summed(maps)], F.silu(constants.times[step]), transformers, frames, maps[0].numel()
        )
        del maps
        for layer in self._packed.layers:
            check()
            self._run(layer, state)
        out = self._chunked(state.pop().maps, lambda some: layers.project_out(some, None, self._ends, _LAST_EPS))
        return out.view(items, frames, *out.shape[1:])

    def _chunked(self, maps: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        return run_chunks(maps.shape[0], self._frames_per_chunk, lambda chunk: compute(maps[chunk]))

    def _run(self, layer: Layer, state: _State) -> None:
        weights = self._weights.layer(state.next_stretch())
        given = [state.pop()]
        if layer.resnet is None:
            maps = given.pop().maps
            state.given = Summed(
                run_chunks(
                    maps.shape[0],
                    self._most(state, maps[0].numel()),
                    lambda chunk: layers.conv(maps[chunk], weights, "downsampler", stride=2),
                )
            )
        else:
            if layer.takes_skip:
                given.append(state.skips.pop())
            width = weights["conv2.weight"].shape[0]
            most = self._most(state, given[-1].maps[0, ..., 0].numel() * width)
            times = tuple(
                F.linear(state.time, weights[f"{half}time_emb_proj.weight"], weights[f"{half}time_emb_proj.bias"])
                for half in ("", "temporal.")
            )
            state.given = run_resnet(layer.resnet, weights, given, (times[0], times[1]), state.frames, most)
            if layer.heads:
                weights = self._weights.layer(state.next_stretch())
                constants = next(state.transformers)
                state.given = run_transformer(layer.heads, weights, state.pop(), constants, state.frames, most)
        if layer.leaves_skip:
            assert state.given is not None
            state.skips.append(state.given)

    def _most(self, state: _State, numbers: int) -> int:
        """Return how many frames of `numbers` elements cost as much as `frames_per_chunk` at full resolution."""
        return max(self._frames_per_chunk, self._frames_per_chunk * state.numbers_per_frame // numbers)


@dataclass(slots=True)
class _State:
    """The state of one pass through the UNet."""

    given: Summed | None
    skips: list[Summed]
    time: Tensor
    transformers: Iterator[Constants]
    frames: int
    numbers_per_frame: int
    stretch: int = -1

    def pop(self) -> Summed:
        """Return the maps and forget them, so that they are freed once they were used."""
        given, self.given = self.given, None
        assert given is not None
        return given

    def next_stretch(self) -> int:
        """Return the index of the next stretch of weights."""
        self.stretch += 1
        return self.stretch


def _sinusoids(numbers: Tensor, width: int) -> Tensor:
    """Return numbers x width, an even number: cosines, then sines, of wavelengths from 2 pi up to 10,000 times that."""
    half = width // 2
    rates = torch.exp(-math.log(10_000) * torch.arange(half, dtype=torch.float32) / half)
    angles = numbers[:, None].float() * rates
    return torch.cat([angles.cos(), angles.sin()], dim=-1)
