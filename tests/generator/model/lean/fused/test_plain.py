"""The plain functions where they take another way on a CPU."""

from __future__ import annotations

import pytest
import torch

from generator.model.lean.fused import plain


@pytest.mark.parametrize("shape", [(3, 50, 64), (2, 4, 7, 32), (1, 1, 32)])
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_sums_on_a_cpu_are_those_of_every_position(shape: tuple[int, ...], mean: float) -> None:
    torch.manual_seed(0)
    maps = torch.randn(shape) + mean
    rows = maps.double().flatten(1, -2)
    total, squares = plain.channel_sums(maps)[:, :, 0].double()
    assert torch.allclose(total, rows.sum(1), rtol=1e-5, atol=1e-4)
    assert torch.allclose(squares, rows.square().sum(1), rtol=1e-5)


@pytest.mark.parametrize("neighbours", [0.0, 1.0])
def test_a_kernel_that_sees_one_frame_alone_convolves_like_any_other(neighbours: float) -> None:
    torch.manual_seed(0)
    clips, bias = torch.randn(2, 5, 6, 32), torch.randn(64)
    weight = torch.randn(64, 32, 3, 1)
    weight[:, :, ::2] *= neighbours
    weight = weight.contiguous(memory_format=torch.channels_last)
    expected = torch.nn.functional.conv2d(clips.permute(0, 3, 1, 2), weight, bias, padding=(1, 0)).permute(0, 2, 3, 1)
    assert (plain.convolve_frames(clips, weight, bias) - expected).abs().max() < 1e-5
