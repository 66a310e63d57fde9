"""The settings of the rendering: which variant, on which cards, with what memory.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from bot.config.sections import Section
from generator.clip import Framing, Quality
from generator.errors import SettingsError
from generator.memory import check_memory
from generator.protocol import check_device

GPU_NAMES = "by nvidia-smi's number from 0 on or by its UUID (GPU-... or MIG-...)"


def _gpu_name(value: object) -> object:
    """Check one GPU's name; `"1"` is the number 1, as in CUDA_VISIBLE_DEVICES."""
    text = str(value).strip()
    if isinstance(value, bool) or not (text.isdecimal() or text.startswith(("GPU-", "MIG-"))):
        raise ValueError(f"list each GPU once, {GPU_NAMES}")
    return int(text) if text.isdecimal() else text


GpuName = Annotated[int | str, BeforeValidator(_gpu_name)]


class GeneratorConfig(Section):
    """How clips are rendered."""

    variant: str = "svd-xt"
    device: str = "auto"
    gpus: list[GpuName] = Field(default_factory=list)
    """one executor for each, by nvidia-smi's number or UUID; empty: one executor on `device`"""
    pipeline: Literal["lean", "stock"] = "lean"
    memory: str = "auto"
    fast_math: bool = False
    """let the GPU add up in half precision: faster on consumer cards, and approximate"""
    previews: bool = False
    """show on a card what the clip will be about, while it is made"""
    quality: Quality = Quality.QUALITY
    framing: Framing = Framing.CROP
    compile: bool = Field(False, exclude=True)
    """of earlier versions; does nothing any more"""
    max_steps: int = Field(50, ge=1, le=100)
    threads: int = Field(0, ge=0)

    @field_validator("device")
    @classmethod
    def _is_device(cls, value: str) -> str:
        return _checked(check_device, value)

    @field_validator("memory")
    @classmethod
    def _is_memory(cls, value: str) -> str:
        return _checked(check_memory, value)

    @field_validator("gpus")
    @classmethod
    def _fits_the_device(cls, value: list[GpuName], info: ValidationInfo) -> list[GpuName]:
        if len(set(value)) < len(value):
            raise ValueError(f"list each GPU once, {GPU_NAMES}")
        device = info.data.get("device", "auto")  # not there when it is wrong itself
        if value and device not in ("auto", "cuda"):  # each GPU process sees one card only, as cuda:0
            raise ValueError(f'gpus is for CUDA cards: set device to "auto" instead of "{device}", or empty gpus')
        return value


def _checked(check: Callable[[str], None], value: str) -> str:
    try:
        check(value)
    except SettingsError as error:
        raise ValueError(error.text) from error
    return value
