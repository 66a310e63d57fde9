"""The torch device and the one variant loaded on it. Knows torch's errors and memory, but no pipe and no clip file."""

from __future__ import annotations

import contextlib
import gc
import importlib.metadata
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import torch
from PIL import Image

from generator.clip import ClipSettings
from generator.errors import OutOfMemory, WeightsUnavailable
from generator.memory import GIB, ClipSize, MemoryPlan, PipelineKind, plan_memory, presets
from generator.model.gpu_trial import measure_rate
from generator.model.lean.pinned import PINNED
from generator.model.pipeline import LoadedVariant
from generator.process.share import host_bytes, share_pinned
from generator.protocol import ExecutorConfig, Hooks, Progress
from generator.variants import Variant
from generator.video.ffmpeg import Frame

log = logging.getLogger(__name__)

OLDEST_TORCH = (
    2,
    6,
)  # as pyproject.toml requires; older ones computed in-place operations on strided views wrongly on MPS

CPU_PIXELS = 320 * 320
"""the largest frame that a CPU renders in minutes rather than hours"""

# Out of memory is an exception class of its own only in CUDA's allocator, not on MPS, the CPU, in cuBLAS or the driver.
_MEMORY_WORDS = ("out of memory", "not enough memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
# After these errors the process has lost its CUDA context: it "must be terminated and relaunched", says CUDA.
_FATAL_WORDS = ("CUDA error", "HIP error", "CUDNN_STATUS_EXECUTION_FAILED", "CUBLAS_STATUS_EXECUTION_FAILED")


class TorchDevice:
    """A GPU, or the CPU, and what is loaded on it."""

    def __init__(self, config: ExecutorConfig) -> None:
        self._config = config
        self._unusable = why_unusable(config.device, torch.__version__)
        self._device = torch.device("cpu" if self._unusable else _choose(config.device))
        self._loaded: LoadedVariant | None = None
        self._tflops: float | None = None
        self._fast_math = config.fast_math and _allow_fast_math(self._device)
        if self._device.type == "cuda":
            threading.Thread(target=_warm_up, args=(self._device,), name="warm-up", daemon=True).start()
        if config.threads:
            torch.set_num_threads(config.threads)
        if (total := host_bytes()) is not None:
            PINNED.most = share_pinned(total, config.executors)

    def load(self, variant: Variant, on_progress: Callable[[Progress], None]) -> None:
        """See `Device.load`. The variant loaded before is freed first: two do not fit."""
        remedy = self._unusable or self._too_slow_for(variant)
        if remedy:
            raise WeightsUnavailable(remedy, variant=variant.name, why="device", remedy=remedy)
        self._load(variant, on_progress=on_progress)
        self._tflops = self._tflops or self._measure_rate()

    def _load(
        self,
        variant: Variant,
        *,
        dtype: torch.dtype | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        # Imported here because it may fail with a torch that is too old.
        from generator.model.loaded import PipelineConfig, load_variant

        self._loaded = None
        self.reclaim()
        given = self._config
        config = PipelineConfig(PipelineKind(given.pipeline), given.state_folder, self._likely_plan(variant))
        self._loaded = load_variant(variant, self._device, config, dtype=dtype, on_progress=on_progress)
        self.reclaim()  # what the weights passed through

    def _likely_plan(self, variant: Variant) -> MemoryPlan:
        """Return the plan of the variant's usual clips, which says where the weights are to be read to."""
        kind, usual = PipelineKind(self._config.pipeline), ClipSize(*variant.landscape, variant.frames)
        try:
            return plan_memory(self.free_bytes(), variant, usual, self._config.memory, pipeline=kind)
        except OutOfMemory:
            return presets(usual, kind)[-1]

    def _measure_rate(self) -> float | None:
        """Measure what a GPU multiplies, in TFLOP/s: not every card's data sheet is known. None on a CPU."""
        try:
            return round(measure_rate(self._device), 1) if self._device.type == "cuda" else None
        except RuntimeError:  # no room for it: the clip matters more
            return None

    def _too_slow_for(self, variant: Variant) -> str | None:
        """Return a sentence if a CPU would take hours for this variant, before gigabytes are downloaded for nothing."""
        width, height = variant.landscape
        if self._config.device != "auto" or self._device.type != "cpu" or width * height <= CPU_PIXELS:
            return None
        return (
            "There is no GPU here, and a CPU takes hours for one clip. "
            'Use the variant "demo", or insist by choosing the device "cpu".'
        )

    def facts(self) -> dict[str, Any]:
        """See `Device.facts`."""
        facts: dict[str, Any] = {
            "pid": os.getpid(),
            "device": str(self._device),
            "name": self._device.type.upper(),
            "vram_gib": None,
            "torch": torch.__version__,
            "diffusers": importlib.metadata.version("diffusers"),
            "variant": self._loaded.variant.name if self._loaded else None,
            "revision": self._loaded.variant.revision if self._loaded else None,
            "tflops": self._tflops,
            "fast_math": self._fast_math and self._loaded is not None and self._loaded.dtype == torch.float16,
        }
        if self._device.type == "cuda":
            properties = torch.cuda.get_device_properties(self._device)
            facts |= {"name": properties.name, "vram_gib": round(properties.total_memory / GIB, 1)}
            facts |= {"cuda": torch.version.cuda, "hip": torch.version.hip}
            facts["pinned_gib"] = round(PINNED.bytes / GIB, 1)
            free, total = torch.cuda.mem_get_info(self._device)
            facts["used_gib"] = round((total - free) / GIB, 1)
        return facts

    def free_bytes(self) -> int | None:
        """See `Device.free_bytes`. Memory that this process has reserved counts as free: a plan can use it again."""
        if self._device.type == "cuda":
            free, _total = torch.cuda.mem_get_info(self._device)
            return free + torch.cuda.memory_reserved(self._device)
        if self._device.type == "mps":
            return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
        available = host_bytes("MemAvailable")
        return None if available is None else available // 2  # plans count half precision, but a CPU computes in single

    def frames(self, picture: Image.Image, settings: ClipSettings, plan: MemoryPlan, hooks: Hooks) -> Iterator[Frame]:
        """See `Device.frames`."""
        assert self._loaded is not None
        return self._loaded.pipeline.render(picture, settings, plan, hooks)

    def make_safer(self) -> str | None:
        """See `Device.make_safer`. Half precision overflows above 65504; bfloat16 and single precision do not."""
        if self._loaded is None or self._loaded.dtype is not torch.float16:
            return None
        variant = self._loaded.variant
        bfloat = self._device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        dtype = torch.bfloat16 if bfloat else torch.float32
        self._load(variant, dtype=dtype)
        return str(dtype).removeprefix("torch.")

    def reclaim(self) -> None:
        """See `Device.reclaim`."""
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        elif self._device.type == "mps":
            torch.mps.empty_cache()

    def is_out_of_memory(self, error: BaseException) -> bool:
        """See `Device.is_out_of_memory`."""
        if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
            return True
        return isinstance(error, RuntimeError) and any(words in str(error) for words in _MEMORY_WORDS)

    def is_fatal(self, error: BaseException) -> bool:
        """See `Device.is_fatal`."""
        if not isinstance(error, RuntimeError) or self.is_out_of_memory(error):
            return False
        return any(words in str(error) for words in _FATAL_WORDS)

    def canary(self) -> None:
        """See `Device.canary`."""
        if (torch.ones(1, device=self._device) + 1).item() != 2:
            raise RuntimeError("1 + 1 is not 2 here")


def _warm_up(device: torch.device) -> None:
    """Make CUDA's context and load cuDNN, while other threads import and read. No matrix product: it keeps memory."""
    with contextlib.suppress(RuntimeError):  # whoever uses the device next sees it too
        maps = torch.zeros(1, 64, 16, 16, device=device, dtype=torch.float16)
        torch.nn.functional.conv2d(maps, maps.new_zeros(64, 64, 3, 3))


def _allow_fast_math(device: torch.device) -> bool:
    """Let cuBLAS add up in half precision. Return False, and say so in the log, where that changes nothing."""
    products = torch.backends.cuda.matmul
    if device.type != "cuda" or not hasattr(products, "allow_fp16_accumulation"):
        log.warning("fast_math changes nothing here: it takes an NVIDIA GPU and torch 2.7 or newer")
        return False
    products.allow_fp16_accumulation = True
    return True


def _choose(device: str) -> str:
    if device != "auto":
        return device
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def why_unusable(device: str, version: str) -> str | None:
    """Return why torch of this version cannot use `device`, and what to do; None when it can.

    `device` is the operator's setting: auto, cpu, mps, cuda or cuda:N.
    """
    release = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    if release < OLDEST_TORCH:
        return f"torch {version} is too old: install torch 2.6 or newer."
    if device.startswith("cuda") and not torch.cuda.is_available():
        built_for = torch.version.cuda or torch.version.hip
        if built_for is None:
            return 'This torch is a CPU build: install one for your GPU from pytorch.org, or choose the device "cpu".'
        return 'torch sees no GPU: check the driver with nvidia-smi (or rocm-smi), or choose the device "cpu".'
    if device.startswith("cuda:") and int(device[5:]) >= (count := torch.cuda.device_count()):
        return f"torch sees {count} GPU(s), so there is no {device}: they are counted from cuda:0. Correct the device."
    if device == "mps" and not torch.backends.mps.is_available():
        return 'Apple\'s GPU is not available to this torch: choose the device "cpu" or "auto".'
    return None
