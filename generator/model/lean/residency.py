"""What of a packed module's weights is on the device while it runs: all layers, or a few at a time in a ring of slots.

The packed weights in host memory are only read: nothing is ever copied back.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from generator.memory import RING_SLOTS
from generator.model.lean.pack import LayerWeights, Packed


class WeightSource(Protocol):
    """Returns layers' weights on the device."""

    def layer(self, index: int) -> LayerWeights:
        """Return one layer's weights; they are valid until the next call."""
        ...


class ResidentWeights:
    """Every layer on the device; on the CPU that is the packed memory itself."""

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self._layers = packed.layers(packed.place(device))

    def layer(self, index: int) -> LayerWeights:
        """Return one layer's weights; they stay valid."""
        return self._layers[index]


class StreamedWeights:
    """A ring of a few slots, filled in advance on a CUDA stream for copies.

    Layers must be asked for in order, the first one again after the last. Any other order is right but slow: the ring
    starts again.
    """

    def __init__(self, packed: Packed, device: torch.device) -> None:
        self._packed = packed
        self._count = len(packed.stretches)
        self._slots = [torch.empty(packed.largest, dtype=packed.dtype, device=device) for _ in range(RING_SLOTS)]
        self._views: dict[tuple[int, int], LayerWeights] = {}
        self._cuda = device.type == "cuda"
        self._copying = torch.cuda.Stream(device) if self._cuda else None
        self._copied: list[torch.cuda.Event | None] = [None] * RING_SLOTS
        self._asked = 0
        """layers returned since the start; the slot of the n-th is n modulo RING_SLOTS"""
        self._filled = 0
        """layers whose copy was started since the start"""
        self._first = 0
        """the layer that was asked for at the start"""

    def layer(self, index: int) -> LayerWeights:
        """Return one layer's weights once they have arrived, and start to copy the next ones."""
        if index != (self._first + self._asked) % self._count:
            self._restart(index)
        # The layer before this one is queued on the compute stream: its slot is free once that has run.
        self._fill(self._asked + RING_SLOTS)
        slot = self._asked % RING_SLOTS
        arrived = self._copied[slot]
        if arrived is not None:
            arrived.wait()
        self._asked += 1
        return self._views_of(index, slot)

    def _restart(self, index: int) -> None:
        """Start at `index`: at the first call, or after a render that was left halfway."""
        self._first, self._asked, self._filled = index, 0, 0

    def _fill(self, until: int) -> None:
        """Start to copy the layers up to the `until`-th. The copies wait, on the device, until the slots are free."""
        if self._copying is not None:
            self._copying.wait_stream(torch.cuda.current_stream())
        while self._filled < until:
            slot = self._filled % RING_SLOTS
            source = self._packed.host((self._first + self._filled) % self._count)
            self._copied[slot] = self._copy(self._slots[slot][: source.numel()], source)
            self._filled += 1

    def _copy(self, target: Tensor, source: Tensor) -> torch.cuda.Event | None:
        if self._copying is None:
            target.copy_(source)
            return None
        with torch.cuda.stream(self._copying):
            target.copy_(source, non_blocking=True)
            done = torch.cuda.Event()
            done.record(self._copying)
        return done

    def _views_of(self, index: int, slot: int) -> LayerWeights:
        key = (index, slot)
        if key not in self._views:
            stretch = self._packed.stretches[index]
            self._views[key] = stretch.views(self._slots[slot][: stretch.length])
        return self._views[key]
