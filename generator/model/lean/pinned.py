"""Pin host memory for copies to a CUDA device, within this process's part of what the machine has.

Tested in tests/generator/model/lean/test_pack.py and tests/generator/model/test_gpu.py.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from typing import Any

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class PinnedMemory:
    """What is pinned now, and the most that may be."""

    def __init__(self, most: int | None = None) -> None:
        self.most = most
        """bytes; None: no limit"""
        self.bytes = 0
        self._counting = threading.RLock()  # several modules are pinned at once, and memory may be freed in between

    def pin(self, flat: Tensor, device: torch.device) -> None:
        """Register the memory with CUDA. torch's own pinned allocator would round its size up to a power of two.

        What is over the limit or refused stays as it is, and a warning says so: it is copied all the same.
        """
        size = flat.nbytes
        with self._counting:
            if self.most is not None and self.bytes + size > self.most:
                log.warning(
                    "%d MiB of host memory are not pinned, as %d of at most %d are; copies to the GPU will be slower",
                    *(size >> 20, self.bytes >> 20, self.most >> 20),
                )
                return
            self.bytes += size
        runtime: Any = torch.cuda.cudart()
        address = flat.data_ptr()
        if int(runtime.cudaHostRegister(address, size, 0)) != 0:
            log.warning("could not pin %d MiB of host memory; copies to the GPU will be slower", size >> 20)
            self._count_freed(size)
            _take_error(device)
            return
        weakref.finalize(flat.untyped_storage(), self._unpin, address, size)

    def _unpin(self, address: int, size: int) -> None:
        runtime: Any = torch.cuda.cudart()
        runtime.cudaHostUnregister(address)
        self._count_freed(size)

    def _count_freed(self, size: int) -> None:
        with self._counting:
            self.bytes -= size


PINNED = PinnedMemory()
"""of this process, which renders on one card; whoever starts it sets the limit"""


def _take_error(device: torch.device) -> None:
    """Take the error of a failed call out of CUDA's state: the next kernel reports it as its own, whatever it does."""
    with contextlib.suppress(RuntimeError):
        torch.zeros(1, device=device)
