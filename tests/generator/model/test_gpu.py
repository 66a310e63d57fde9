"""What only a real GPU can show: running out of its memory, losing it, giving it back. Skipped without one.

Written without pytest-asyncio, so that it runs on a bare GPU machine.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

if not any(Path("/dev").glob("nvidia*")):  # asked before torch is imported, which takes seconds
    pytest.skip("there is no GPU", allow_module_level=True)

import torch

from generator.backend.local_backend import LocalBackend
from generator.errors import ExecutorLost
from generator.executor.renderer import RenderedFrames, Renderer
from generator.executor.rungs import Planner, RememberedRungs
from generator.model.device import TorchDevice
from generator.protocol import ExecutorConfig, Hooks, Phase, Progress, Rendered, RenderRequest
from generator.variants import Variant
from tests.support.fakes import a_request
from tests.support.kernel_cases import errors
from tests.support.tiny_checkpoint import make_checkpoint

SIZE = (1024, 576)
FRAMES = 14


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Variant:
    """A small random model that renders full-size clips, so that activations fill the memory."""
    made = make_checkpoint(tmp_path_factory.mktemp("tiny"), frames=FRAMES)
    return replace(made, name="demo", landscape=SIZE)


@pytest.fixture(autouse=True)
def _whole_memory() -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.reset_peak_memory_stats()


def full_size_request(folder: Path, job: int = 1, **settings: Any) -> RenderRequest:
    from PIL import Image

    Image.effect_noise(SIZE, 60).convert("RGB").save(folder / "conditioning.png")
    return a_request(folder, job, **{"frames": FRAMES, "steps": 3} | settings)


def a_renderer(variant: Variant, folder: Path, memory: str = "full") -> Renderer:
    config = ExecutorConfig(variants={"demo": variant}, device="cuda", memory=memory, state_folder=folder)
    device = TorchDevice(config)
    made = Renderer(config, device, Planner(config, device, RememberedRungs(folder)))
    made.load("demo", lambda progress: None)
    return made


def render(made: Renderer, request: RenderRequest) -> RenderedFrames:
    return made.render(request, Hooks(lambda progress: None, lambda: None))


def test_real_out_of_memory_goes_on_with_smaller_plans_to_the_same_clip(tiny: Variant, tmp_path: Path) -> None:
    render(a_renderer(tiny, tmp_path / "a"), full_size_request(tmp_path, 1)).writer.finish()
    needed = torch.cuda.max_memory_reserved()
    total = torch.cuda.get_device_properties(0).total_memory
    for share in (0.9, 0.8, 0.7, 0.6):  # the allocator's rounding decides which of them is too little
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(share * needed / total)
        rendered = render(a_renderer(tiny, tmp_path / f"{share}"), full_size_request(tmp_path, 2))
        print(f"the largest plan takes {needed / 2**30:.2f} GiB; with {share:.0%} of that: {rendered.notes}")
        assert rendered.writer.finish().frames == FRAMES
        if rendered.notes:
            break
    assert [note.kind for note in rendered.notes] == ["memory"]


def test_an_overflow_is_rendered_again_in_bfloat16(tiny: Variant, tmp_path: Path) -> None:
    made = a_renderer(tiny, tmp_path)
    assert made.device.make_safer() == "bfloat16"
    assert made.device.make_safer() is None
    assert render(made, full_size_request(tmp_path)).writer.finish().frames == FRAMES


def test_a_real_illegal_access_is_fatal_and_the_canary_dies_of_it() -> None:
    script = """
        import torch
        from generator.model.device import TorchDevice
        from generator.protocol import ExecutorConfig
        device = TorchDevice(ExecutorConfig(variants={}, device="cuda"))
        device.canary()
        try:
            torch.zeros(1, device="cuda")[torch.tensor([2**20], device="cuda")].item()
        except RuntimeError as error:
            print("fatal" if device.is_fatal(error) and not device.is_out_of_memory(error) else error)
        try:
            device.canary()
        except RuntimeError:
            print("canary died")
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120)
    assert done.stdout.split("\n")[:2] == ["fatal", "canary died"], done.stdout + done.stderr


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2)])
def test_every_kernel_computes_what_its_plain_function_does(dtype: torch.dtype, tolerance: float) -> None:
    shapes = ((320, 2304, 25), (640, 577, 14), (1280, 144, 25), (128, 9000, 25), (96, 41, 5))
    found = errors(torch.device("cuda"), dtype, shapes)
    print(found)
    assert {name: error for name, error in found.items() if error > tolerance} == {}


def with_backend(variant: Variant, work: Callable[[LocalBackend], Coroutine[Any, Any, None]]) -> None:
    async def main() -> None:
        config = ExecutorConfig(variants={"demo": variant}, device="cuda", memory="full", preload="demo")
        backend = LocalBackend(config)
        await backend.start()
        try:
            async with asyncio.timeout(240):
                await backend.ready.wait()
                await work(backend)
        finally:
            await backend.close()

    asyncio.run(main())


async def at_step(backend: LocalBackend, request: RenderRequest, step: int) -> asyncio.Task[Rendered]:
    there = asyncio.Event()

    def watch(progress: Progress) -> None:
        if progress.phase is Phase.DENOISE and progress.step >= step:
            there.set()

    task = asyncio.create_task(backend.render(request, watch))
    await there.wait()
    return task


def test_a_kill_in_the_middle_gives_the_memory_back_and_the_next_job_renders(tiny: Variant, tmp_path: Path) -> None:
    async def work(backend: LocalBackend) -> None:
        before = torch.cuda.mem_get_info()[0]
        task = await at_step(backend, full_size_request(tmp_path, 1, steps=100), 5)
        held = before - torch.cuda.mem_get_info()[0]
        killed = time.monotonic()
        os.kill(_pid_of(backend), signal.SIGKILL)
        with pytest.raises(ExecutorLost):
            await task
        back = time.monotonic() - killed
        while before - torch.cuda.mem_get_info()[0] > 0.1 * held:
            assert time.monotonic() - killed < 5.0, "the memory is still taken"
            await asyncio.sleep(0.01)
        print(f"back after {1000 * back:.1f} ms, {held / 2**30:.2f} GiB free after {time.monotonic() - killed:.2f} s")
        assert (await backend.render(full_size_request(tmp_path, 2), lambda progress: None)).frames == FRAMES

    with_backend(tiny, work)


def test_a_cancel_on_the_gpu_stops_within_a_step_and_keeps_the_model(tiny: Variant, tmp_path: Path) -> None:
    async def work(backend: LocalBackend) -> None:
        pid = _pid_of(backend)
        task = await at_step(backend, full_size_request(tmp_path, 1, steps=100), 5)
        asked = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        print(f"cancelled within {time.monotonic() - asked:.3f} s")
        assert time.monotonic() - asked < 1.5
        assert (await backend.render(full_size_request(tmp_path, 2), lambda progress: None)).frames == FRAMES
        assert _pid_of(backend) == pid

    with_backend(tiny, work)


def test_the_gpu_hardly_idles_between_two_jobs(tiny: Variant, tmp_path: Path) -> None:
    async def work(backend: LocalBackend) -> None:
        request = full_size_request(tmp_path, 1, steps=25)
        await backend.render(request, lambda progress: None)
        began = time.monotonic()
        jobs = [
            backend.render(replace(request, job=job, clip_path=tmp_path / f"{job}.mp4"), _ignore) for job in range(2, 6)
        ]
        rendered = [await job for job in asyncio.as_completed(jobs)]
        wall, busy = time.monotonic() - began, sum(item.seconds for item in rendered)
        tail = rendered[-1]
        print(f"4 jobs in {wall:.2f} s, {busy:.2f} s on the GPU; the last: {tail.seconds:.2f} s {tail.phase_seconds}")
        assert busy / wall > 0.9

    with_backend(tiny, work)


def _ignore(progress: Progress) -> None:
    pass


def _pid_of(backend: LocalBackend) -> int:
    return int(backend.describe()["pid"])


def test_memory_that_cannot_be_pinned_leaves_no_error_for_the_next_kernel(caplog: pytest.LogCaptureFixture) -> None:
    from generator.model.lean.pack import pack

    device, weights = torch.device("cuda"), torch.ones(4096)
    runtime: Any = torch.cuda.cudart()
    fails = int(
        runtime.cudaHostRegister(0, 4096, 0)
    )  # the negative control: such a failure does poison the next kernel
    assert fails != 0
    with pytest.raises(RuntimeError):
        torch.ones(1, device=device).add_(1)
    real = runtime.cudaHostRegister
    try:
        runtime.cudaHostRegister = lambda address, size, flags: real(0, size, flags)
        packed = pack([{"weight": weights}], torch.float32, device)
        assert packed.flat.nbytes == weights.nbytes
    finally:
        runtime.cudaHostRegister = real
    assert "could not pin" in caplog.text
    assert packed.flat.to(device).sum().item() >= 4096
    assert (torch.ones(1, device=device) + 1).item() == 2
