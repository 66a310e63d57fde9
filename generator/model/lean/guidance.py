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
    """What the UNet is told of the picture and of the guidance."""

    context: Tensor
    """items x 1 x width: the picture's embedding; in a guided clip the unconditional item, all zero, comes first"""
    picture: Tensor
    """height x width x channels in latent cells: the picture's latents"""
    guidance: Tensor | None
    """frames x 1 x 1 x 1: the guidance scale of each frame; None: not guided"""


@dataclass(frozen=True, slots=True)
class GuidedUNet:
    """The UNet with classifier-free guidance as a denoiser."""

    unet: LeanUNet
    conditioning: Conditioning
    constants: ClipConstants
    split: bool
    """compute the unconditional and the conditional half one after the other"""
    check: Check
    dtype: torch.dtype

    def denoise(self, noisy: Tensor, sigma: float, step: int) -> Tensor:
        """Return the clean latents that the model expects behind `noisy`. See `sampling.Denoise`.

        Both are frames x height x width x channels, in single precision.
        """
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
