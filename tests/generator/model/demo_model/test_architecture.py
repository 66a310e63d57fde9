"""The demo model's architecture as the training builds it: saved, described, and rendered by the lean pipeline."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from generator.model.checkpoint.structure import complete, expected_shapes
from generator.model.demo_model.architecture import LATENT_CHANNELS, VARIANT, Networks, build_networks, save_checkpoint
from generator.model.lean.decoder import LeanDecoder
from generator.model.lean.residency import ResidentWeights
from generator.model.lean.unet import LeanUNet
from generator.variants import variant_of_folder
from tests.support.checkpoints import packed_decoder_of, packed_unet_of
from tests.support.tiny_unet import CPU, IDS, TIME, TOLERANCE, no_check


@cache
def networks() -> Networks:
    return build_networks(0)


def test_the_structure_of_its_modules_is_known() -> None:
    for name in ("unet", "vae", "image_encoder"):
        module = getattr(networks(), name)
        config = module.config.to_dict() if hasattr(module.config, "to_dict") else dict(module.config)
        found = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        known = expected_shapes(name, complete(name, config))
        assert {key: found.get(key) for key in known} == known


@torch.no_grad()
def test_the_lean_unet_gives_diffusers_answer() -> None:
    torch.manual_seed(1)
    frames, sample, context = 3, torch.randn(1, 3, 2 * LATENT_CHANNELS, 8, 16), torch.randn(1, 1, 32)
    expected = networks().unet(sample, torch.tensor(TIME), context, torch.tensor([IDS]), return_dict=False)[0]
    packed = packed_unet_of(networks().unet, CPU)
    unet = LeanUNet(packed, ResidentWeights(packed.body, CPU), CPU, frames)
    out = unet(sample.permute(0, 1, 3, 4, 2).contiguous(), unet.prepare(context, IDS, [TIME], frames), 0, no_check)
    assert (out.permute(0, 1, 4, 2, 3) - expected).abs().max() < TOLERANCE * max(1, float(expected.abs().max()))


@torch.no_grad()
def test_the_lean_decoder_leaves_out_what_has_no_share_and_gives_diffusers_answer() -> None:
    torch.manual_seed(2)
    latents = torch.randn(3, LATENT_CHANNELS, 8, 12)
    expected = networks().vae.decode(latents, num_frames=3).sample
    packed = packed_decoder_of(networks().vae, CPU)
    decoder = LeanDecoder(packed, ResidentWeights(packed.body, CPU))
    out = torch.stack(list(decoder.decode(latents.permute(0, 2, 3, 1).contiguous(), no_check)))
    assert (out.permute(0, 3, 1, 2) - expected).abs().max() < TOLERANCE
    ours = sum(weight.numel() for name, weight in networks().vae.decoder.named_parameters() if "temporal" not in name)
    assert packed.body.flat.numel() < 1.1 * ours


def test_a_saved_checkpoint_says_which_sizes_and_settings_suit_it(tmp_path: Path) -> None:
    size = save_checkpoint(networks(), tmp_path)
    assert size <= 24_000_000
    variant = variant_of_folder(tmp_path)
    sizes = [list(each) for each in (variant.landscape, variant.portrait, variant.square)]
    assert sizes == [VARIANT[shape] for shape in ("landscape", "portrait", "square")]
    assert (variant.steps, variant.max_guidance, variant.frames) == (1, 1.0, 14)
