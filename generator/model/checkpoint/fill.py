"""Read weights from files into the memory where they are used, several at once, and lay them out there.

Tested in tests/generator/model/lean/test_pack.py.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from generator.model.checkpoint.stored import StoredTensor

log = logging.getLogger(__name__)

READERS = min(8, os.cpu_count() or 1)
CHUNK_BYTES = 16 * 1024 * 1024
"""of pinned memory for each reader: copies from pinned memory alone are as fast as the bus"""


def fill(targets: Sequence[tuple[Tensor, Tensor | StoredTensor]]) -> None:
    """Copy each weight into the tensor beside it, of the same shape and any strides and precision.

    Raises WeightsUnavailable.
    """
    reader = _Reader()
    if not any(isinstance(source, StoredTensor) for _, source in targets):
        for target, source in targets:
            reader.fill(target, source)
        return
    with ThreadPoolExecutor(READERS, thread_name_prefix="weights") as readers:
        for _ in readers.map(lambda pair: reader.fill(*pair), targets):
            pass


def _pinned(length: int) -> Tensor:
    """Return memory that is pinned where that is possible; copies from other memory are slower."""
    try:
        return torch.empty(length, dtype=torch.uint8, pin_memory=True)
    except RuntimeError as error:
        log.warning("could not pin %d MiB of host memory: %s", length >> 20, str(error).splitlines()[0])
        return torch.empty(length, dtype=torch.uint8)


class _Reader(threading.local):
    """Reads one weight after the other. Each thread has memory of its own for what cannot be read in place."""

    def __init__(self) -> None:
        self._memory = torch.empty(0, dtype=torch.uint8)

    @torch.no_grad()
    def fill(self, target: Tensor, source: Tensor | StoredTensor) -> None:
        if isinstance(source, Tensor):
            target.copy_(source)
        elif target.device.type == "cuda":
            target.copy_(self._upload(source, target.device))  # laid out, and converted, by the device
        elif target.dtype == source.dtype and target.is_contiguous():
            source.read(target.view(-1).view(torch.uint8))
        else:
            if len(self._memory) < source.nbytes:
                self._memory = torch.empty(source.nbytes, dtype=torch.uint8)
            target.copy_(source.read(self._memory))

    def _upload(self, source: StoredTensor, device: torch.device) -> Tensor:
        """Return the weight as it is in its file, on a CUDA device."""
        if not len(self._memory):
            self._memory = _pinned(CHUNK_BYTES)
        uploaded = torch.empty(source.nbytes, dtype=torch.uint8, device=device)
        for start in range(0, source.nbytes, CHUNK_BYTES):
            part = uploaded[start : start + CHUNK_BYTES]
            part.copy_(source.read_part(start, self._memory[: len(part)]), non_blocking=True)
            torch.cuda.current_stream(device).synchronize()  # the memory is written again
        return uploaded.view(source.dtype).view(source.shape)
