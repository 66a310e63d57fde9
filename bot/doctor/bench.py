"""`doctor --bench`: one line to share on how fast this machine makes a clip. Measured in a child."""

from __future__ import annotations

import os
from typing import Any

from bot.config import Config
from bot.doctor.check import ask_module
from generator.backend.gpus import VISIBLE, choose_gpus, device_order
from generator.errors import SettingsError
from generator.process.environment import model_environment

MOST_SECONDS = 1800.0
"""for loading, building the kernels and two short clips; a card of 4 GB streams its weights"""


async def run_bench(config: Config, module: str = "generator.model.bench") -> tuple[bool, str]:
    """Measure the first configured GPU; return whether that went well, and the line, or what went wrong."""
    environment = model_environment() | {"HF_HUB_OFFLINE": "1"}  # a benchmark downloads nothing
    try:
        chosen = choose_gpus(config.generator.gpus, os.environ)
    except SettingsError as error:
        return False, f"generator.gpus cannot be had: {error.text}"
    if chosen:
        environment[VISIBLE] = chosen[0]
        environment |= {"CUDA_DEVICE_ORDER": order} if (order := device_order(os.environ)) else {}
    answer = await ask_module(module, config.generator.memory, seconds=MOST_SECONDS, environment=environment)
    if isinstance(answer, str):
        return False, f"Nothing was measured: {answer}"
    try:
        return True, shared_line(answer)
    except (KeyError, TypeError, ValueError):
        return False, "Nothing was measured: the child's answer is not whole."


def shared_line(facts: dict[str, Any]) -> str:
    """Return the facts of one measurement as one line. Raises KeyError, TypeError or ValueError where some lack."""
    peak = "" if facts["peak_gib"] is None else f" | peak {facts['peak_gib']:.2f} GiB"
    return (
        f"{facts['card']} | driver {facts['driver']} | torch {facts['torch']} | {facts['variant']}, {facts['weights']}"
        f" | plan {facts['plan']} | {facts['step_s']:.3f} s a step | {facts['clip_s']:.1f} s a clip{peak}"
    )
