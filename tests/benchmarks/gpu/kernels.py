"""The rates of a GPU's single operations: products, copies, attention, convolutions."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own convention
from torch.nn.attention import SDPBackend, sdpa_kernel

from generator.memory import GIB, MIB
from tests.benchmarks.gpu.bench import Bench, measure
from tests.benchmarks.gpu.models import Models


def rate(bench: Bench) -> None:
    """Measure the rates of matrix products, of the memory and of the bus: the limits of everything else."""
    count = 256 if bench.tiny else 8192
    left, right = (torch.randn(count, count, device=bench.device, dtype=bench.dtype) for _ in range(2))
    took = measure(bench, lambda: [left @ right for _ in range(10)], warm=1).seconds / 10
    bench.note(matrix_tflops=2 * count**3 / took / 1e12)
    host = torch.empty(MIB if bench.tiny else GIB, dtype=torch.uint8)
    bench.note(pageable_gb_s=host.numel() / measure(bench, lambda: host.to(bench.device), warm=1).seconds / 1e9)
    if bench.on_gpu:
        pinned, there = host.pin_memory(), torch.empty_like(host, device=bench.device)
        seconds = measure(bench, lambda: there.copy_(pinned, non_blocking=True), warm=1).seconds
        bench.note(pinned_gb_s=host.numel() / seconds / 1e9)
        seconds = measure(bench, lambda: there.clone(), warm=1).seconds
        bench.note(copy_tb_s=2 * host.numel() / seconds / 1e12)


def kernels(bench: Bench, models: Models) -> None:
    """Measure attention kernels and convolution layouts on the shapes of the full-size UNet."""
    bench.row("Attention", "tokens x heads x width, frames", "kernel", "ms", "TFLOP/s")
    shapes = ((9216, 5, 64, 50), (2304, 10, 64, 50), (576, 20, 64, 50), (25, 5, 64, 18432), (9216, 1, 512, 1))
    for tokens, heads, width, frames in ((64, 2, 16, 2),) if bench.tiny else shapes:
        made = (torch.randn(frames, heads, tokens, width, device=bench.device, dtype=bench.dtype) for _ in range(3))
        query, key, value = made
        flops = 4 * frames * heads * tokens**2 * width
        wanted = ("CUDNN_ATTENTION", "FLASH_ATTENTION", "EFFICIENT_ATTENTION") if bench.on_gpu else ("FLASH_ATTENTION",)
        for name in wanted:
            try:
                with sdpa_kernel(getattr(SDPBackend, name)):
                    took = measure(bench, partial(F.scaled_dot_product_attention, query, key, value), 5, 2).seconds
            except RuntimeError:
                continue
            bench.row("Attention", f"{tokens} x {heads} x {width}, {frames}", name, took * 1e3, flops / took / 1e12)
    _convolutions(bench)


def _convolutions(bench: Bench) -> None:
    bench.row("Convolution", "in > out, height x width, frames", "layout", "ms", "TFLOP/s")
    sizes = (
        (320, 320, 72, 128, 50),
        (960, 320, 72, 128, 50),
        (640, 640, 36, 64, 50),
        (1280, 1280, 18, 32, 50),
        (2560, 1280, 9, 16, 50),
        (256, 128, 576, 1024, 1),
    )
    for source, target, height, width, frames in ((8, 8, 8, 8, 2),) if bench.tiny else sizes:
        maps = torch.randn(frames, source, height, width, device=bench.device, dtype=bench.dtype)
        kernel = torch.randn(target, source, 3, 3, device=bench.device, dtype=bench.dtype)
        flops = 2 * 9 * source * target * height * width * frames
        for name, layout in (("NCHW", torch.contiguous_format), ("NHWC", torch.channels_last)):
            given, weight = maps.to(memory_format=layout), kernel.to(memory_format=layout)
            took = measure(bench, partial(F.conv2d, given, weight, padding=1), 5, 2).seconds
            bench.row(
                "Convolution",
                f"{source} > {target}, {height} x {width}, {frames}",
                name,
                took * 1e3,
                flops / took / 1e12,
            )
