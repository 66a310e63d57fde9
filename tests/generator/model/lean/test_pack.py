"""Flat weights: aligned for kernels, read once from their files, whatever the files' precision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from generator.errors import WeightsUnavailable
from generator.model.checkpoint.stored import stored_tensors
from generator.model.lean.naming import name_attention, name_below
from generator.model.lean.pack import Packed, pack
from generator.model.lean.pinned import PinnedMemory
from tests.support.tiny_unet import CPU, SHAPES, UNetCase

WEIGHTS = {
    "conv.weight": torch.randn(6, 4, 3, 3),
    "time.weight": torch.randn(6, 4, 3, 1, 1),
    "attn.to_q.weight": torch.randn(4, 4),
    "attn.to_k.weight": torch.randn(4, 4),
    "attn.to_v.weight": torch.randn(4, 4),
    "attn.to_out.0.bias": torch.randn(4),
}


def test_weights_start_where_kernels_want_them() -> None:
    packed = UNetCase(5, SHAPES["square"]).packed.body
    assert all(entry.offset * 4 % 256 == 0 for stretch in packed.stretches for entry in stretch.entries)


def packed_file(path: Path, stored: torch.dtype, wanted: torch.dtype) -> Packed:
    save_file({name: weight.to(stored) for name, weight in WEIGHTS.items()}, path)
    weights = stored_tensors((path,))
    layers = [name_below(weights, "conv", "conv") | name_below(weights, "time", "time")]
    return pack([*layers, name_attention(weights, "attn", "attn")], wanted, CPU)


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("wanted", [torch.float16, torch.bfloat16, torch.float32])
def test_a_file_of_any_precision_is_laid_out_in_any_other(
    tmp_path: Path, stored: torch.dtype, wanted: torch.dtype
) -> None:
    packed = packed_file(tmp_path / "weights.safetensors", stored, wanted)
    first, second = packed.layers(packed.place(CPU))
    expected = {name: weight.to(stored).to(wanted) for name, weight in WEIGHTS.items()}
    assert torch.equal(first["conv.weight"], expected["conv.weight"])
    assert first["conv.weight"].is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(first["time.weight"], expected["time.weight"][..., 0])
    joined = torch.cat([expected[f"attn.to_{part}.weight"] for part in "qkv"])
    assert torch.equal(second["attn.to_qkv.weight"], joined)
    assert torch.equal(second["attn.to_out.bias"], expected["attn.to_out.0.bias"])


def test_weights_in_host_memory_are_read_once(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    packed = packed_file(path, torch.float32, torch.float16)
    flat = packed.flat
    path.write_bytes(b"")
    assert packed.flat is flat and packed.place(CPU) is flat


def test_weights_that_are_replaced_by_a_new_file_are_still_those_that_were_opened(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    packed = packed_file(path, torch.float32, torch.float32)
    (tmp_path / "new").write_bytes(b"something else")
    (tmp_path / "new").rename(path)
    assert torch.equal(packed.layers(packed.flat)[0]["conv.weight"], WEIGHTS["conv.weight"])


def test_a_file_that_is_cut_short_after_it_was_opened_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    packed = packed_file(path, torch.float32, torch.float32)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 4)
    with pytest.raises(WeightsUnavailable) as caught:
        _ = packed.flat
    assert caught.value.data["why"] == "damaged" and str(path) in caught.value.data["remedy"]


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
