"""Which operations a tensor gets."""

from __future__ import annotations

import torch

from generator.model.lean.fused import plain
from generator.model.lean.fused.choice import operations


def test_on_a_cpu_they_are_plain() -> None:
    assert operations(torch.zeros(1)) is plain
