"""The last block of a new UNet hands out what lies where the camera looks, before any training."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from generator.model.demo_model.architecture import LATENT_CHANNELS, LATENT_FACTOR, build_networks
from generator.model.demo_model.motion import fixed_weights
from generator.model.demo_model.start.fetching import FAINT, WAVES, fetch, waves

HEIGHT, WIDTH = 24, 32
INSIDE = (slice(None), slice(4, -4), slice(4, WIDTH - 8))


@pytest.fixture(scope="module")
def unet() -> Any:
    return build_networks(seed=0).unet


def picture() -> Tensor:
    """Return latents whose channels have means and contrasts of their own, (1, channels, HEIGHT, WIDTH)."""
    rng = torch.Generator().manual_seed(0)
    small = torch.randn(1, LATENT_CHANNELS, HEIGHT // 4, WIDTH // 4, generator=rng)
    contrast, mean = (torch.rand(1, LATENT_CHANNELS, 1, 1, generator=rng) for _ in range(2))
    return (0.5 + contrast) * functional.interpolate(small, (HEIGHT, WIDTH), mode="bicubic") + mean - 0.5


def places() -> tuple[Tensor, Tensor]:
    y, x = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    return x * LATENT_FACTOR, y * LATENT_FACTOR


@torch.no_grad()
def handed_out(unet: Any, content: Tensor, right: float, size: float = FAINT) -> Tensor:
    """Return the clip that the last layers predict if the waves say: look `right` pixels further."""
    x, y = places()
    pairs = torch.stack([content, -content], 2).flatten(1, 2) * size
    channels = unet.conv_norm_out.num_channels
    others = torch.zeros(1, channels - 2 * WAVES - pairs.shape[1], HEIGHT, WIDTH)
    hidden = torch.cat([torch.cat([waves(x + right, y), waves(x, y)])[None], pairs, others], 1)
    alone = torch.zeros(1, 1)  # one frame, and no picture's embedding
    found = unet.up_blocks[-1].attentions[0](hidden, torch.zeros(1, 1, 32), alone, return_dict=False)[0]
    clip: Tensor = -unet.conv_out(unet.conv_act(unet.conv_norm_out(found)))
    return clip


@pytest.mark.parametrize("right", [0.0, 12.0, 13.5])
def test_what_is_handed_out_is_what_exact_looks_find(unet: Any, right: float) -> None:
    content, (x, y) = picture(), places()
    wanted = fetch(content, x[None] + right, y[None], LATENT_FACTOR)[0][INSIDE]
    error = handed_out(unet, content, right)[0][INSIDE] - wanted
    assert float(error.square().mean().sqrt()) < 0.05
    # Control: what lies two pixels further is something else.
    further = handed_out(unet, content, right + 2)[0][INSIDE] - wanted
    assert float(further.square().mean().sqrt()) > 0.1


def test_whole_cells_further_lies_the_picture_itself(unet: Any) -> None:
    content = picture()
    error = handed_out(unet, content, 3 * LATENT_FACTOR)[0][INSIDE] - content[0].roll(-3, 2)[INSIDE]
    assert float(error.square().mean().sqrt()) < 0.1


def test_colours_and_contrasts_survive_the_group_norms_only_while_they_are_faint(unet: Any) -> None:
    content = picture()
    found = handed_out(unet, content, 0)[0]
    assert float((found.mean((1, 2)) - content[0].mean((1, 2))).abs().max()) < 0.03
    assert float((found.std((1, 2)) / content[0].std((1, 2)) - 1).abs().max()) < 0.1
    # Control: a group norm makes loud latents all of one contrast.
    loud = handed_out(unet, content, 0, size=1.0)[0]
    assert float((loud.std((1, 2)) / content[0].std((1, 2)) - 1).abs().max()) > 0.3


def test_what_a_training_step_would_drown_is_fixed(unet: Any) -> None:
    """A training may change all that is not fixed: what is looked at stays the same."""
    masks = fixed_weights(unet)
    changed = build_networks(seed=0).unet
    attention, block = changed.up_blocks[-1].attentions[0], changed.up_blocks[-1]
    looking = attention.transformer_blocks[0].attn1
    with torch.no_grad():
        for weight, mask in zip(changed.parameters(), (masks.get(each) for each in unet.parameters()), strict=True):
            weight.add_(0.01 * (torch.ones_like(weight) if mask is None else ~mask))
    for name in ("to_q", "to_k"):
        there = unet.up_blocks[-1].attentions[0].transformer_blocks[0].attn1
        assert torch.equal(getattr(looking, name).weight, getattr(there, name).weight)
    faint = slice(2 * WAVES, 2 * WAVES + 2 * LATENT_CHANNELS)
    resnet = block.resnets[0].spatial_res_block
    assert float(resnet.conv2.weight.detach()[faint].abs().max()) == 0
    assert float(resnet.conv_shortcut.weight.detach()[faint].abs().max()) == pytest.approx(FAINT)
    # Control: other rows did change.
    assert float(resnet.conv2.weight.detach()[faint.stop :].abs().max()) > 0.009
