"""The layers' arithmetic where the tests of whole models do not reach."""

from __future__ import annotations

import torch

from generator.model.lean import layers


def test_without_a_fused_kernel_the_score_matrix_stays_small() -> None:
    query, key, value = (torch.randn(2, 3, 50, 8) for _ in range(3))
    whole = torch.nn.functional.scaled_dot_product_attention(query, key, value)

    class Elsewhere(torch.Tensor):
        """A tensor that says it is on a device without fused attention."""

        device = torch.device("mps")

    sliced = layers.attend(query.as_subclass(Elsewhere), key, value, max_score_bytes=6 * 50 * 4 * 7)
    assert torch.allclose(sliced.as_subclass(torch.Tensor), whole, atol=1e-6)
