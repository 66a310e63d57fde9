"""The spatio-temporal UNet of diffusers, computed in chunks with its weights resident or streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own custom
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor

from generator.model.lean import layers
from generator.model.lean.chunks import (
    Check,
    ChunkFunctions,
    Constants,
    Resnet,
    run_chunks,
    run_resnet,
    run_transformer,
)
from generator.model.lean.naming import (
    name_ends,
    name_folded,
    name_parameters,
    name_resnet,
    name_transformer,
)
from generator.model.lean.pack import LayerWeights, Named, Packed, pack
from generator.model.lean.residency import ResidentWeights, WeightSource


@dataclass(frozen=True, slots=True)
class Layer:
    """One step through the UNet. Each of its parts is one stretch of the packed weights."""

    resnet: Resnet | None
    heads: int = 0
    """0: no transformer follows the resnet"""
    takes_skip: bool = False
    leaves_skip: bool = False


@dataclass(frozen=True, slots=True)
class PackedUNet:
    """A UNet's weights in host memory: the layers in order of use, the small ends, and what folds away per clip."""

    layers: tuple[Layer, ...]
    body: Packed
    ends: Packed
    folded: Packed
    module: Any
    """diffusers' module, for its configuration and its weightless sinusoids; its parameters are views of the above"""

    @property
    def nbytes(self) -> int:
        """Tell what is held on the device when all of it is resident."""
        return self.body.nbytes + self.ends.nbytes


def pack_unet(module: Any, device: torch.device) -> PackedUNet:
    """Pack diffusers' UNetSpatioTemporalConditionModel; the module stays usable."""
    steps: list[Layer] = []
    body: list[Named] = []
    folded: list[Named] = []

    def add(resnet: Any, attention: Any = None, upsampler: Any = None, **skips: bool) -> None:
        facts = Resnet(
            resnet.spatial_res_block.norm1.eps, resnet.temporal_res_block.norm1.eps, upscale=upsampler is not None
        )
        heads = 0 if attention is None else attention.transformer_blocks[0].attn1.heads
        steps.append(Layer(facts, heads, **skips))
        body.append(name_resnet(resnet, upsampler))
        if attention is not None:
            body.append(name_transformer(attention))
            folded.append(name_folded(attention))

    for block in module.down_blocks:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            add(resnet, attention, leaves_skip=True)
        for sampler in block.downsamplers or ():
            steps.append(Layer(None, leaves_skip=True))
            body.append(name_parameters(sampler.conv, "downsampler"))
    middle = module.mid_block
    add(middle.resnets[0], middle.attentions[0])
    add(middle.resnets[1])
    upsampler = None
    for block in module.up_blocks:
        attentions = getattr(block, "attentions", [None] * len(block.resnets))
        for resnet, attention in zip(block.resnets, attentions, strict=True):
            add(resnet, attention, upsampler, takes_skip=True)
            upsampler = None
        upsampler = block.upsamplers[0].conv if block.upsamplers else None
    dtype = module.conv_in.weight.dtype
    return PackedUNet(
        layers=tuple(steps),
        body=pack(body, dtype, device),
        ends=pack([name_ends(module)], dtype, device),
        folded=pack(folded, dtype, device),
        module=module,
    )


@dataclass(frozen=True, slots=True)
class ClipConstants:
    """What does not change between a clip's steps."""

    transformers: tuple[Constants, ...]
    times: Tensor
    """steps x channels: the embedding of each step's time and of the clip's added ids, before its activation"""


def _embed(weights: LayerWeights, name: str, rows: Tensor) -> Tensor:
    """Run a TimestepEmbedding: two linear layers with a SiLU between."""
    rows = F.silu(F.linear(rows, weights[f"{name}.linear_1.weight"], weights[f"{name}.linear_1.bias"]))
    return F.linear(rows, weights[f"{name}.linear_2.weight"], weights[f"{name}.linear_2.bias"])


class LeanUNet:
    """A packed UNet on a device with a way to hold its weights and a chunk size."""

    def __init__(
        self,
        packed: PackedUNet,
        weights: WeightSource,
        device: torch.device,
        frames_per_chunk: int,
        functions: ChunkFunctions | None = None,
    ) -> None:
        self._packed = packed
        self._weights = weights
        self._ends = ResidentWeights(packed.ends, device).layer(0)
        self._device = device
        self._dtype = packed.body.flat.dtype
        self._frames_per_chunk = frames_per_chunk
        self.functions = functions or ChunkFunctions()

    def prepare(
        self, context: Tensor, added_ids: Sequence[float], timesteps: Sequence[float], frames: int
    ) -> ClipConstants:
        """Fold what a clip keeps constant: cross-attention over `context` (items x 1 x width), places and times."""
        module = self._packed.module
        numbers = module.add_time_proj(torch.tensor(added_ids, dtype=self._dtype).float()).flatten()[None]
        added = _embed(self._ends, "added", numbers.to(self._device, self._dtype))
        waves = module.time_proj(torch.tensor(timesteps, dtype=torch.float32))
        times = _embed(self._ends, "time", waves.to(self._device, self._dtype)) + added
        return ClipConstants(tuple(self._fold(index, context[:, 0], frames) for index in self._folds()), times)

    def _folds(self) -> range:
        return range(len(self._packed.folded.stretches))

    def _fold(self, index: int, context: Tensor, frames: int) -> Constants:
        """Compute one transformer's constants; its folded weights visit the device for this alone."""
        stretch = self._packed.folded.stretches[index]
        weights = stretch.views(self._packed.folded.host(index).to(self._device, non_blocking=True))
        # One context token: softmax over it is 1, so cross-attention is its value, the same for every query.
        values = [
            F.linear(
                F.linear(context, weights[f"{half}.to_v.weight"]),
                weights[f"{half}.to_out.weight"],
                weights[f"{half}.to_out.bias"],
            )
            for half in ("spatial", "temporal")
        ]
        width = weights["positions.linear_1.weight"].shape[1]
        waves = _sinusoids(frames, width).to(self._device, self._dtype)
        return Constants(values[0], values[1], _embed(weights, "positions", waves))

    def __call__(
        self, sample: Tensor, constants: ClipConstants, step: int, check: Check, item: int | None = None
    ) -> Tensor:
        """Predict for `sample` (items x frames x height x width x channels) at a step of the schedule.

        `item` names the only item given, where the guided halves are computed one after the other.
        """
        items, frames = sample.shape[:2]
        transformers = iter([folded.of(item) for folded in constants.transformers])
        maps = self._chunked(sample.flatten(0, 1), lambda part: layers.conv(part, self._ends, "conv_in"))
        state = _State(maps, [maps], F.silu(constants.times[step]), transformers, frames, maps[0].numel())
        del maps
        for layer in self._packed.layers:
            check()
            self._run(layer, state)
        eps = self._packed.module.conv_norm_out.eps
        out = self._chunked(state.take(), lambda part: self.functions.project_out(part, self._ends, eps))
        return out.view(items, frames, *out.shape[1:])

    def _chunked(self, maps: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
        return run_chunks(maps.shape[0], self._frames_per_chunk, lambda part: compute(maps[part]))

    def _run(self, layer: Layer, state: _State) -> None:
        weights = self._weights.layer(state.next_stretch())
        given = [state.take()]
        if layer.resnet is None:
            maps = given.pop()
            state.maps = run_chunks(
                maps.shape[0],
                self._most(state, maps[0].numel()),
                lambda part: layers.conv(maps[part], weights, "downsampler", stride=2),
            )
        else:
            if layer.takes_skip:
                given.append(state.skips.pop())
            width = weights["conv2.weight"].shape[0]
            most = self._most(state, given[-1][0, ..., 0].numel() * width)
            times = tuple(
                F.linear(state.time, weights[f"{half}time_emb_proj.weight"], weights[f"{half}time_emb_proj.bias"])
                for half in ("", "temporal.")
            )
            state.maps = run_resnet(
                self.functions, layer.resnet, weights, given, (times[0], times[1]), state.frames, most
            )
            if layer.heads:
                weights = self._weights.layer(state.next_stretch())
                constants = next(state.transformers)
                state.maps = run_transformer(
                    self.functions, layer.heads, weights, state.take(), constants, state.frames, most
                )
        if layer.leaves_skip:
            state.skips.append(state.maps)

    def _most(self, state: _State, numbers: int) -> int:
        """Give how many frames of a layer cost what `frames_per_chunk` frames cost at full resolution."""
        return max(self._frames_per_chunk, self._frames_per_chunk * state.numbers_per_frame // numbers)


@dataclass(slots=True)
class _State:
    """Where a pass through the UNet is."""

    maps: Tensor | None
    skips: list[Tensor]
    time: Tensor
    transformers: Iterator[Constants]
    frames: int
    numbers_per_frame: int
    stretch: int = -1

    def take(self) -> Tensor:
        """Give the maps away, so that they are freed once used."""
        maps, self.maps = self.maps, None
        assert maps is not None
        return maps

    def next_stretch(self) -> int:
        """Give the number of the next stretch of weights."""
        self.stretch += 1
        return self.stretch


def _sinusoids(count: int, width: int) -> Tensor:
    waves: Tensor = get_timestep_embedding(torch.arange(count), width, flip_sin_to_cos=True, downscale_freq_shift=0)
    return waves
