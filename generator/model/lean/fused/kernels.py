"""The operations of `plain`, each as one Triton kernel that reads and writes every element once.

All kernels compute in single precision and round once, on storing. Sums are added in a fixed order, so that a clip is
the same every time. Importing this module needs Triton, and building a kernel needs a C compiler; built kernels are
kept on disk. Integers that differ from call to call are not specialized: each value would be another kernel to build.
"""

from __future__ import annotations

import torch

from generator.model.lean.fused.mixes import blend_back, blend_frame_conv, frame_attention, frame_conv, gated
from generator.model.lean.fused.norms import add, add_norm, channel_sums, norm_factors, scale_shift

__all__ = [
    "add",
    "add_norm",
    "blend_back",
    "blend_frame_conv",
    "build",
    "channel_sums",
    "frame_attention",
    "frame_conv",
    "gated",
    "norm_factors",
    "scale_shift",
]

_WIDTHS = (320, 640, 1280)
"""the channels of every level of SVD's UNet"""


def build(device: torch.device, dtype: torch.dtype) -> None:
    """Build every kernel that a clip of Stable Video Diffusion needs, by calling each once on small tensors."""
    for channels in _WIDTHS:
        clip = torch.zeros(2, 25, 128, channels, dtype=dtype, device=device)
        frames, vector, mix = (
            clip.flatten(0, 1),
            clip[0, 0, 0],
            clip.new_zeros(1),
        )  # `mix` apart: torch writes to no operand
        sums = channel_sums(clip)
        factor, offset = norm_factors(sums, 25 * 128, vector, vector, 1e-5)
        norm_factors(sums, 25 * 128, vector, vector, 1e-5, vector)
        for silu in (False, True):
            scale_shift(clip, factor, offset, silu=silu)
        filters = clip.new_zeros(channels, channels, 3, 1).contiguous(memory_format=torch.channels_last)
        add(frames, frames, vector, frames)
        frame_conv(clip, filters)
        blend_frame_conv(clip, filters, vector, mix, clip)
        gated(frames[0], clip.new_zeros(8 * channels, channels), clip.new_zeros(8 * channels))
        add_norm(clip, vector, vector)
        add_norm(clip, vector, vector, first=vector[None, None, None], then=vector)
        blend_back(clip.transpose(1, 2).contiguous(), clip, mix)
        frame_attention(clip.new_zeros(128, 25, 3 * channels), channels // 64)
