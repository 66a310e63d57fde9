"""Free memory and a clip -> a plan for rendering it, with its predicted peak, and the plan below it. Pure, no torch.

The coefficients come from counting every live tensor of a full-size render on torch's meta device; the tests count
again and hold the prediction to what they find. Those of the stock pipeline were measured.
"""

from __future__ import annotations

import dataclasses
import math
import re
from dataclasses import dataclass
from enum import StrEnum

from generator.errors import OutOfMemory, SettingsError
from generator.variants import Variant

MIB = 1024**2
GIB = 1024**3


class Pipeline(StrEnum):
    """Whose arithmetic: ours, or diffusers' own pipeline as the reference."""

    LEAN = "lean"
    STOCK = "stock"


class Weights(StrEnum):
    """Where the UNet's weights are while it denoises."""

    RESIDENT = "resident"
    """on the device"""
    STREAMED = "streamed"
    """in pinned host memory, a few layers at a time on the device"""
    OFFLOAD = "offload"
    """stock pipeline only: a whole part at a time, by accelerate's hooks"""


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
    """How one clip is rendered. `rung` names the preset; people read it on the card when a smaller one was taken."""

    rung: str
    pipeline: Pipeline = Pipeline.LEAN
    unet: Weights = Weights.RESIDENT
    keep_parts: bool = False
    """every part stays on the device between phases and clips"""
    frames_per_chunk: int = 5
    """frames a spatial layer takes together at full latent resolution; deeper layers take as many as cost the same"""
    split_cfg: bool = False
    """conditional and unconditional halves one after the other"""
    decode: Decode = Decode.EXACT
    decode_frames: int = 0
    """frames per window or chunk; 0: all"""
    compile: bool = False
    """compile the chunk functions beside the rendering, and use them once they are ready"""
    peak_bytes: int = 0
    """predicted peak of torch's allocations; the driver's own context (about 0.5 GiB) comes on top"""


# SVD's parts in half precision, counted from diffusers' classes with svd-xt's configuration.
UNET_BYTES = 2527 * MIB
"""without what folds away"""
STOCK_UNET_BYTES = 2908 * MIB
"""1,524,623,082 numbers"""
LARGEST_LAYER_BYTES = 144 * MIB
IMAGE_ENCODER_BYTES = 1206 * MIB
DECODER_BYTES = 121 * MIB
ENCODER_BYTES = 131 * MIB
"""in single precision, as it runs"""

RING_SLOTS = 3
WINDOW_FRAMES = 8
WINDOW_OVERLAP = 3

# A feed-forward's hidden rows, whatever the plan: generator.model.lean.layers takes no more of them at a time.
HIDDEN_BYTES = 128 * MIB

BESIDE_TORCH_GIB = 0.9
"""what the driver's context and a desktop take of a card before torch gets anything"""

# cuDNN workspace, fragmentation and what else the counting cannot see.
MARGIN_BYTES = 400 * MIB


@dataclass(frozen=True, slots=True)
class ClipSize:
    """What a plan's memory depends on."""

    width: int
    height: int
    frames: int

    @property
    def latent_map(self) -> int:
        """Bytes of one frame's activations at the UNet's full resolution: an eighth of each side, 320 channels."""
        return (self.width // 8) * (self.height // 8) * 320 * 2

    @property
    def pixel_map(self) -> int:
        """Bytes of one frame's activations at the decoder's full resolution: 128 channels."""
        return self.width * self.height * 128 * 2


def denoise_bytes(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak of the denoising phase: activations plus the weights held."""
    items = clip.frames * (1 if plan.split_cfg else 2)
    activations = (5.1 * items + 3.6 * min(plan.frames_per_chunk, items)) * clip.latent_map + HIDDEN_BYTES
    held = UNET_BYTES if plan.unet is not Weights.STREAMED else RING_SLOTS * LARGEST_LAYER_BYTES
    return int(activations) + held


def decode_bytes(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak of the decoding phase without what other parts hold."""
    frames = clip.frames
    if plan.decode is Decode.WINDOWED:
        frames = min(frames, plan.decode_frames or WINDOW_FRAMES)
    return (frames + 5) * clip.pixel_map + DECODER_BYTES


def compile_bytes(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict what compiling takes beside the rendering: an H100 measured 2.0 GiB for 25 frames a chunk, 3.4 for 50."""
    return int(0.6 * GIB) + 10 * min(plan.frames_per_chunk, 2 * clip.frames) * clip.latent_map


def predict_peak(plan: MemoryPlan, clip: ClipSize) -> int:
    """Predict the peak of torch's allocations over a whole render."""
    if plan.pipeline is Pipeline.STOCK:
        return _predict_stock_peak(plan, clip)
    denoise, decode = denoise_bytes(plan, clip), decode_bytes(plan, clip)
    if plan.keep_parts:
        others = IMAGE_ENCODER_BYTES + DECODER_BYTES + ENCODER_BYTES
        return max(denoise + others, decode + others - DECODER_BYTES + UNET_BYTES)
    encode = ENCODER_BYTES + 10 * clip.pixel_map
    return max(denoise, decode, encode, IMAGE_ENCODER_BYTES + 64 * MIB)


def _predict_stock_peak(plan: MemoryPlan, clip: ClipSize) -> int:
    """From what an H200 took: 10.85 GiB by offload, 9.27 GiB for a decode of 8 frames and 28.34 for one of 25."""
    denoise = STOCK_UNET_BYTES + int(29.2 * 2 * clip.frames * clip.latent_map)
    decode = 300 * MIB + int(7.98 * (plan.decode_frames or clip.frames) * clip.pixel_map)
    if plan.keep_parts:
        return max(denoise + DECODER_BYTES, decode + STOCK_UNET_BYTES) + IMAGE_ENCODER_BYTES
    return max(denoise, decode)


_LADDER = (
    MemoryPlan(rung="full", keep_parts=True, frames_per_chunk=50),
    MemoryPlan(rung="resident", frames_per_chunk=25),
    MemoryPlan(rung="split", frames_per_chunk=13, split_cfg=True),
    MemoryPlan(rung="streamed", unet=Weights.STREAMED, frames_per_chunk=13, split_cfg=True),
    MemoryPlan(
        rung="minimal",
        unet=Weights.STREAMED,
        frames_per_chunk=13,
        split_cfg=True,
        decode=Decode.WINDOWED,
        decode_frames=WINDOW_FRAMES,
    ),
)
_STOCK_LADDER = (
    MemoryPlan(rung="stock", pipeline=Pipeline.STOCK, keep_parts=True, decode=Decode.CHUNKED),
    MemoryPlan(rung="stock-chunked", pipeline=Pipeline.STOCK, keep_parts=True, decode=Decode.CHUNKED, decode_frames=8),
    MemoryPlan(
        rung="stock-offload", pipeline=Pipeline.STOCK, unet=Weights.OFFLOAD, decode=Decode.CHUNKED, decode_frames=8
    ),
)
_FIRST_RUNG = {"full": "full", "model-offload": "resident", "lean": "split", "minimal": "minimal"}
_CAP = re.compile(r"^(\d+(?:\.\d+)?)\s?GiB$")


def presets(clip: ClipSize, *, stock: bool = False) -> list[MemoryPlan]:
    """Give every rung for a clip, largest first, each with its predicted peak."""
    rungs = _STOCK_LADDER if stock else _LADDER
    return [dataclasses.replace(plan, peak_bytes=predict_peak(plan, clip)) for plan in rungs]


def plan_memory(
    free_bytes: int | None,
    variant: Variant,
    width: int,
    height: int,
    frames: int,
    wish: str = "auto",
    *,
    stock: bool = False,
    compile: bool = False,
) -> MemoryPlan:
    """Choose the largest rung that fits `free_bytes` (None: memory is not the device's own, as on a CPU).

    With `compile` a rung that has room to compile comes before a larger one that has not, as it is the faster.
    `wish` is auto, a rung's wish (full, model-offload, lean, minimal) or a cap such as "6GiB".
    Raises OutOfMemory when not even the smallest rung fits, SettingsError on a wish that is none.
    """
    check_memory(wish)
    clip = ClipSize(width, height, frames)
    free_bytes = None if variant.is_demo else _capped(free_bytes, wish)
    rungs = presets(clip, stock=stock)
    if wish in _FIRST_RUNG:
        rungs = [_named(rungs, _FIRST_RUNG[wish])]
    elif free_bytes is not None:
        rungs = _fitting(rungs, free_bytes)
    else:
        rungs = rungs[:1]
    for plan in rungs if compile else ():
        if _has_room_to_compile(plan, clip, free_bytes):
            return dataclasses.replace(plan, compile=True)
    return rungs[0]


def check_memory(memory: str) -> None:
    """Check the setting `memory`, as `plan_memory` takes it. Raises SettingsError when it is none."""
    if memory != "auto" and memory not in _FIRST_RUNG and not _CAP.match(memory):
        text = f"memory must be auto, full, model-offload, lean, minimal or a cap like 6GiB, not {memory!r}"
        raise SettingsError(text)


def _capped(free_bytes: int | None, wish: str) -> int | None:
    cap = _CAP.match(wish)
    if cap:
        return int(min(math.inf if free_bytes is None else free_bytes, float(cap[1]) * GIB))
    return free_bytes


def _fitting(rungs: list[MemoryPlan], free_bytes: int) -> list[MemoryPlan]:
    fitting = [plan for plan in rungs if plan.peak_bytes + MARGIN_BYTES <= free_bytes]
    if fitting:
        return fitting
    needed = rungs[-1].peak_bytes + MARGIN_BYTES
    raise OutOfMemory(
        f"needs {needed / GIB:.1f} GiB of GPU memory, {free_bytes / GIB:.1f} GiB are free",
        needed_gib=round(needed / GIB, 2),
        free_gib=round(free_bytes / GIB, 2),
    )


def _has_room_to_compile(plan: MemoryPlan, clip: ClipSize, free_bytes: int | None) -> bool:
    if plan.pipeline is Pipeline.STOCK or plan.unet is not Weights.RESIDENT or plan.split_cfg:
        return False  # the small rungs: nobody measured whether compiling makes up for what they cost
    return free_bytes is None or plan.peak_bytes + compile_bytes(plan, clip) + MARGIN_BYTES <= free_bytes


def _named(rungs: list[MemoryPlan], rung: str) -> MemoryPlan:
    """Give the rung of that name; where this ladder has none, the largest for `full` and else the smallest."""
    return next((plan for plan in rungs if plan.rung == rung), rungs[0] if rung == "full" else rungs[-1])


def ladder(plan: MemoryPlan, width: int, height: int, frames: int) -> MemoryPlan | None:
    """Give the next plan with a smaller peak to try after an out-of-memory, or None below the last rung.

    Below a plan that compiles comes the same without: what compiles beside it may have taken what was missing.
    """
    if plan.compile:
        return dataclasses.replace(plan, compile=False)
    rungs = presets(ClipSize(width, height, frames), stock=plan.pipeline is Pipeline.STOCK)
    names = [rung.rung for rung in rungs]
    below = names.index(plan.rung) + 1 if plan.rung in names else len(names)
    return next((rung for rung in rungs[below:] if rung.peak_bytes < plan.peak_bytes), None)
