"""Tensors that lie in safetensors files: known by their headers, read when their place in memory is ready.

Each page that a process touches for the first time costs more than to copy one: nothing is read to memory of its own.
Tested in tests/generator/model/checkpoint/test_layout.py and tests/generator/model/test_loaded.py.
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from generator.model.checkpoint.layout import damaged, read_header, unreadable

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
"""as the format names them; integers are no weights"""


class _File:
    """An open file. What was opened stays readable when the file is replaced by another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise unreadable(path, error) from error
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor's bytes in a file."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    file: _File
    offset: int

    @property
    def nbytes(self) -> int:
        """Return how many bytes it has in the file."""
        return self.dtype.itemsize * math.prod(self.shape)

    def read(self, memory: Tensor) -> Tensor:
        """Read it into `memory`, contiguous uint8 on the CPU and at least as long, and return it as a view of that.

        Raises WeightsUnavailable.
        """
        return self.read_part(0, memory[: self.nbytes]).view(self.dtype).view(self.shape)

    def load(self) -> Tensor:
        """Return it in memory of its own. Raises WeightsUnavailable."""
        return self.read(torch.empty(self.nbytes, dtype=torch.uint8))

    def read_part(self, start: int, memory: Tensor) -> Tensor:
        """Read its bytes from `start` on into the whole of `memory`, contiguous uint8 on the CPU, and return that.

        Raises WeightsUnavailable.
        """
        _read_into(self.file, self.offset + start, memory)
        return memory


def _read_into(file: _File, offset: int, memory: Tensor) -> None:
    rest = memory.numpy().data
    while rest:
        try:
            got = os.preadv(file.descriptor, [rest], offset)
        except OSError as error:
            raise unreadable(file.path, error) from error
        if not got:
            raise damaged(f"{file.path} is cut short.")
        rest, offset = rest[got:], offset + got


def stored_tensors(paths: tuple[Path, ...]) -> dict[str, StoredTensor]:
    """Return the tensors of safetensors files by their names. Raises WeightsUnavailable unless they are whole."""
    return {name: tensor for path in paths for name, tensor in _tensors_of(path)}


def _tensors_of(path: Path) -> Iterator[tuple[str, StoredTensor]]:
    found = read_header(path)
    file = _File(path)
    start = int.from_bytes(os.pread(file.descriptor, 8, 0), "little") + 8
    for name, item in found.items():
        if name == "__metadata__" or (dtype := _DTYPES.get(item.get("dtype"))) is None:
            continue
        tensor = StoredTensor(tuple(item["shape"]), dtype, file, start + item["data_offsets"][0])
        if item["data_offsets"][1] - item["data_offsets"][0] != tensor.nbytes:
            raise damaged(f"{path} is no safetensors file.")
        yield name, tensor
