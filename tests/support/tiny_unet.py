"""A small random UNet, one input, and what diffusers answers to it: what the lean UNet must answer as well."""

from __future__ import annotations

import torch

from generator.model.lean.residency import WeightSource
from generator.model.lean.unet import LeanUNet
from tests.support.checkpoints import packed_unet_of
from tests.support.tiny_checkpoint import tiny_unet

CPU = torch.device("cpu")
SHAPES = {"landscape": (8, 16), "portrait": (16, 8), "square": (8, 8)}
"""height and width in latent cells"""
TOLERANCE = 1e-4
IDS = (6.0, 127.0, 0.02)
TIME = 1.3


def no_check() -> None:
    """Do not cancel."""


class UNetCase:
    """A packed UNet, its input and diffusers' answer."""

    def __init__(self, frames: int, shape: tuple[int, int]) -> None:
        torch.manual_seed(frames)
        self.module = tiny_unet(frames, levels=3)
        self.frames = frames
        self.sample = torch.randn(2, frames, 8, *shape)
        self.context = torch.randn(2, 1, 32)
        self.context[0] = 0
        self.expected = self.answer()
        self.packed = packed_unet_of(self.module, CPU)

    @torch.no_grad()
    def answer(self) -> torch.Tensor:
        """Return what diffusers' module computes."""
        ids = torch.tensor([IDS] * 2)
        out: torch.Tensor = self.module(self.sample, torch.tensor(TIME), self.context, ids, return_dict=False)[0]
        return out

    @property
    def channels_last(self) -> torch.Tensor:
        """Return the input as the lean UNet needs it, items x frames x height x width x channels."""
        return self.sample.permute(0, 1, 3, 4, 2).contiguous()

    @torch.no_grad()
    def error(self, weights: WeightSource, frames_per_chunk: int, *, split: bool = False) -> float:
        """Return the lean UNet's largest difference to diffusers' answer."""
        unet = LeanUNet(self.packed, weights, CPU, frames_per_chunk)
        constants = unet.prepare(self.context, IDS, [TIME], self.frames)
        given = self.channels_last
        if split:
            halves = [unet(given[item : item + 1], constants, 0, no_check, item=item) for item in (0, 1)]
            out = torch.cat(halves)
        else:
            out = unet(given, constants, 0, no_check)
        return float((out.permute(0, 1, 4, 2, 3) - self.expected).abs().max())
