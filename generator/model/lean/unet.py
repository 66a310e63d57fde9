"""The spatio-temporal UNet of diffusers, computed in chunks, its weights resident on the device or streamed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from diffusers.models.embeddings import get_timestep_embedding
from torch import Tensor

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
    """A UNet's weights in host memory."""

    layers: tuple[Layer, ...]
    body: Packed
    """the layers' weights, in order of use"""
    ends: Packed
    """the first and the last layer, and the time embeddings: small, and always on the device"""
    folded: Packed
    """what is used once per clip, to compute its constants"""
    module: Any
    """diffusers' module, for its configuration and its sinusoids; its parameters are views of the above"""


def pack_unet(module: Any, device: torch.device) -> PackedUNet:
    """Pack the weights of diffusers' UNetSpatioTemporalConditionModel, to be copied to `device`.

    The module stays usable. Raises ValueError for transformers of several blocks, which no SVD model has.
    """
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
        self._dtype = packed.body.flat.dtype
        self._frames_per_chunk = frames_per_chunk

    def prepare(
        self, context: Tensor, added_ids: Sequence[float], timesteps: Sequence[float], frames: int
    ) -> ClipConstants:
        """Compute what stays the same over a clip's steps.

        `context` is items x 1 x width, the image encoder's embedding. `added_ids` are conditioning fps - 1, motion
        bucket and noise augmentation. `timesteps` is the model's time for each step.
        """
        module = self._packed.module
        numbers = module.add_time_proj(torch.tensor(added_ids, dtype=self._dtype).float()).flatten()[None]
        added = _embed(self._ends, "added", numbers.to(self._device, self._dtype))
        waves = module.time_proj(torch.tensor(timesteps, dtype=torch.float32))
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
        waves = _sinusoids(frames, width).to(self._device, self._dtype)
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
        eps = self._packed.module.conv_norm_out.eps
        out = self._chunked(state.pop().maps, lambda some: layers.project_out(some, None, self._ends, eps))
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


def _sinusoids(count: int, width: int) -> Tensor:
    waves: Tensor = get_timestep_embedding(torch.arange(count), width, flip_sin_to_cos=True, downscale_freq_shift=0)
    return waves
