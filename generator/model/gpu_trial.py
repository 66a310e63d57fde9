"""Run real kernels on each GPU that torch sees, and print what each is and what it said. The doctor runs it.

Tested in tests/bot/doctor/test_rendering.py.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from typing import Any

import torch

from generator.memory import GIB


def try_card(number: int) -> dict[str, Any]:
    """Return one card's name, compute capability and memory in GiB.

    `error` is what its first kernels said when they failed.
    """
    card: dict[str, Any] = {"name": f"cuda:{number}", "gib": 0.0, "free_gib": 0.0}
    try:
        card["name"] = torch.cuda.get_device_name(number)
        card["capability"] = list(torch.cuda.get_device_capability(number))
        free, total = torch.cuda.mem_get_info(number)
        card |= {"gib": total / GIB, "free_gib": free / GIB}
        compute(torch.device("cuda", number), torch.float16)
        card["tflops"] = measure_rate(torch.device("cuda", number))
    except (RuntimeError, AssertionError) as error:
        card["error"] = str(error).strip().splitlines()[0]
    return card


def compute(device: torch.device, dtype: torch.dtype) -> None:
    """Run a matrix product, a convolution and an attention. Raises RuntimeError when the device cannot, or is wrong."""
    ones = torch.ones(64, 64, device=device, dtype=dtype)
    product = (ones @ ones)[0, 0].item()
    kernel = torch.ones(1, 1, 3, 3, device=device, dtype=dtype)
    convolved = torch.nn.functional.conv2d(ones[None, None], kernel)[0, 0, 0, 0].item()
    heads = ones[None, None]
    attended = torch.nn.functional.scaled_dot_product_attention(heads, heads, heads)[0, 0, 0, 0].item()
    if (product, convolved, round(attended, 2)) != (64.0, 9.0, 1.0):
        raise RuntimeError(f"wrong results: {product}, {convolved}, {attended}")


def measure_rate(device: torch.device, side: int = 4096) -> float:
    """Return the TFLOP/s of a square product in half precision (a CPU: single), the best of five; well under 1 s."""
    dtype = torch.float32 if device.type == "cpu" else torch.float16
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds = []
    for _ in range(6):  # the first one loads the kernel
        begun = time.perf_counter()
        (left @ right)[0, 0].item()  # waits for the device
        seconds.append(time.perf_counter() - begun)
    return 2 * side**3 / min(seconds[1:]) / 1e12


def main() -> None:
    """Print one JSON object."""
    with warnings.catch_warnings(record=True) as said:  # an old driver is only warned about
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
        cards = [try_card(number) for number in range(torch.cuda.device_count() if there else 0)]
    facts = {
        "version": torch.__version__,
        "cards": cards,
        "mps": torch.backends.mps.is_available(),
        "warning": str(said[0].message).strip().splitlines()[0] if said else "",
    }
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
