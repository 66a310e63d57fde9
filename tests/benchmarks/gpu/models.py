"""The stock modules and the lean pipeline of one set of random weights, one step or decode at a time."""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch

from generator.memory import ClipSize, MemoryPlan, Residency, presets
from generator.model.lean.render import LeanPipeline
from generator.model.stock import Modules
from tests.benchmarks.full_size import random_modules
from tests.benchmarks.gpu.bench import Bench
from tests.support.checkpoints import checkpoint_of
from tests.support.tiny_clip import SILENT


class Models:
    """The stock modules and the lean pipeline, made from one set of random weights when they are first needed."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    @cached_property
    def modules(self) -> Modules:
        return random_modules(self.bench.dtype, tiny=self.bench.tiny)

    @cached_property
    def lean(self) -> LeanPipeline:
        begun = time.monotonic()
        made = LeanPipeline(checkpoint_of(self.modules), self.bench.dtype, self.bench.device)
        made.prepare(presets(ClipSize(*self.bench.size, self.bench.frames))[-1])  # to host memory, for every plan
        self.bench.note(seconds_to_build=time.monotonic() - begun)
        return made

    def forget(self) -> None:
        """Free all of it; what is needed again is made again."""
        for name in ("modules", "lean"):
            self.__dict__.pop(name, None)
        gc.collect()
        if self.bench.on_gpu:
            torch.cuda.empty_cache()

    def stock_unet(self) -> Any:
        return copy.deepcopy(self.modules.unet).to(self.bench.device)

    def inputs(self) -> tuple[torch.Tensor, torch.Tensor, tuple[float, ...], float]:
        bench = self.bench
        rng = torch.Generator().manual_seed(3)
        width, height = (side // self.lean.scale for side in bench.size)
        channels = self.modules.unet.config.in_channels
        sample = torch.randn(2, bench.frames, height, width, channels, generator=rng).to(bench.device, bench.dtype)
        context = torch.randn(2, 1, self.modules.unet.config.cross_attention_dim, generator=rng)
        context[0] = 0
        return sample, context.to(bench.device, bench.dtype), (6.0, 127.0, 0.02), 1.0

    def stock_step(self, unet: Any) -> torch.Tensor:
        sample, context, ids, when = self.inputs()
        added = torch.tensor([ids] * len(sample), device=self.bench.device, dtype=self.bench.dtype)
        given = sample.permute(0, 1, 4, 2, 3).contiguous()
        when_there = torch.tensor(when, device=self.bench.device)
        out: torch.Tensor = unet(given, when_there, context, added, return_dict=False)[0]
        return out.permute(0, 1, 3, 4, 2)

    def lean_step(self, plan: MemoryPlan) -> Callable[[], torch.Tensor]:
        sample, context, ids, when = self.inputs()
        unet = self.lean.place_unet(plan)
        constants = unet.prepare(context, ids, [when], self.bench.frames)

        def step() -> torch.Tensor:
            if not plan.split_cfg:
                return unet(sample, constants, 0, SILENT.check)
            halves = [unet(sample[i : i + 1], constants, 0, SILENT.check, item=i) for i in range(2)]
            return torch.cat(halves)

        return step

    def stock_vae(self) -> Any:
        return copy.deepcopy(self.modules.vae).to(self.bench.device)

    def stock_decode(self, vae: Any, together: int) -> None:
        pixels = (self.latents() / vae.config.scaling_factor).to(self.bench.dtype).permute(0, 3, 1, 2).contiguous()
        chunks = [vae.decode(chunk, num_frames=len(chunk)).sample for chunk in pixels.split(together)]
        torch.cat(chunks).float().cpu()

    def latents(self) -> torch.Tensor:
        width, height = (side // self.lean.scale for side in self.bench.size)
        rng = torch.Generator().manual_seed(4)
        channels = self.modules.vae.config.latent_channels
        return torch.randn(self.bench.frames, height, width, channels, generator=rng).to(self.bench.device)

    def lean_decode(self, plan: MemoryPlan) -> np.ndarray[Any, Any]:
        return np.stack(list(self.lean.decode(self.latents(), self.bench.settings(), plan, SILENT)))


def plan(frames: int, *, split: bool = False, streamed: bool = False) -> MemoryPlan:
    return MemoryPlan(
        rung="bench",
        frames_per_chunk=frames,
        split_cfg=split,
        unet=Residency.STREAMED if streamed else Residency.RESIDENT,
    )
