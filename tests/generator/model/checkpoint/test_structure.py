"""What modules consist of, against diffusers' and transformers' own classes."""

from __future__ import annotations

from typing import Any

import pytest

from generator.model.checkpoint.structure import complete, decoder_blocks, expected_shapes, unet_blocks
from generator.model.random_weights import full_image_encoder, full_unet, full_vae
from tests.support.tiny_checkpoint import tiny_image_encoder, tiny_unet, tiny_vae

MODULES = {
    "full unet": full_unet,
    "full vae": full_vae,
    "full image_encoder": full_image_encoder,
    "tiny unet": tiny_unet,
    "tiny vae": tiny_vae,
    "tiny image_encoder": tiny_image_encoder,
}


def settings_of(module: Any) -> dict[str, Any]:
    config = module.config
    return config.to_diff_dict() if hasattr(config, "to_diff_dict") else dict(config)


@pytest.mark.parametrize("which", MODULES)
def test_every_tensor_of_a_module_is_known_with_its_shape(which: str) -> None:
    module, name = MODULES[which](), which.split()[1]
    found = expected_shapes(name, complete(name, settings_of(module)))
    assert found == {key: tuple(value.shape) for key, value in module.state_dict().items()}


@pytest.mark.parametrize("make", [full_unet, tiny_unet])
def test_the_unets_norms_have_their_classes_eps(make: Any) -> None:
    module = make()
    down, middle, up = unet_blocks(complete("unet", settings_of(module)))
    theirs = [*module.down_blocks, module.mid_block, *module.up_blocks]
    for block, their in zip((*down, middle, *up), theirs, strict=True):
        for resnet in their.resnets:
            norms = {resnet.spatial_res_block.norm1.eps, resnet.temporal_res_block.norm2.eps}
            assert norms == {block.eps}, block.path
        heads = [attention.transformer_blocks[0].attn1.heads for attention in getattr(their, "attentions", ())]
        assert set(heads) == ({block.heads} if block.heads else set())


def test_the_decoders_norms_have_their_classes_eps() -> None:
    module = full_vae()
    middle, up = decoder_blocks(complete("vae", settings_of(module)))
    for block, their in zip((middle, *up), [module.decoder.mid_block, *module.decoder.up_blocks], strict=True):
        assert {resnet.spatial_res_block.norm1.eps for resnet in their.resnets} == {block.eps}
        assert {resnet.temporal_res_block.norm1.eps for resnet in their.resnets} == {1e-5}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("unet", {"in_channels": "x", "block_out_channels": ["a"]}),
        ("unet", {"down_block_types": ["DownBlock2D"] * 4}),
        ("unet", {"transformer_layers_per_block": 2}),
        ("unet", {"layers_per_block": [1]}),
        ("vae", {"down_block_types": ["AttnDownEncoderBlock2D"]}),
        ("image_encoder", {"hidden_act": "relu"}),
    ],
)
def test_a_configuration_of_something_else_is_an_error(name: str, change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, IndexError)):
        expected_shapes(name, complete(name, change))
