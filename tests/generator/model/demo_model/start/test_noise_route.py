"""The route by which the UNet hears the move from its first step on."""

from __future__ import annotations

from typing import Any

import torch

from generator.model.demo_model.architecture import LATENT_CHANNELS, build_networks
from generator.model.demo_model.camera_motion import mix_moves, read_numbers
from generator.model.demo_model.start.noise_route import numbers_heard, route_mask


def _hear(unet: Any, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the shares that a clip's noise says, and what is heard after the mid block's attention."""
    heard: list[torch.Tensor] = []
    hook = unet.mid_block.attentions[0].register_forward_hook(lambda _module, _inputs, output: heard.append(output[0]))
    rng = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 4, LATENT_CHANNELS, 16, 24, generator=rng)
    picture = torch.randn(1, 4, LATENT_CHANNELS, 16, 24, generator=rng)
    with torch.no_grad():
        ids = torch.tensor([[6.0, 127.0, 0.02]])
        unet(torch.cat([noise, picture], 2), torch.tensor(1.6), torch.zeros(1, 1, 32), added_time_ids=ids)
    hook.remove()
    return mix_moves(read_numbers(noise))[0], numbers_heard(heard[0])


def test_a_new_unet_hears_the_shares_that_the_noise_says() -> None:
    unet = build_networks(seed=0).unet
    for seed in range(3):
        shares, heard = _hear(unet, seed)
        assert float((heard.mean((0, 2, 3)) - shares).abs().max()) < 0.02
        assert float(heard.std((0, 2, 3)).max()) < 0.005  # the same at all positions
        # Control: what another seed's noise says is far off.
        assert float((heard.mean((0, 2, 3)) - _hear(unet, seed + 10)[0]).abs().max()) > 0.2


def test_what_is_trained_cannot_drown_the_shares() -> None:
    unet = build_networks(seed=0).unet
    masks = route_mask(unet)
    with torch.no_grad():
        for weight, mask in zip(unet.parameters(), masks, strict=True):
            weight.copy_(torch.where(mask, weight, 3 * weight + 0.05))
    shares, heard = _hear(unet, 0)
    assert float((heard.mean((0, 2, 3)) - shares).abs().max()) < 0.02
    # Control: one layer norm of the route changed as a training would change it is noticed.
    with torch.no_grad():
        unet.mid_block.attentions[0].temporal_transformer_blocks[0].norm3.weight[28:30] *= 0.5
    changed = _hear(unet, 0)[1]
    assert float((changed.mean((0, 2, 3)) - shares).abs().max()) > 0.02


def test_only_the_route_is_kept_from_training() -> None:
    unet = build_networks(seed=0).unet
    masks = route_mask(unet)
    assert [mask.shape for mask in masks] == [weight.shape for weight in unet.parameters()]
    share = sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)
    assert 0.01 < share < 0.2
