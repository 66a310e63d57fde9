"""Two queued jobs through the real executor: how long the GPU waits between them."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from functools import partial
from pathlib import Path

import torch

from generator.backend.local_backend import LocalBackend
from generator.memory import MIB
from generator.model.stock import Modules
from generator.protocol import ExecutorConfig, Phase, Progress, RenderRequest
from generator.variants import Variant
from tests.benchmarks.gpu.bench import Bench
from tests.benchmarks.gpu.models import Models


def save_modules(bench: Bench, modules: Modules, folder: Path) -> Variant:
    """Save random weights as a checkpoint folder that the executor can load."""
    for name in ("unet", "vae", "image_encoder", "scheduler"):
        getattr(modules, name).save_pretrained(folder / name)
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableVideoDiffusionPipeline"}))
    width, height = bench.size
    return Variant(name="random", source=str(folder), frames=bench.frames, landscape=(width, height))


def queue(bench: Bench, models: Models) -> None:
    """Measure how long the GPU waits between two queued jobs: from the last frame to the next job's first result."""
    models.lean.release()
    if bench.on_gpu:
        torch.cuda.empty_cache()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        variant = save_modules(bench, models.modules, folder / "model")
        bench.picture().save(folder / "picture.png")
        seen = asyncio.run(_two_jobs(bench, variant, folder))
    last = max(when for job, progress, when in seen if job == 1 and progress.phase is Phase.DECODE)
    first = min(when for job, progress, when in seen if job == 2 and progress.phase is Phase.PREPARE and progress.step)
    end = max(when for job, progress, when in seen if job == 2 and progress.phase is Phase.DECODE)
    bench.note(
        queue_gap_ms=(first - last) * 1e3, queue_job_s=end - first, queue_idle_share=(first - last) / (end - first)
    )


async def _two_jobs(bench: Bench, variant: Variant, folder: Path) -> list[tuple[int, Progress, float]]:
    config = ExecutorConfig(variants={variant.name: variant}, device=bench.device.type, preload=variant.name)
    backend = LocalBackend(config)
    seen: list[tuple[int, Progress, float]] = []

    def note(job: int, progress: Progress) -> None:
        seen.append((job, progress, time.perf_counter()))

    await backend.start()
    try:
        async with asyncio.timeout(150):
            await backend.ready.wait()
            bench.note(executor_ready=True)
            requests = [
                RenderRequest(
                    job=job,
                    attempt=1,
                    picture_path=folder / "picture.png",
                    clip_path=folder / f"{job}.mp4",
                    settings=bench.settings(variant=variant.name, seed=job, steps=2 if bench.tiny else 25),
                    max_bytes=10 * MIB,
                )
                for job in (1, 2)
            ]
            await asyncio.gather(*(backend.render(request, partial(note, request.job)) for request in requests))
    finally:
        await backend.close()
    return seen
