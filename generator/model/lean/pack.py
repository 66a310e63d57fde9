"""A module's weights as flat host memory: one stretch per layer, laid out as the layer functions want them.

The module's own parameters become views of the flat copy, so that nothing is held twice.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

LayerWeights = Mapping[str, Tensor]
"""one layer's weights on a device, by the names that the layer functions use"""

# CUDA kernels load up to 16 bytes at once and cuBLAS prefers 256-byte starts.
_ALIGN_BYTES = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One tensor of a layer: where it lies in the layer's stretch and how it is seen."""

    name: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    sources: tuple[Tensor, ...]
    """the parameters it is made of, stacked on the first dimension"""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One layer's place in the flat memory, in numbers, not bytes."""

    start: int
    length: int
    entries: tuple[Entry, ...]

    def views(self, flat: Tensor) -> LayerWeights:
        """See the layer's weights in a copy of its stretch."""
        start = flat.storage_offset()
        return {entry.name: flat.as_strided(entry.shape, entry.strides, start + entry.offset) for entry in self.entries}


@dataclass(frozen=True, slots=True)
class Packed:
    """Layers one after the other in host memory, pinned where the device copies from it."""

    flat: Tensor
    stretches: tuple[Stretch, ...]

    def host(self, index: int) -> Tensor:
        """Give a layer's stretch in host memory."""
        stretch = self.stretches[index]
        return self.flat[stretch.start : stretch.start + stretch.length]

    @property
    def nbytes(self) -> int:
        """Tell the size of all layers together."""
        return self.flat.numel() * self.flat.element_size()

    @property
    def largest(self) -> int:
        """Tell the longest stretch, in numbers."""
        return max(stretch.length for stretch in self.stretches)


Named = dict[str, Tensor | tuple[Tensor, ...]]
"""A layer's weights by the names its functions use; several are stacked"""


def pack(layers: Sequence[Named], dtype: torch.dtype, device: torch.device) -> Packed:
    """Lay the layers out in one flat host tensor, pinned for a CUDA device; the parameters become views of it."""
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
        _pin(flat)
    return packed


def _layout(sources: tuple[Tensor, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Stack on the first dimension; convolution kernels channels-last, a temporal one without its last dimension."""
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


def _pin(flat: Tensor) -> None:
    """Register the memory with CUDA: exact, where torch's pinned allocator would round up to a power of two."""
    runtime: Any = torch.cuda.cudart()
    address = flat.data_ptr()
    if int(runtime.cudaHostRegister(address, flat.numel() * flat.element_size(), 0)) != 0:
        log.warning("could not pin %d MiB of host memory; copies to the GPU will be slower", flat.nbytes >> 20)
        return
    weakref.finalize(flat.untyped_storage(), runtime.cudaHostUnregister, address)
