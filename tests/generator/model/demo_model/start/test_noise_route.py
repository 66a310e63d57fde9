"""The route by which the UNet hears the move from its first step on."""

from __future__ import annotations

import torch

from generator.model.demo_model.architecture import LATENT_CHANNELS, build_networks
from generator.model.demo_model.camera_motion import read_numbers
from generator.model.demo_model.start.noise_route import numbers_heard, route_mask


def test_a_new_unet_hears_the_numbers_in_the_noise() -> None:
    unet = build_networks(seed=0).unet
    heard: list[torch.Tensor] = []
    unet.mid_block.attentions[0].register_forward_hook(lambda _module, _inputs, output: heard.append(output[0]))
    said = []
    for seed in range(3):
        rng = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, 4, LATENT_CHANNELS, 16, 24, generator=rng)
        picture = torch.randn(1, 4, LATENT_CHANNELS, 16, 24, generator=rng)
        with torch.no_grad():
            ids = torch.tensor([[6.0, 127.0, 0.02]])
            unet(torch.cat([noise, picture], 2), torch.tensor(1.6), torch.zeros(1, 1, 32), added_time_ids=ids)
        said.append(read_numbers(noise)[0])
    numbers, found = torch.stack(said), torch.stack([numbers_heard(each).mean((0, 2, 3)) for each in heard])
    scale = (numbers * found).sum() / found.square().sum()
    assert float((scale * found - numbers).norm() / numbers.norm()) < 0.2
    # Control: what another seed's noise says is far off.
    assert float((scale * found.roll(1, 0) - numbers).norm() / numbers.norm()) > 0.8
    assert float(numbers_heard(heard[0]).std((0, 2, 3)).max()) < 0.3  # the same at all positions


def test_only_the_route_is_kept_from_training() -> None:
    unet = build_networks(seed=0).unet
    masks = route_mask(unet)
    assert [mask.shape for mask in masks] == [weight.shape for weight in unet.parameters()]
    share = sum(int(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)
    assert 0.01 < share < 0.2
