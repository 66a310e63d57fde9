"""Copy a module's weights into flat host memory: one stretch per layer, laid out as the layer functions need them.

The module's own parameters become views of the flat memory, so that nothing is held twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from generator.model.lean.pinned import PINNED

LayerWeights = Mapping[str, Tensor]
"""one layer's weights on a device, by the names that the layer functions use"""

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
    sources: tuple[Tensor, ...]
    """the parameters that it consists of, stacked on the first dimension"""


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


@dataclass(frozen=True, slots=True)
class Packed:
    """Layers one after the other in one flat host tensor, pinned for a CUDA device."""

    flat: Tensor
    stretches: tuple[Stretch, ...]

    def host(self, index: int) -> Tensor:
        """Return a layer's stretch in host memory, as a flat view."""
        stretch = self.stretches[index]
        return self.flat[stretch.start : stretch.start + stretch.length]

    @property
    def largest(self) -> int:
        """Return the length of the longest stretch, in elements."""
        return max(stretch.length for stretch in self.stretches)


Named = dict[str, Tensor | tuple[Tensor, ...]]
"""a layer's weights by the names that its functions use; a tuple is to be stacked into one tensor"""


def pack(layers: Sequence[Named], dtype: torch.dtype, device: torch.device) -> Packed:
    """Copy the layers' weights into one flat host tensor of `dtype`, pinned for a CUDA device.

    Parameters become views of it. Weights on the meta device stay there: the result has sizes, but no memory.
    """
    align = _ALIGN_BYTES // dtype.itemsize
    stretches, start = [], 0
    for layer in layers:
        entries, offset = [], 0
        for name, given in layer.items():
            sources = given if isinstance(given, tuple) else (given,)
            shape, strides = _layout(sources)
            entries.append(Entry(name, offset, shape, strides, sources))
            offset += -(-sum(source.numel() for source in sources) // align) * align
        stretches.append(Stretch(start, offset, tuple(entries)))
        start += offset
    is_meta = next(iter(stretches[0].entries)).sources[0].device.type == "meta"
    flat = torch.empty(start, dtype=dtype, device="meta" if is_meta else "cpu")
    packed = Packed(flat, tuple(stretches))
    _fill(packed)
    if device.type == "cuda" and not is_meta:
        PINNED.pin(flat, device)
    return packed


def _layout(sources: tuple[Tensor, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
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


@torch.no_grad()
def _fill(packed: Packed) -> None:
    for index, stretch in enumerate(packed.stretches):
        views = stretch.views(packed.host(index))
        for entry in stretch.entries:
            rows = 0
            for source in entry.sources:
                view = views[entry.name][rows : rows + source.shape[0]]
                rows += source.shape[0]
                view = view.unsqueeze(-1) if source.ndim == 5 else view
                view.copy_(source)
                if isinstance(source, nn.Parameter):
                    source.data = view
