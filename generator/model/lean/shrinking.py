"""Make a picture smaller as diffusers does it for SVD's image encoder: blurred first, so that no pattern arises.

Tested in tests/generator/model/lean/test_encoders.py.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch import Tensor


def shrink(pixels: Tensor, side: int) -> Tensor:
    """Return 1 x channels x side x side of 1 x channels x height x width pixels."""
    sigmas = [max((size / side - 1) / 2, 0.001) for size in pixels.shape[-2:]]
    # Each blur reaches two standard deviations to both sides, and an odd number of pixels.
    reaches = [int(max(4 * sigma, 3)) // 2 for sigma in sigmas]
    pixels = _blur(pixels, sigmas[1], reaches[1])
    pixels = _blur(pixels.mT, sigmas[0], reaches[0]).mT
    return F.interpolate(pixels, size=(side, side), mode="bicubic", align_corners=True)


def _blur(pixels: Tensor, sigma: float, reach: int) -> Tensor:
    """Blur along the last dimension. Beyond its ends the picture is mirrored."""
    offsets = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    rows = F.pad(pixels, (reach, reach, 0, 0), mode="reflect").flatten(0, 2)[:, None]
    return F.conv1d(rows, (weights / weights.sum())[None, None])[:, 0].view(pixels.shape)
