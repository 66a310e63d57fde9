"""What a checkpoint's modules consist of: their blocks in order of use, and the shape of every tensor. No torch.

It follows diffusers' and transformers' classes, whose import takes seconds. The tests compare it with them.
Tested in tests/generator/model/checkpoint/test_structure.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Config = Mapping[str, Any]
Shapes = dict[str, tuple[int, ...]]

# What the classes take for a setting that a configuration leaves out; transformers writes none that is the default.
_UNET_DEFAULTS = {
    "in_channels": 8,
    "out_channels": 4,
    "down_block_types": ("CrossAttnDownBlockSpatioTemporal",) * 3 + ("DownBlockSpatioTemporal",),
    "up_block_types": ("UpBlockSpatioTemporal",) + ("CrossAttnUpBlockSpatioTemporal",) * 3,
    "block_out_channels": (320, 640, 1280, 1280),
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 768,
    "layers_per_block": 2,
    "cross_attention_dim": 1024,
    "transformer_layers_per_block": 1,
    "num_attention_heads": (5, 10, 20, 20),
}
_VAE_DEFAULTS = {
    "in_channels": 3,
    "out_channels": 3,
    "down_block_types": ("DownEncoderBlock2D",),
    "block_out_channels": (64,),
    "layers_per_block": 1,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
    "force_upcast": True,
}
_IMAGE_ENCODER_DEFAULTS = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "projection_dim": 512,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "unet": _UNET_DEFAULTS,
    "vae": _VAE_DEFAULTS,
    "image_encoder": _IMAGE_ENCODER_DEFAULTS,
}
ACTIVATIONS = ("gelu", "quick_gelu")


@dataclass(frozen=True, slots=True)
class Block:
    """Resnets of one level, transformers or attentions after some of them, and what changes the level's size."""

    path: str
    inputs: tuple[int, ...]
    """channels of each resnet's input, the skip included"""
    width: int
    """channels of each resnet's output"""
    eps: float
    """of the spatial norms"""
    heads: int = 0
    """0: no transformers"""
    context: int = 0
    """width of the transformers' context"""
    sampler: str | None = None
    """the path of the convolution that halves the maps' sides, or follows their doubling"""


def complete(name: str, given: Config) -> dict[str, Any]:
    """Return a module's configuration with all settings that are needed. `name` is the module's in the checkpoint."""
    return DEFAULTS[name] | dict(given)


def unet_blocks(config: Config) -> tuple[list[Block], Block, list[Block]]:
    """Return the blocks of UNetSpatioTemporalConditionModel: down, middle, up.

    Raises ValueError, TypeError or IndexError for a configuration of something else.
    """
    widths = [int(width) for width in config["block_out_channels"]]
    levels = len(widths)
    layers = _for_each(config["layers_per_block"], levels)
    heads = _for_each(config["num_attention_heads"], levels)
    contexts = _for_each(config["cross_attention_dim"], levels)
    if set(_for_each(config["transformer_layers_per_block"], levels)) != {1}:
        raise ValueError("transformers of several blocks, which no Stable Video Diffusion model has")
    crossed = [_is_crossed(kind, "DownBlockSpatioTemporal") for kind in config["down_block_types"]]
    up_crossed = [_is_crossed(kind, "UpBlockSpatioTemporal") for kind in config["up_block_types"]]
    if len(crossed) != levels or len(up_crossed) != levels:
        raise ValueError("as many blocks down as up, and a width for each, are needed")
    down = []
    for i, width in enumerate(widths):
        inputs = (widths[max(i - 1, 0)], *[width] * (layers[i] - 1))[: layers[i]]
        sampler = f"down_blocks.{i}.downsamplers.0.conv" if i < levels - 1 else None
        block = Block(f"down_blocks.{i}", inputs, width, 1e-6 if crossed[i] else 1e-5, sampler=sampler)
        down.append(replace(block, heads=heads[i], context=contexts[i]) if crossed[i] else block)
    middle = Block("mid_block", (widths[-1],) * 2, widths[-1], 1e-5, heads[-1], contexts[-1])
    up = []
    for i, level in enumerate(reversed(range(levels))):
        width, below = widths[level], widths[min(level + 1, levels - 1)]
        skips = [width] * layers[level] + [widths[max(level - 1, 0)]]
        inputs = tuple(skip + (width if j else below) for j, skip in enumerate(skips))
        sampler = f"up_blocks.{i}.upsamplers.0.conv" if level else None
        block = Block(f"up_blocks.{i}", inputs, width, 1e-6, sampler=sampler)
        up.append(replace(block, heads=heads[level], context=contexts[level]) if up_crossed[i] else block)
    return down, middle, up


def decoder_blocks(config: Config) -> tuple[Block, list[Block]]:
    """Return the blocks of AutoencoderKLTemporalDecoder's decoder: middle, up."""
    widths, layers = [int(width) for width in config["block_out_channels"]], int(config["layers_per_block"])
    last = len(widths) - 1
    middle = Block("decoder.mid_block", (widths[-1],) * layers, widths[-1], 1e-6)
    up = []
    for i, level in enumerate(reversed(range(len(widths)))):
        path, before = f"decoder.up_blocks.{i}", widths[min(level + 1, last)]
        sampler = f"{path}.upsamplers.0.conv" if level else None
        up.append(Block(path, (before, *[widths[level]] * layers), widths[level], 1e-6, sampler=sampler))
    return middle, up


def encoder_blocks(config: Config) -> tuple[list[Block], Block]:
    """Return the blocks of AutoencoderKLTemporalDecoder's encoder: down, middle."""
    widths, layers = [int(width) for width in config["block_out_channels"]], int(config["layers_per_block"])
    if list(config["down_block_types"]) != ["DownEncoderBlock2D"] * len(widths):
        raise ValueError("a VAE of other blocks than DownEncoderBlock2D")
    down = []
    for i, width in enumerate(widths):
        path, inputs = f"encoder.down_blocks.{i}", (widths[max(i - 1, 0)], *[width] * (layers - 1))[:layers]
        sampler = f"{path}.downsamplers.0.conv" if i < len(widths) - 1 else None
        down.append(Block(path, inputs, width, 1e-6, sampler=sampler))
    return down, Block("encoder.mid_block", (widths[-1],) * 2, widths[-1], 1e-6)


def expected_shapes(name: str, config: Config) -> Shapes:
    """Return the shape of every tensor of a module with this complete configuration.

    Raises ValueError, TypeError, KeyError or IndexError for a configuration of something else.
    """
    return {"unet": _unet_shapes, "vae": _vae_shapes, "image_encoder": _image_encoder_shapes}[name](config)


def _for_each(value: Any, count: int) -> list[int]:
    values = [int(item) for item in value] if isinstance(value, Sequence) and not isinstance(value, str) else None
    if values is not None and len(values) != count:
        raise ValueError(f"{count} values are needed, not {values}")
    return [int(value)] * count if values is None else values


def _is_crossed(kind: str, plain: str) -> bool:
    if kind not in (plain, f"CrossAttn{plain}"):
        raise ValueError(f"no {plain}: {kind}")
    return kind != plain


def _unet_shapes(config: Config) -> Shapes:
    down, middle, up = unet_blocks(config)
    first = down[0].width
    time = 4 * first
    shapes = _conv("conv_in", config["in_channels"], first) | _conv("conv_out", first, config["out_channels"])
    shapes |= _norm("conv_norm_out", first) | _embedding("time_embedding", first, time, time)
    shapes |= _embedding("add_embedding", config["projection_class_embeddings_input_dim"], time, time)
    for block in (*down, middle, *up):
        shapes |= _mixed_block(block, time)
        for j in range(len(block.inputs) - (block is middle)) if block.heads else ():
            shapes |= _transformer(f"{block.path}.attentions.{j}", block.width, block.context)
    return shapes


def _vae_shapes(config: Config) -> Shapes:
    shapes = _encoder_shapes(config)
    middle, up = decoder_blocks(config)
    first, last, out = middle.width, up[-1].width, config["out_channels"]
    shapes |= _conv("decoder.conv_in", config["latent_channels"], first) | _conv("decoder.conv_out", last, out)
    shapes |= _norm("decoder.conv_norm_out", last) | _conv("decoder.time_conv_out", out, out, 3, 1, 1)
    for block in (middle, *up):
        shapes |= _mixed_block(block, None)
    return shapes | _pixel_attention("decoder.mid_block.attentions.0", first)


def _encoder_shapes(config: Config) -> Shapes:
    down, middle = encoder_blocks(config)
    first, last, out = down[0].width, middle.width, 2 * config["latent_channels"]
    shapes = _conv("encoder.conv_in", config["in_channels"], first) | _conv("encoder.conv_out", last, out)
    shapes |= _norm("encoder.conv_norm_out", last) | _conv("quant_conv", out, out, 1, 1)
    for block in (*down, middle):
        for j, inner in enumerate(block.inputs):
            shapes |= _resnet(f"{block.path}.resnets.{j}", inner, block.width, None, (3, 3))
        if block.sampler:
            shapes |= _conv(block.sampler, block.width, block.width)
    return shapes | _pixel_attention("encoder.mid_block.attentions.0", last)


def _image_encoder_shapes(config: Config) -> Shapes:
    if config["hidden_act"] not in ACTIVATIONS:
        raise ValueError(f"another activation than {ACTIVATIONS}: {config['hidden_act']}")
    width, patch = int(config["hidden_size"]), int(config["patch_size"])
    inside, positions = "vision_model.embeddings", (int(config["image_size"]) // patch) ** 2 + 1
    shapes: Shapes = {
        f"{inside}.class_embedding": (width,),
        f"{inside}.patch_embedding.weight": (width, config["num_channels"], patch, patch),
        f"{inside}.position_embedding.weight": (positions, width),
        "visual_projection.weight": (config["projection_dim"], width),
    }
    shapes |= _norm("vision_model.pre_layrnorm", width) | _norm("vision_model.post_layernorm", width)
    for i in range(config["num_hidden_layers"]):
        path = f"vision_model.encoder.layers.{i}"
        shapes |= _norm(f"{path}.layer_norm1", width) | _norm(f"{path}.layer_norm2", width)
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            shapes |= _linear(f"{path}.self_attn.{part}", width, width)
        shapes |= _linear(f"{path}.mlp.fc1", width, config["intermediate_size"])
        shapes |= _linear(f"{path}.mlp.fc2", config["intermediate_size"], width)
    return shapes


def _mixed_block(block: Block, time: int | None) -> Shapes:
    shapes: Shapes = {}
    for j, inner in enumerate(block.inputs):
        path = f"{block.path}.resnets.{j}"
        shapes |= _resnet(f"{path}.spatial_res_block", inner, block.width, time, (3, 3))
        shapes |= _resnet(f"{path}.temporal_res_block", block.width, block.width, time, (3, 1, 1))
        shapes[f"{path}.time_mixer.mix_factor"] = (1,)
    return shapes | (_conv(block.sampler, block.width, block.width) if block.sampler else {})


def _resnet(path: str, inner: int, outer: int, time: int | None, kernel: tuple[int, ...]) -> Shapes:
    shapes = _norm(f"{path}.norm1", inner) | _conv(f"{path}.conv1", inner, outer, *kernel)
    shapes |= _norm(f"{path}.norm2", outer) | _conv(f"{path}.conv2", outer, outer, *kernel)
    if time is not None:
        shapes |= _linear(f"{path}.time_emb_proj", time, outer)
    return shapes | (_conv(f"{path}.conv_shortcut", inner, outer, 1, 1) if inner != outer else {})


def _transformer(path: str, width: int, context: int) -> Shapes:
    shapes = _norm(f"{path}.norm", width) | _embedding(f"{path}.time_pos_embed", width, 4 * width, width)
    shapes |= _linear(f"{path}.proj_in", width, width) | _linear(f"{path}.proj_out", width, width)
    shapes[f"{path}.time_mixer.mix_factor"] = (1,)
    spatial, temporal = f"{path}.transformer_blocks.0", f"{path}.temporal_transformer_blocks.0"
    for half in (spatial, temporal):
        shapes |= _merged(_norm(f"{half}.norm{number}", width) for number in (1, 2, 3))
        shapes |= _attention(f"{half}.attn1", width, width, bias=False) | _feed_forward(f"{half}.ff", width)
        shapes |= _attention(f"{half}.attn2", width, context, bias=False)
    return shapes | _norm(f"{temporal}.norm_in", width) | _feed_forward(f"{temporal}.ff_in", width)


def _attention(path: str, width: int, context: int, *, bias: bool) -> Shapes:
    shapes = _linear(f"{path}.to_q", width, width, bias=bias) | _linear(f"{path}.to_out.0", width, width)
    return shapes | _merged(_linear(f"{path}.{part}", context, width, bias=bias) for part in ("to_k", "to_v"))


def _pixel_attention(path: str, width: int) -> Shapes:
    return _norm(f"{path}.group_norm", width) | _attention(path, width, width, bias=True)


def _feed_forward(path: str, width: int) -> Shapes:
    return _linear(f"{path}.net.0.proj", width, 8 * width) | _linear(f"{path}.net.2", 4 * width, width)


def _embedding(path: str, inner: int, hidden: int, outer: int) -> Shapes:
    return _linear(f"{path}.linear_1", inner, hidden) | _linear(f"{path}.linear_2", hidden, outer)


def _linear(path: str, inner: int, outer: int, *, bias: bool = True) -> Shapes:
    return {f"{path}.weight": (outer, inner)} | ({f"{path}.bias": (outer,)} if bias else {})


def _conv(path: str, inner: int, outer: int, *kernel: int) -> Shapes:
    return {f"{path}.weight": (outer, inner, *(kernel or (3, 3))), f"{path}.bias": (outer,)}


def _norm(path: str, width: int) -> Shapes:
    return {f"{path}.weight": (width,), f"{path}.bias": (width,)}


def _merged(some: Iterable[Shapes]) -> Shapes:
    return {key: shape for shapes in some for key, shape in shapes.items()}
