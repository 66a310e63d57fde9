"""The VAE's temporal decoder: exact over a whole clip, with one map per frame in memory, or over windows of frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from generator.model.checkpoint.structure import Config, decoder_blocks
from generator.model.lean import layers
from generator.model.lean.chunks import Check, Resnet, Summed, even_chunks, of_clips, temporal_norm
from generator.model.lean.fused.plain import Sums
from generator.model.lean.naming import Weights, name_attention, name_below, name_ends, name_resnet
from generator.model.lean.pack import LayerWeights, Named, Packed, pack
from generator.model.lean.residency import WeightSource


@dataclass(frozen=True, slots=True)
class PackedDecoder:
    """A temporal decoder's weights in host memory: first those of its first and last layers, then the others."""

    layers: tuple[Resnet | None, ...]
    """None stands for the attention over a frame's pixels"""
    body: Packed
    eps: float
    numbers_per_cell: int
    """elements of a map at the decoder's full resolution for each latent cell"""


_ENDS = {"conv_in": "conv_in", "conv_norm_out": "norm_out", "conv_out": "conv_out", "time_conv_out": "time_out"}
_EPS, _TEMPORAL_EPS = 1e-6, 1e-5


def pack_decoder(config: Config, weights: Weights, dtype: torch.dtype, device: torch.device) -> PackedDecoder:
    """Pack the weights of the decoder of an AutoencoderKLTemporalDecoder in `dtype`, to be copied to `device`.

    `config` is complete, and `weights` has the tensors of the whole VAE.
    """
    steps: list[Resnet | None] = []
    body: list[Named] = [name_ends(weights, {f"decoder.{path}": name for path, name in _ENDS.items()})]

    def add(path: str, upsampler: str | None = None) -> None:
        steps.append(Resnet(_EPS, _TEMPORAL_EPS, upsampler is not None))
        body.append(name_resnet(weights, path, upsampler, spatial_first=True))

    middle, up = decoder_blocks(config)
    for j in range(len(middle.inputs)):
        # With one layer per block there is an attention without a resnet after it; diffusers never runs that attention.
        if j == 1:
            steps.append(None)
            path = f"{middle.path}.attentions.0"
            norm = name_below(weights, f"{path}.group_norm", "group_norm")
            body.append(norm | name_attention(weights, path, "attention"))
        add(f"{middle.path}.resnets.{j}")
    upsampler = None
    for block in up:
        for j in range(len(block.inputs)):
            add(f"{block.path}.resnets.{j}", upsampler)
            upsampler = None
        upsampler = block.sampler
    upscaled = sum(step is not None and step.upscale for step in steps)
    return PackedDecoder(tuple(steps), pack(body, dtype, device), _EPS, 4**upscaled * up[-1].width)


class LeanDecoder:
    """A packed decoder with its weights on a device."""

    def __init__(self, packed: PackedDecoder, weights: WeightSource) -> None:
        self._packed = packed
        self._weights = weights

    def decode(self, latents: Tensor, check: Check) -> Iterator[Tensor]:
        """Return the frames in order, each height x width x 3 in pixels, about -1 to 1, in the decoder's precision.

        `latents` is frames x height x width x channels in latent cells, divided by the scaling factor already. The
        result is the same as diffusers' decode of all frames together. Raises what `check` raises.
        """
        ends = self._weights.layer(0)
        most = latents[0, ..., 0].numel() * self._packed.numbers_per_cell
        maps = [Summed(layers.conv(frame[None], ends, "conv_in")) for frame in latents]
        for index, layer in enumerate(self._packed.layers):
            check()
            weights = self._weights.layer(index + 1)
            if layer is None:
                _each(maps, partial(_attend, weights))
            else:
                self._resnet(layer, weights, maps, most, check)
        yield from self._close(maps, self._weights.layer(0))

    def _resnet(self, resnet: Resnet, weights: LayerWeights, maps: list[Summed], most: int, check: Check) -> None:
        def spatial(given: Summed) -> Summed:
            sums = None if resnet.upscale else given.sums
            return Summed(*layers.spatial_resnet(given.maps, None, sums, None, weights, resnet.eps, resnet.upscale))

        _each(maps, spatial)
        if "mix" not in weights:  # the demo model's decoder: each frame by itself
            return
        check()
        self._temporal(resnet, weights, maps, most)

    def _temporal(self, resnet: Resnet, weights: LayerWeights, maps: list[Summed], most: int) -> None:
        """Blend the temporal resnet into the maps, in place, for at most `most` elements at a time.

        On a GPU its first half is computed twice, the first time for the second norm's statistics: keeping it would
        double the memory. A CPU keeps it.
        """
        pixels = [given.maps.flatten(1, 2)[0] for given in maps]
        area = pixels[0].shape[0]
        sums = of_clips(torch.cat([given.sums for given in maps if given.sums is not None], 1), len(maps))
        factors = temporal_norm(weights, 1, sums, len(maps) * area, resnet.temporal_eps)
        chunks = list(even_chunks(area, max(1, most // (len(maps) * pixels[0].shape[-1]))))

        kept: list[tuple[Tensor, Tensor]] = []

        def first(chunk: slice) -> tuple[Tensor, Tensor, Sums]:
            clip = torch.stack([frame[chunk] for frame in pixels])[None]
            inner, sums = layers.temporal_first(clip, *factors, weights)
            if clip.device.type == "cpu":
                kept.append((clip, inner))
            return clip, inner, sums.sum(2, keepdim=True)

        inner_sums = torch.cat([first(chunk)[2] for chunk in chunks], 2)
        shift = weights["temporal.conv1.bias"]
        inner_factors = temporal_norm(weights, 2, inner_sums, len(maps) * area, resnet.temporal_eps, shift)
        new_sums: list[Sums] = []
        for chunk in chunks:
            clip, inner = kept.pop(0) if kept else first(chunk)[:2]
            new_sums.append(layers.temporal_second(clip, inner, *inner_factors, weights).sum(2, keepdim=True))
            torch._foreach_copy_([frame[chunk] for frame in pixels], list(clip[0].unbind()))
            del clip, inner
        joined = torch.cat(new_sums, 2)
        maps[:] = [Summed(given.maps, joined[:, index, None]) for index, given in enumerate(maps)]

    def _close(self, maps: list[Summed], ends: LayerWeights) -> Iterator[Tensor]:
        """Run the last layers, and yield each frame once the one after it is computed."""
        window: list[Tensor] = []
        kernel = ends["time_out.weight"]
        count = len(maps)
        for index in range(count):
            last = maps.pop(0)
            window.append(layers.project_out(last.maps, last.sums, ends, self._packed.eps)[0])
            del last
            if index:
                yield _mix_times(window, kernel, ends["time_out.bias"], first=index == 1)
                window = window[-2:]
        yield _mix_times(window, kernel, ends["time_out.bias"], first=count == 1, last=True)


def _attend(weights: LayerWeights, given: Summed) -> Summed:
    return Summed(layers.pixel_attention(given.maps, weights))


def _each(maps: list[Summed], compute: Callable[[Summed], Summed]) -> None:
    """Replace each frame's map by its result, and free the old map before the next one is computed."""
    for _ in range(len(maps)):
        maps.append(compute(maps.pop(0)))


def _mix_times(window: list[Tensor], kernel: Tensor, bias: Tensor, *, first: bool, last: bool = False) -> Tensor:
    """Apply the three-frame convolution for one frame; frames beyond the clip's ends count as zero."""
    taps = range(1 if first else 0, 2 if last else 3)
    rows = sum(
        (frame.flatten(0, 1) @ kernel[:, :, tap, 0].T for frame, tap in zip(window, taps, strict=True)),
        start=bias,
    )
    return rows.view_as(window[0])


def decode_windows(
    decode: Callable[[Tensor], Iterator[Tensor]], latents: Tensor, window: int, overlap: int
) -> Iterator[Tensor]:
    """Decode `window` frames at a time and return all frames in order, as `decode` returns them.

    Neighbouring windows share `overlap` frames, which are cross-faded. `latents` has the frames as first dimension.
    """
    count = latents.shape[0]
    if count <= window:
        yield from decode(latents)
        return
    held: list[Tensor] = []
    start = 0
    while True:
        stop = min(start + window, count)
        is_last = stop == count
        fresh: list[Tensor] = []
        for index, frame in enumerate(decode(latents[start:stop])):
            if index < len(held):
                frame = torch.lerp(held[index], frame, (index + 1) / (len(held) + 1))
            if is_last or index < window - overlap:
                yield frame
            else:
                fresh.append(frame)
        if is_last:
            return
        held = fresh
        start += window - overlap
