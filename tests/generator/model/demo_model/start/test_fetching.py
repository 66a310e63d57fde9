"""The attention that fetches each latent from where the camera looks, before any training."""

from __future__ import annotations

import torch
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR, build_networks
from generator.model.demo_model.start.fetching import WAVES, prepare_fetching, waves

HEIGHT, WIDTH = 24, 32


def test_the_last_attention_fetches_what_lies_three_cells_further() -> None:
    unet = build_networks(seed=0).unet
    prepare_fetching(unet, LATENT_CHANNELS)
    attention = unet.up_blocks[-1].attentions[0]
    block = attention.transformer_blocks[0]
    rng = torch.Generator().manual_seed(0)
    small = torch.randn(1, LATENT_CHANNELS, HEIGHT // 4, WIDTH // 4, generator=rng)
    content = functional.interpolate(small, (HEIGHT, WIDTH), mode="bicubic")[0]
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    x, y = x * LATENT_FACTOR, y * LATENT_FACTOR
    others = torch.randn(64 - 2 * WAVES - LATENT_CHANNELS, HEIGHT, WIDTH, generator=rng)
    maps = torch.cat([waves(x + 3 * LATENT_FACTOR, y), waves(x, y), content, others])[None]
    with torch.no_grad():
        tokens = block.norm1(attention.proj_in(attention.norm(maps).permute(0, 2, 3, 1).flatten(1, 2)))
        start = 2 * WAVES + 2 * LATENT_CHANNELS
        fetched = block.attn1(tokens)[0, :, start : start + LATENT_CHANNELS].T.view(LATENT_CHANNELS, HEIGHT, WIDTH)
    inside = (slice(None), slice(4, -4), slice(4, WIDTH - 8))
    wanted, unmoved = content.roll(-3, 2)[inside].flatten(1), content[inside].flatten(1)
    found = fetched[inside].flatten(1)
    right = [float(torch.corrcoef(torch.stack([a, b]))[0, 1]) for a, b in zip(found, wanted, strict=True)]
    wrong = [float(torch.corrcoef(torch.stack([a, b]))[0, 1]) for a, b in zip(found, unmoved, strict=True)]
    assert min(right) > 0.8
    assert max(wrong) < min(right)
