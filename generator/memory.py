"""Choose a memory plan for a clip from the free bytes, predict its peak, and find the next smaller plan. No torch.

The coefficients come from counting every live tensor of a full-size render on torch's meta device. The tests count
again and compare the prediction with the count. Those of the stock pipeline were measured on a GPU.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from enum import StrEnum

from generator.errors import OutOfMemory, SettingsError, did_you_mean
from generator.variants import Variant

MIB = 1024**2
GIB = 1024**3


class PipelineKind(StrEnum):
    """Which pipeline renders: `lean` is ours, `stock` is diffusers' own, the reference."""

    LEAN = "lean"
    STOCK = "stock"


class Residency(StrEnum):
    """Where the UNet's weights are while it denoises."""

    RESIDENT = "resident"
    """on the device"""
    STREAMED = "streamed"
    """in pinned host memory, a few layers at a time on the device"""
    OFFLOAD = "offload"
    """stock pipeline only: one whole module at a time on the device, moved by accelerate's hooks"""


class Decode(StrEnum):
    """How latents become frames."""

    EXACT = "exact"
    """all frames together, identical to decoding the clip in one go"""
    WINDOWED = "windowed"
    """overlapping windows, cross-faded"""
    CHUNKED = "chunked"
    """disjoint chunks as diffusers does it; visible seams. Only on a person's or an operator's request"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryPlan:
    """How one clip is rendered. `rung` names the plan; a note tells the person when a smaller one had to be used."""

    rung: str
    pipeline: PipelineKind = PipelineKind.LEAN
    unet: Residency = Residency.RESIDENT
    keep_parts: bool = False
    """every module of the model stays on the device between phases and clips"""
    frames_per_chunk: int = 5
    """frames that a spatial layer computes together at full latent resolution; deeper layers, whose frames are
    smaller, compute as many as cost the same"""
    split_cfg: bool = False
    """compute the conditional and the unconditional half of a step one after the other"""
    decode: Decode = Decode.EXACT
    decode_frames: int = 0
    """frames per window or chunk; 0: all"""
    peak_bytes: int = 0
    """predicted peak of torch's allocations, in bytes; the driver's own context (about 0.5 GiB) comes on top"""


# SVD's modules in half precision, counted from diffusers' classes with svd-xt's configuration.
UNET_BYTES = 2527 * MIB
"""without the weights that are only needed to compute a clip's constants"""
STOCK_UNET_BYTES = 2908 * MIB
"""1,524,623,082 parameters of two bytes"""
LARGEST_LAYER_BYTES = 144 * MIB
IMAGE_ENCODER_BYTES = 1206 * MIB
DECODER_BYTES = 121 * MIB
ENCODER_BYTES = 131 * MIB
"""in single precision: the VAE's encoder runs in it"""

HOST_BYTES = STOCK_UNET_BYTES + IMAGE_ENCODER_BYTES + DECODER_BYTES + ENCODER_BYTES
"""what an executor on a GPU keeps of SVD in pinned host memory"""

RING_SLOTS = 3
WINDOW_FRAMES = 8
WINDOW_OVERLAP = 3

# A feed-forward layer's hidden rows under every plan: generator.model.lean.layers computes no more of them at a time.
HIDDEN_BYTES = 128 * MIB

BESIDE_TORCH_GIB = 0.9
"""what the driver's context and a desktop use of a card's memory before torch allocates anything"""

# Room for cuDNN's workspace, fragmentation and whatever else the counting cannot see.
MARGIN_BYTES = 400 * MIB


@dataclass(frozen=True, slots=True)
class ClipSize:
    """A clip's size in pixels and frames, from which memory is predicted."""

    width: int
    height: int
    frames: int

    @property
    def latent_map(self) -> int:
        """Return the bytes of one frame's activations at the UNet's full resolution.

        That is an eighth of each side and 320 channels, in half precision.
        """
        return (self.width // 8) * (self.height // 8) * 320 * 2

    @property
    def pixel_map(self) -> int:
        """Return the bytes of one frame's activations at the decoder's full resolution.

        That is every pixel and 128 channels, in half precision.
        """
        return self.width * self.height * 128 * 2


def decoded_together(plan: MemoryPlan, frames: int, wanted: int | None) -> int:
    """Return how many frames the VAE decodes together: as many as `wanted`, never more than the plan has room for."""
    most = min(frames, plan.decode_frames or frames)
    return min(most, wanted or most)


def denoise_bytes(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak bytes of the denoising phase: the activations and the UNet's weights on the device."""
    items = clip.frames * (1 if plan.split_cfg else 2)
    activations = (5.1 * items + 3.6 * min(plan.frames_per_chunk, items)) * clip.latent_map + HIDDEN_BYTES
    weights = UNET_BYTES if plan.unet is not Residency.STREAMED else RING_SLOTS * LARGEST_LAYER_BYTES
    return int(activations) + weights


def decode_bytes(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak bytes of the decoding phase, without the other modules' weights."""
    frames = clip.frames
    if plan.decode is Decode.WINDOWED:
        frames = min(frames, plan.decode_frames or WINDOW_FRAMES)
    return (frames + 5) * clip.pixel_map + DECODER_BYTES


def predict_peak(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak of torch's allocations over a whole render, in bytes."""
    if plan.pipeline is PipelineKind.STOCK:
        return _predict_stock_peak(plan, clip)
    denoise, decode = denoise_bytes(plan, clip), decode_bytes(plan, clip)
    if plan.keep_parts:
        others = IMAGE_ENCODER_BYTES + DECODER_BYTES + ENCODER_BYTES
        return max(denoise + others, decode + others - DECODER_BYTES + UNET_BYTES)
    encode = ENCODER_BYTES + 10 * clip.pixel_map
    return max(denoise, decode, encode, IMAGE_ENCODER_BYTES + 64 * MIB)


def _predict_stock_peak(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict by what was measured on an H200.

    A clip with offload peaked at 10.85 GiB, a decode of 8 frames at 9.27 GiB and one of 25 frames at 28.34 GiB.
    """
    denoise = STOCK_UNET_BYTES + int(29.2 * 2 * clip.frames * clip.latent_map)
    decode = 300 * MIB + int(7.98 * (plan.decode_frames or clip.frames) * clip.pixel_map)
    if plan.keep_parts:
        return max(denoise + DECODER_BYTES, decode + STOCK_UNET_BYTES) + IMAGE_ENCODER_BYTES
    return max(denoise, decode)


_LEAN_PLANS = (
    MemoryPlan(rung="full", keep_parts=True, frames_per_chunk=50),
    MemoryPlan(rung="resident", frames_per_chunk=25),
    MemoryPlan(rung="split", frames_per_chunk=13, split_cfg=True),
    MemoryPlan(rung="streamed", unet=Residency.STREAMED, frames_per_chunk=13, split_cfg=True),
    MemoryPlan(
        rung="minimal",
        unet=Residency.STREAMED,
        frames_per_chunk=13,
        split_cfg=True,
        decode=Decode.WINDOWED,
        decode_frames=WINDOW_FRAMES,
    ),
)
_STOCK_PLANS = (
    MemoryPlan(rung="stock", pipeline=PipelineKind.STOCK, keep_parts=True, decode=Decode.CHUNKED),
    MemoryPlan(
        rung="stock-chunked", pipeline=PipelineKind.STOCK, keep_parts=True, decode=Decode.CHUNKED, decode_frames=8
    ),
    MemoryPlan(
        rung="stock-offload",
        pipeline=PipelineKind.STOCK,
        unet=Residency.OFFLOAD,
        decode=Decode.CHUNKED,
        decode_frames=8,
    ),
)
_RUNG_OF_SETTING = {"full": "full", "model-offload": "resident", "lean": "split", "minimal": "minimal"}
_CAP = re.compile(r"^(\d+(?:\.\d+)?)\s?GiB$")
_OTHER_CAP = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(g|gb|gib)?\s*$", re.I)
"""how people write a cap as well"""


def presets(clip: ClipSize, pipeline: PipelineKind = PipelineKind.LEAN) -> list[MemoryPlan]:
    """Return the pipeline's plans for a clip, the largest first, each with its predicted peak."""
    plans = _STOCK_PLANS if pipeline is PipelineKind.STOCK else _LEAN_PLANS
    return [dataclasses.replace(plan, peak_bytes=predict_peak(plan, clip)) for plan in plans]


def plan_memory(
    free_bytes: int | None,
    variant: Variant,
    clip: ClipSize,
    memory: str = "auto",
    *,
    pipeline: PipelineKind = PipelineKind.LEAN,
) -> MemoryPlan:
    """Return the largest plan that fits into `free_bytes` (None: memory is no limit, as on a CPU).

    `memory` is the operator's setting: auto, a plan (full, model-offload, lean, minimal) or a cap such as "6GiB".
    Raises OutOfMemory when not even the smallest plan fits, SettingsError when `memory` is none of these.
    """
    check_memory(memory)
    free_bytes = None if variant.is_demo else _capped(free_bytes, memory)
    plans = presets(clip, pipeline)
    if memory in _RUNG_OF_SETTING:
        plans = [_named(plans, _RUNG_OF_SETTING[memory])]
    elif free_bytes is not None:
        plans = _fitting(plans, free_bytes)
    else:
        plans = plans[:1]
    return plans[0]


def check_memory(memory: str) -> None:
    """Raise SettingsError unless `memory` is a setting that `plan_memory` accepts."""
    if memory != "auto" and memory not in _RUNG_OF_SETTING and not _CAP.match(memory):
        size = _OTHER_CAP.match(memory)
        meant = f" Did you mean {size[1]}GiB?" if size else did_you_mean(memory, ["auto", *_RUNG_OF_SETTING])
        allowed = "auto, full, model-offload, lean, minimal or a cap like 6GiB"
        raise SettingsError(f"memory must be {allowed}, not {memory!r}{'.' if meant else ''}{meant}")


def _capped(free_bytes: int | None, memory: str) -> int | None:
    cap = _CAP.match(memory)
    if cap:
        return int(min(math.inf if free_bytes is None else free_bytes, float(cap[1]) * GIB))
    return free_bytes


def _fitting(plans: list[MemoryPlan], free_bytes: int) -> list[MemoryPlan]:
    fitting = [plan for plan in plans if plan.peak_bytes + MARGIN_BYTES <= free_bytes]
    if not fitting:
        require_room(plans[-1], free_bytes)
    return fitting


def require_room(plan: MemoryPlan, free_bytes: int) -> None:
    """Raise OutOfMemory unless a plan's predicted peak fits into `free_bytes`."""
    needed = plan.peak_bytes + MARGIN_BYTES
    if needed > free_bytes:
        raise OutOfMemory(
            f"needs {needed / GIB:.1f} GiB of GPU memory, {free_bytes / GIB:.1f} GiB are free",
            needed_gib=round(needed / GIB, 2),
            free_gib=round(free_bytes / GIB, 2),
        )


def _named(plans: list[MemoryPlan], rung: str) -> MemoryPlan:
    """Return the plan of that rung; if this pipeline has none, the largest for `full`, otherwise the smallest."""
    return next((plan for plan in plans if plan.rung == rung), plans[0] if rung == "full" else plans[-1])


def smaller_plan(plan: MemoryPlan, clip: ClipSize) -> MemoryPlan | None:
    """Return the plan to use after `plan` ran out of memory, or None when there is no smaller one."""
    plans = presets(clip, plan.pipeline)
    rungs = [other.rung for other in plans]
    below = rungs.index(plan.rung) + 1 if plan.rung in rungs else len(rungs)
    return next((other for other in plans[below:] if other.peak_bytes < plan.peak_bytes), None)
