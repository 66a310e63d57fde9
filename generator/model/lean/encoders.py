"""The image encoder and the VAE's encoder: small modules of which all weights are on the device for one call.

Tested in tests/generator/model/lean/test_render.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from generator.model.lean.pack import Packed, pack

# What CLIP was trained with; the image_encoder folders of all SVD checkpoints say the same.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
CLIP_SIZE = 224
"""pixels per side; StableVideoDiffusionPipeline has no other either"""


@dataclass(frozen=True, slots=True)
class PackedModule:
    """A module that stays in host memory, its weights in flat memory: only copies of its weights go to the device."""

    module: nn.Module
    packed: Packed

    def on_device(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return the module's parameters in `dtype`, and its buffers in their own, on `device`, by their names."""
        flat = self.packed.host(0).to(device, non_blocking=True).to(dtype)
        tensors = dict(self.packed.stretches[0].views(flat))
        return tensors | {name: buffer.to(device) for name, buffer in self.module.named_buffers()}

    def __call__(self, tensors: dict[str, Tensor], *arguments: Tensor) -> Any:
        """Run the module with `tensors`, which `on_device` returned, instead of its own parameters."""
        return functional_call(self.module, tensors, arguments)


def pack_module(module: nn.Module, device: torch.device) -> PackedModule:
    """Pack a module's parameters, to be copied to `device`; the module stays usable."""
    parameters = dict(module.named_parameters())
    dtype = next(iter(parameters.values())).dtype
    return PackedModule(module, pack([dict(parameters)], dtype, device))


class VaeEncoder(nn.Module):
    """The half of the VAE that encodes, as a module of its own: it alone runs in single precision."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.quant_conv = vae.quant_conv

    def forward(self, picture: Tensor) -> Tensor:
        """Return the mode of the latents' distribution, 1 x channels x height x width in latent cells.

        `picture` is 1 x 3 x height x width in pixels, from -1 to 1. The latents are not scaled.
        """
        moments: Tensor = self.quant_conv(self.encoder(picture))
        return moments.chunk(2, dim=1)[0]
