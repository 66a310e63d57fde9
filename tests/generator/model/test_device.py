"""What torch says when things go wrong, and which device is chosen."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from generator.errors import WeightsUnavailable
from generator.model.device import TorchDevice, why_unusable
from generator.model.gpu_trial import measure_rate
from generator.protocol import ExecutorConfig
from generator.variants import BUILT_IN


def device(name: str = "cpu") -> TorchDevice:
    return TorchDevice(ExecutorConfig(variants=BUILT_IN, device=name))


def test_a_real_allocation_that_fails_on_the_cpu_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**55, dtype=torch.uint8)
    assert device().is_out_of_memory(caught.value)
    assert not device().is_fatal(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 7.73 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.00 GB)"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        MemoryError(),
    ],
)
def test_every_message_of_out_of_memory_is_known(error: Exception) -> None:
    assert device().is_out_of_memory(error)
    assert not device().is_fatal(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: unspecified launch failure"),
        RuntimeError("HIP error: the operation cannot be performed in the present state"),
    ],
)
def test_errors_after_which_the_device_is_lost_are_fatal(error: Exception) -> None:
    assert device().is_fatal(error)
    assert not device().is_out_of_memory(error)


def test_the_rate_of_a_product_is_a_number_above_zero_and_a_cpu_is_not_measured_at_a_load() -> None:
    assert 0 < measure_rate(torch.device("cpu"), side=64) < 1000
    assert device().facts()["tflops"] is None


@pytest.mark.parametrize("wanted", [False, True])
def test_fast_math_changes_nothing_on_a_cpu_and_is_not_claimed(wanted: bool, caplog: pytest.LogCaptureFixture) -> None:
    made = TorchDevice(ExecutorConfig(variants=BUILT_IN, device="cpu", fast_math=wanted))
    assert made.facts()["fast_math"] is False
    assert ("fast_math changes nothing here" in caplog.text) is wanted
    assert not getattr(torch.backends.cuda.matmul, "allow_fp16_accumulation", False)


@pytest.mark.parametrize("error", [RuntimeError("shape '[3]' is invalid"), ValueError("CUDA error: said in a picture")])
def test_an_ordinary_mistake_is_neither(error: Exception) -> None:
    assert not device().is_fatal(error)
    assert not device().is_out_of_memory(error)


def test_the_cpu_computes() -> None:
    device().canary()
    assert device().facts()["device"] == "cpu"
    free = device().free_bytes()
    assert free is None or free > 2**28


@pytest.mark.parametrize(
    ("version", "fits"), [("1.13.1", False), ("2.5.1", False), ("2.6.0", True), ("2.13.0+cpu", True), ("10.0", True)]
)
def test_a_torch_that_is_too_old_is_refused(version: str, fits: bool) -> None:
    refusal = why_unusable("cpu", version)
    assert (refusal is None) == fits
    assert fits or "install torch 2.6" in str(refusal)


def test_a_card_beyond_the_last_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert "there is no cuda:2" in str(why_unusable("cuda:2", "2.6.0"))
    assert [why_unusable(name, "2.6.0") for name in ("cuda:1", "cuda", "auto")] == [None, None, None]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_sentence_when_a_variant_is_to_be_loaded() -> None:
    absent = device("cuda")
    with pytest.raises(WeightsUnavailable) as caught:
        absent.load(BUILT_IN["demo"], lambda progress: None)
    assert 'choose the device "cpu"' in caught.value.data["remedy"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_model_that_takes_hours_on_a_cpu_is_refused_before_its_download_unless_a_cpu_is_asked_for() -> None:
    nowhere = replace(BUILT_IN["svd-xt"], source="/nowhere", revision=None)
    with pytest.raises(WeightsUnavailable, match="a CPU takes hours"):
        device("auto").load(nowhere, lambda progress: None)
    with pytest.raises(WeightsUnavailable, match="missing"):
        device("cpu").load(nowhere, lambda progress: None)
    device("auto").load(BUILT_IN["demo"], lambda progress: None)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_auto_is_the_cpu_where_there_is_nothing_else() -> None:
    assert device("auto").facts()["device"] in {"cpu", "mps"}
