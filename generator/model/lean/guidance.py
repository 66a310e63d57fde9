"""What the picture and the settings tell the UNet, and the UNet with classifier-free guidance as a denoiser.

Tested in tests/generator/model/lean/test_render.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from generator.model.lean.chunks import Check
from generator.model.lean.unet import ClipConstants, LeanUNet
from generator.model.sampling import model_input, to_clean


@dataclass(frozen=True, slots=True)
class Conditioning:
    """What the picture and the settings say to the UNet."""

    context: Tensor
    """items x 1 x width; the unconditional item, all zero, first where the clip is guided"""
    picture: Tensor
    """height x width x channels: the picture's latents"""
    guidance: Tensor | None
    """frames x 1 x 1 x 1; None: not guided"""


@dataclass(frozen=True, slots=True)
class GuidedUNet:
    """The UNet with classifier-free guidance as a denoiser."""

    unet: LeanUNet
    conditioning: Conditioning
    constants: ClipConstants
    split: bool
    check: Check
    dtype: torch.dtype

    def denoise(self, noisy: Tensor, sigma: float, step: int) -> Tensor:
        """Give the clean latents expected at `sigma`."""
        scaled = model_input(noisy, sigma).to(self.dtype)
        picture = self.conditioning.picture.expand_as(scaled)
        pictured = torch.cat([scaled, picture], -1)[None]
        guidance = self.conditioning.guidance
        if guidance is None:
            return to_clean(self.unet(pictured, self.constants, step, self.check)[0], noisy, sigma)
        # The unconditional half sees neither the picture's latents nor its embedding.
        plain = torch.cat([scaled, torch.zeros_like(picture)], -1)[None]
        if self.split:
            without = self.unet(plain, self.constants, step, self.check, item=0)[0].float()
            guided = self.unet(pictured, self.constants, step, self.check, item=1)[0].float()
        else:
            without, guided = self.unet(torch.cat([plain, pictured]), self.constants, step, self.check).float()
        return to_clean(without + guidance * (guided - without), noisy, sigma)
