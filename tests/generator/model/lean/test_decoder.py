"""The lean decoder against diffusers' own, in single precision, and decoding by windows of frames."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers.models.resnet import AlphaBlender
from torch.utils.flop_counter import FlopCounterMode

from generator.model.lean.decoder import LeanDecoder, decode_windows
from generator.model.lean.residency import ResidentWeights, StreamedWeights
from tests.support.checkpoints import packed_decoder_of
from tests.support.tiny_checkpoint import tiny_vae
from tests.support.tiny_unet import CPU, TOLERANCE, no_check


@pytest.mark.parametrize("frames", [1, 2, 14])
@torch.no_grad()
def test_the_exact_decode_is_diffusers_full_decode(frames: int) -> None:
    torch.manual_seed(frames)
    vae = tiny_vae(levels=3)
    latents = torch.randn(frames, 4, 6, 8)
    expected = vae.decode(latents, num_frames=frames).sample
    packed = packed_decoder_of(vae, CPU)
    for source in (ResidentWeights, StreamedWeights):
        decoder = LeanDecoder(packed, source(packed.body, CPU))
        out = torch.stack(list(decoder.decode(latents.permute(0, 2, 3, 1).contiguous(), no_check)))
        assert (out.permute(0, 3, 1, 2) - expected).abs().max() < TOLERANCE


@pytest.mark.parametrize("alone", [False, True])
@torch.no_grad()
def test_a_cpu_decodes_with_fewer_operations_than_diffusers(alone: bool) -> None:
    torch.manual_seed(0)
    vae = tiny_vae(levels=3)
    if alone:  # as in the demo model, whose decoder was trained on single frames
        for module in vae.decoder.modules():
            if isinstance(module, torch.nn.Conv3d) and module.kernel_size == (3, 1, 1):
                module.weight[:, :, ::2] = 0
    latents = torch.randn(5, 4, 6, 8)
    with FlopCounterMode(display=False) as theirs:
        expected = vae.decode(latents, num_frames=5).sample
    packed = packed_decoder_of(vae, CPU)
    decoder = LeanDecoder(packed, ResidentWeights(packed.body, CPU))
    with FlopCounterMode(display=False) as ours:
        out = torch.stack(list(decoder.decode(latents.permute(0, 2, 3, 1).contiguous(), no_check)))
    assert (out.permute(0, 3, 1, 2) - expected).abs().max() < TOLERANCE
    assert ours.get_total_flops() < (0.85 if alone else 1) * theirs.get_total_flops()


@pytest.mark.parametrize("factor", [-1e4, -20.0])
@torch.no_grad()
def test_temporal_halves_without_a_share_are_neither_read_nor_computed(factor: float) -> None:
    """With a factor of -20 the share is no more than 2e-9, but it is not 0: the negative control."""
    torch.manual_seed(0)
    vae = tiny_vae(levels=3)
    latents = torch.randn(3, 4, 6, 8)
    whole = packed_decoder_of(vae, CPU)
    for module in vae.decoder.modules():
        if isinstance(module, AlphaBlender):
            torch.nn.init.constant_(module.mix_factor, factor)
    expected = vae.decode(latents, num_frames=3).sample
    packed = packed_decoder_of(vae, CPU)
    decoder = LeanDecoder(packed, ResidentWeights(packed.body, CPU))
    with FlopCounterMode(display=False) as ours:
        out = torch.stack(list(decoder.decode(latents.permute(0, 2, 3, 1).contiguous(), no_check)))
    assert (out.permute(0, 3, 1, 2) - expected).abs().max() < TOLERANCE
    skipped = factor == -1e4
    assert (packed.body.flat.nbytes < 0.85 * whole.body.flat.nbytes) == skipped
    with FlopCounterMode(display=False) as theirs:
        vae.decode(latents, num_frames=3)
    assert (ours.get_total_flops() < 0.8 * theirs.get_total_flops()) == skipped


@torch.no_grad()
def test_windows_come_nearer_to_the_full_decode_than_disjoint_chunks() -> None:
    torch.manual_seed(0)
    vae = tiny_vae(levels=2)
    latents = (0.1 * torch.randn(25, 4, 4, 4)).cumsum(0)
    packed = packed_decoder_of(vae, CPU)
    decoder = LeanDecoder(packed, ResidentWeights(packed.body, CPU))
    maps = latents.permute(0, 2, 3, 1).contiguous()

    def decode(chunk: torch.Tensor) -> Iterator[torch.Tensor]:
        return decoder.decode(chunk, no_check)

    exact = torch.stack(list(decode(maps)))
    windowed = torch.stack(list(decode_windows(decode, maps, 8, 3)))
    chunked = torch.cat([torch.stack(list(decode(chunk))) for chunk in maps.split(8)])
    assert windowed.shape == exact.shape
    assert (windowed - exact).abs().mean() < (chunked - exact).abs().mean()


def test_windows_keep_every_frame_in_order() -> None:
    for count in (1, 7, 8, 9, 13, 25, 50):
        frames = torch.arange(count, dtype=torch.float32)[:, None]
        assert torch.equal(torch.stack(list(decode_windows(iter, frames, 8, 3))), frames)
