"""The image encoder and the VAE's encoder: small whole modules that visit the device for one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from generator.model.lean.pack import Packed, pack


@dataclass(frozen=True, slots=True)
class PackedPart:
    """A module that never moves: its weights lie in flat host memory and are copied to the device for a call."""

    module: nn.Module
    packed: Packed

    def on_device(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        """Give the module's parameters and buffers on `device`, in `dtype`."""
        flat = self.packed.host(0).to(device, non_blocking=True).to(dtype)
        tensors = dict(self.packed.stretches[0].views(flat))
        return tensors | {name: buffer.to(device) for name, buffer in self.module.named_buffers()}

    def __call__(self, tensors: dict[str, Tensor], *arguments: Tensor) -> Any:
        """Run the module on the given tensors instead of its own."""
        return functional_call(self.module, tensors, arguments)


def pack_part(module: nn.Module, device: torch.device) -> PackedPart:
    """Pack a module's parameters; the module stays usable."""
    parameters = dict(module.named_parameters())
    dtype = next(iter(parameters.values())).dtype
    return PackedPart(module, pack([dict(parameters)], dtype, device))


class VaeEncoder(nn.Module):
    """The half of the VAE that makes latents, as a module of its own: it alone runs in single precision."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.encoder = vae.encoder
        self.quant_conv = vae.quant_conv

    def forward(self, picture: Tensor) -> Tensor:
        """Give the mode of the latents' distribution."""
        moments: Tensor = self.quant_conv(self.encoder(picture))
        return moments.chunk(2, dim=1)[0]
