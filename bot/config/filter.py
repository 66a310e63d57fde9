"""The operator's settings of the picture filter: which model, and from which score on its guess counts.

Tested in tests/bot/test_config.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from bot.config.file import from_home
from bot.config.sections import Section
from generator.picture.filter.model import OPEN_NSFW, FilterModel, Order


class FilterConfig(Section):
    """What a server may have its pictures and clips looked at with. No server uses it before it chooses to."""

    threshold: float = Field(0.8, gt=0, le=1)
    frames: int = Field(4, ge=1, le=16)
    """of a clip, that are looked at before it is posted"""
    model: Annotated[str, AfterValidator(from_home)] = ""
    """an ONNX file of the operator's own; empty: OpenNSFW, and the settings below do not count"""
    resize: int = Field(OPEN_NSFW.resize, ge=16, le=2048)
    order: Order = Order.RGB
    mean: tuple[float, float, float] = (127.5, 127.5, 127.5)
    scale: tuple[float, float, float] = (127.5, 127.5, 127.5)
    unsafe: int = Field(1, ge=0, le=1000)
    logits: bool = True

    def to_model(self) -> FilterModel:
        """Return what the picture child is told."""
        if not self.model:
            return OPEN_NSFW
        values = self.model_dump(exclude={"threshold", "frames", "model"})
        return FilterModel(path=Path(self.model), as_jpeg=False, **values)
