"""A ring of a few layers' weights: each has arrived before it is used, and the copy in host memory is only read."""

from __future__ import annotations

import torch

from generator.model.lean.pack import Packed
from generator.model.lean.residency import StreamedWeights
from tests.support.tiny_unet import CPU, SHAPES, TOLERANCE, UNetCase


class Forgetful(Packed):
    """The negative control: host memory whose later layers never arrive on the device."""

    def host(self, index: int) -> torch.Tensor:
        weights = super().host(index)
        return weights if index <= 4 else torch.zeros_like(weights)


def test_weights_that_do_not_arrive_are_noticed() -> None:
    case = UNetCase(5, SHAPES["square"])
    body = case.packed.body
    assert case.error(StreamedWeights(body, CPU), 5) < TOLERANCE
    assert not case.error(StreamedWeights(Forgetful(body.stretches, body.dtype, CPU), CPU), 5) < TOLERANCE


def test_streaming_reads_the_host_memory_and_never_writes_it() -> None:
    case = UNetCase(5, SHAPES["square"])
    body = case.packed.body
    before = body.flat.clone()
    case.error(StreamedWeights(body, CPU), 5)
    # As bits: between two layers lies memory that nobody wrote, and what it holds may not equal itself as a number.
    assert torch.equal(body.flat.view(torch.int32), before.view(torch.int32))


def test_a_pass_copies_each_layer_once_and_at_most_two_in_advance() -> None:
    case = UNetCase(5, SHAPES["square"])
    body = case.packed.body
    copied: list[int] = []

    class Counted(Packed):
        def host(self, index: int) -> torch.Tensor:
            copied.append(index)
            return super().host(index)

    case.error(StreamedWeights(Counted(body.stretches, body.dtype, CPU), CPU), 5)
    layers = list(range(len(body.stretches)))
    assert copied == layers + layers[: len(copied) - len(layers)]
    assert len(copied) <= len(layers) + 2
