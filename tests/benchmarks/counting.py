"""Count a render's live bytes and operations at full size on the meta device: no GPU, no weights, no arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.flop_counter import FlopCounterMode

from generator.memory import GIB, WINDOW_OVERLAP, Decode, MemoryPlan, Residency
from generator.model.lean.decoder import LeanDecoder, PackedDecoder, decode_windows
from generator.model.lean.pack import Packed
from generator.model.lean.residency import ResidentWeights, StreamedWeights
from generator.model.lean.unet import LeanUNet, PackedUNet
from tests.benchmarks.full_size import full_unet, full_vae
from tests.support.checkpoints import packed_decoder_of, packed_unet_of

META = torch.device("meta")
HALF = torch.float16


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all storages alive, and their peak, as the eager allocator does, without fragmentation.

    The storages of `packed` do not count: they are in host memory, which on the meta device looks like any other.
    """

    def __init__(self, packed: Sequence[Packed] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch has no annotation here
        self.peak = 0
        self._packed = {each.flat.untyped_storage()._cdata for each in packed}
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self._most = 0
        """an upper bound of the bytes alive: it contains storages freed since the last look"""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default and args[0].stride(1) == 1:
            # On CUDA the result of a channels-last convolution is channels-last; the meta kernel's is not.
            out = torch.empty_like(out, memory_format=torch.channels_last)
        made = [tensor.untyped_storage() for tensor in tree_iter(out) if isinstance(tensor, torch.Tensor)]
        fresh = [storage for storage in made if self._is_new(storage)]
        self._live |= {storage._cdata: (StorageWeakRef(storage), storage.nbytes()) for storage in fresh}
        self._most += sum(storage.nbytes() for storage in fresh)
        if self._most > self.peak:  # only then is it worth looking for freed storages
            self._live = {key: held for key, held in self._live.items() if not held[0].expired()}
            self._most = sum(size for _, size in self._live.values())
            self.peak = max(self.peak, self._most)
        return out

    def _is_new(self, storage: Any) -> bool:
        known = self._live.get(storage._cdata)
        return storage._cdata not in self._packed and (known is None or known[0].expired())


class FusedAttention(TorchFunctionMode):
    """Computes attention by a GPU's fused kernels; the meta device would allocate the score matrix."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        if query.shape[-1] <= 256:
            return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value)[0]
        return torch.ops.aten._scaled_dot_product_efficient_attention(query, key, value, None, False)[0]


@dataclass(frozen=True)
class Count:
    """The peak bytes of one phase, and its operations."""

    peak_bytes: int
    tflop: float

    @property
    def gib(self) -> float:
        return self.peak_bytes / GIB


def _count(work: Callable[[], Any], packed: Sequence[Packed] = ()) -> Count:
    """Count `work`, without the storages of `packed`."""
    with torch.no_grad(), FusedAttention(), FlopCounterMode(display=False) as flops, LiveBytes(packed) as live:
        work()
    return Count(live.peak, flops.get_total_flops() / 1e12)


@cache
def packed_unet() -> PackedUNet:
    return packed_unet_of(full_unet().to(HALF), META)


@cache
def packed_decoder() -> PackedDecoder:
    return packed_decoder_of(full_vae().to(HALF), META)


def _maps(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=HALF, device=META)


@cache
def count_step(plan: MemoryPlan, frames: int) -> Count:
    """Count one guided UNet step of a 1024 x 576 clip, its weights on the device included.

    The halves of a split step cost the same: one is run, and its operations count twice.
    """
    packed = packed_unet()
    items = 1 if plan.split_cfg else 2

    def step() -> None:
        source = StreamedWeights if plan.unet is Residency.STREAMED else ResidentWeights
        unet = LeanUNet(packed, source(packed.body, META), META, plan.frames_per_chunk)
        constants = unet.prepare(_maps(2, 1, 1024), (6.0, 127.0, 0.02), [1.0], frames)
        sample = _maps(items, frames, 72, 128, 8)
        unet(sample, constants, 0, lambda: None, item=None if items == 2 else 1)

    counted = _count(step, (packed.body, packed.ends, packed.folded))
    held = packed.ends.flat.nbytes + (0 if plan.unet is Residency.STREAMED else packed.body.flat.nbytes)
    return Count(counted.peak_bytes + held, counted.tflop * (2 if plan.split_cfg else 1))


@cache
def count_decode(plan: MemoryPlan, frames: int) -> Count:
    """Count the decode of a 1024 x 576 clip, the decoder's weights included."""

    packed = packed_decoder()

    def decode() -> None:
        decoder = LeanDecoder(packed, ResidentWeights(packed.body, META))
        latents = _maps(frames, 72, 128, 4)
        if plan.decode is Decode.WINDOWED:
            # Every window but the last is alike.
            latents = latents[: plan.decode_frames]
            pixels = decode_windows(lambda some: decoder.decode(some, lambda: None), latents, frames, WINDOW_OVERLAP)
        else:
            pixels = decoder.decode(latents, lambda: None)
        for _frame in pixels:
            pass

    counted = _count(decode, (packed.body,))
    return Count(counted.peak_bytes + packed.body.flat.nbytes, counted.tflop)


def count_stock_step(frames: int) -> Count:
    """Count one step of diffusers' UNet, its weights included."""
    unet = full_unet(frames).to(HALF)
    weights = sum(parameter.numel() * 2 for parameter in unet.parameters())
    given = (_maps(2, frames, 8, 72, 128), torch.empty((), device=META), _maps(2, 1, 1024), _maps(2, 3))
    counted = _count(lambda: unet(*given, return_dict=False))
    return Count(counted.peak_bytes + weights, counted.tflop)


@cache
def count_stock_decode(frames: int) -> Count:
    """Count diffusers' decode of `frames` together, the decoder's weights included."""
    vae = full_vae().to(HALF)
    counted = _count(lambda: vae.decode(_maps(frames, 4, 72, 128), num_frames=frames))
    return Count(counted.peak_bytes + packed_decoder().body.flat.nbytes, counted.tflop)
