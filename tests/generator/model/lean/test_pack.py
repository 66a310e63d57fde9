"""Flat weights: aligned for kernels, and still the module's own."""

from __future__ import annotations

import pytest
import torch

from generator.model.lean.pinned import PinnedMemory
from tests.support.tiny_unet import SHAPES, TOLERANCE, UNetCase


def test_weights_start_where_kernels_want_them() -> None:
    packed = UNetCase(5, SHAPES["square"]).packed.body
    assert all(entry.offset * 4 % 256 == 0 for stretch in packed.stretches for entry in stretch.entries)


def test_the_packed_module_still_answers_for_itself() -> None:
    case = UNetCase(5, SHAPES["square"])
    assert (case.answer() - case.expected).abs().max() < TOLERANCE
    ends = case.packed.ends
    views = ends.stretches[0].views(ends.host(0)).values()
    assert case.module.conv_in.weight.data_ptr() in {view.data_ptr() for view in views}, "nothing is held twice"


def test_no_more_memory_is_pinned_than_this_process_may_and_what_is_freed_counts_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[int] = []

    class Runtime:
        def cudaHostRegister(self, address: int, size: int, flags: int) -> int:  # noqa: N802 - CUDA's name
            asked.append(size)
            return 0

        def cudaHostUnregister(self, address: int) -> int:  # noqa: N802 - CUDA's name
            asked.append(-1)
            return 0

    monkeypatch.setattr(torch.cuda, "cudart", Runtime)
    pinned, card = PinnedMemory(most=10_000), torch.device("cuda")
    first, second = torch.zeros(2000), torch.zeros(1000)
    pinned.pin(first, card)
    pinned.pin(second, card)
    assert (asked, pinned.bytes) == ([8000], 8000)
    assert "are not pinned" in caplog.text
    del first
    pinned.pin(second, card)
    assert (asked, pinned.bytes) == ([8000, -1, 4000], 4000)
