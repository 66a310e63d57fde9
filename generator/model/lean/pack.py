"""Lay a module's weights out in flat memory as the layer functions need them: one stretch for each layer.

They are read once: straight to the device where they stay there, otherwise to host memory, from which they are copied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from generator.model.checkpoint.fill import fill
from generator.model.checkpoint.stored import StoredTensor
from generator.model.lean.pinned import PINNED

LayerWeights = Mapping[str, Tensor]
"""one layer's weights on a device, by the names that the layer functions use"""
Source = Tensor | StoredTensor
"""a weight in memory or in a file"""
Named = dict[str, Source | tuple[Source, ...]]
"""a layer's weights by the names that its functions use; a tuple is to be stacked into one tensor"""

# CUDA kernels load up to 16 bytes at once, and cuBLAS is fastest with addresses that are multiples of 256 bytes.
_ALIGN_BYTES = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a layer: where it lies in the layer's stretch, and its shape and strides there."""

    name: str
    offset: int
    """from the stretch's start, in elements"""
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    sources: tuple[Source, ...]
    """what it consists of, stacked on the first dimension"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One layer's range of the flat memory, in elements, not bytes."""

    start: int
    length: int
    entries: tuple[Entry, ...]

    def views(self, flat: Tensor) -> LayerWeights:
        """Return the layer's weights as views of `flat`, a copy of its stretch."""
        start = flat.storage_offset()
        return {entry.name: flat.as_strided(entry.shape, entry.strides, start + entry.offset) for entry in self.entries}


class Packed:
    """Layers one after the other in one flat tensor; in host memory it is pinned if `device` is a CUDA device."""

    def __init__(self, stretches: tuple[Stretch, ...], dtype: torch.dtype, device: torch.device) -> None:
        self.stretches, self.dtype = stretches, dtype
        self._device = device
        self._flat: Tensor | None = None

    @property
    def length(self) -> int:
        """Return the flat tensor's length, in elements."""
        return self.stretches[-1].start + self.stretches[-1].length

    @property
    def flat(self) -> Tensor:
        """Return all layers in host memory, pinned for a CUDA device. They are read when they are first asked for.

        Weights on the meta device stay there: then the result has a size, but no memory. Raises WeightsUnavailable.
        """
        if self._flat is None:
            first = self.stretches[0].entries[0].sources[0]
            is_meta = isinstance(first, Tensor) and first.is_meta
            flat = torch.empty(self.length, dtype=self.dtype, device="meta" if is_meta else "cpu")
            self._fill(flat)
            if self._device.type == "cuda" and not is_meta:
                PINNED.pin(flat, self._device)
            self._flat = flat
        return self._flat

    def host(self, index: int) -> Tensor:
        """Return a layer's stretch in host memory, as a flat view."""
        return self._part(self.flat, index)

    def place(self, device: torch.device) -> Tensor:
        """Return all layers on a device, as a flat tensor; on the CPU that is the host memory itself.

        What is not in host memory is read to a CUDA device without it. Raises WeightsUnavailable.
        """
        if self._flat is not None or device.type != "cuda":
            return self.flat.to(device, non_blocking=True)
        flat = torch.empty(self.length, dtype=self.dtype, device=device)
        self._fill(flat)
        return flat

    def layers(self, flat: Tensor) -> list[LayerWeights]:
        """Return every layer's weights as views of `flat`, which has all layers."""
        return [stretch.views(self._part(flat, index)) for index, stretch in enumerate(self.stretches)]

    @property
    def largest(self) -> int:
        """Return the length of the longest stretch, in elements."""
        return max(stretch.length for stretch in self.stretches)

    def _part(self, flat: Tensor, index: int) -> Tensor:
        stretch = self.stretches[index]
        return flat[stretch.start : stretch.start + stretch.length]

    def _fill(self, flat: Tensor) -> None:
        to_fill: list[tuple[Tensor, Source]] = []
        for stretch, views in zip(self.stretches, self.layers(flat), strict=True):
            for entry in stretch.entries:
                rows = 0
                for source in entry.sources:
                    view = views[entry.name][rows : rows + source.shape[0]]
                    rows += source.shape[0]
                    to_fill.append((view.unsqueeze(-1) if len(source.shape) == 5 else view, source))
        fill(to_fill)


def pack(layers: Sequence[Named], dtype: torch.dtype, device: torch.device) -> Packed:
    """Lay out the layers' weights in `dtype`, to be copied to `device`. Nothing is read yet."""
    align = _ALIGN_BYTES // dtype.itemsize
    stretches, start = [], 0
    for layer in layers:
        entries, offset = [], 0
        for name, given in layer.items():
            sources = given if isinstance(given, tuple) else (given,)
            shape, strides = _layout(sources)
            entries.append(Entry(name, offset, shape, strides, sources))
            offset += -(-sum(math.prod(source.shape) for source in sources) // align) * align
        stretches.append(Stretch(start, offset, tuple(entries)))
        start += offset
    return Packed(tuple(stretches), dtype, device)


def _layout(sources: tuple[Source, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape and strides of the sources, stacked on the first dimension.

    Convolution kernels are channels-last; a temporal one loses its last dimension, which is 1.
    """
    shape = (sum(source.shape[0] for source in sources), *sources[0].shape[1:])
    if len(shape) == 5:
        shape = shape[:4]
    if len(shape) == 4:
        _, inner, high, wide = shape
        return shape, (inner * high * wide, 1, inner * wide, inner)
    return shape, tuple(torch.empty(shape, device="meta").stride())
