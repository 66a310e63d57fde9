"""The Triton kernels against their plain functions: in Triton's interpreter here, on a real GPU in test_gpu.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CASES = (
    "channel_sums",
    "norm_factors",
    "scale_shift",
    "add",
    "frame_conv",
    "gated",
    "add_norm",
    "blend_back",
    "frame_attention",
)


@pytest.fixture(scope="module")
def errors() -> dict[str, float]:
    # Before 3.9 the interpreter cannot count loops with newer numpy versions.
    pytest.importorskip("triton", minversion="3.9", reason="triton is not installed: the kernels are not tested")
    command = [sys.executable, "-m", "tests.support.kernel_cases"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True, env=dict(os.environ))
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("channels", [32, 96, 128])
@pytest.mark.parametrize("case", CASES)
def test_a_kernel_computes_what_its_plain_function_does(errors: dict[str, float], case: str, channels: int) -> None:
    assert errors[f"{case}-{channels}"] < 1e-5
