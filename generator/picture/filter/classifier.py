"""Asks the filter's model about pictures. Runs in the picture child; onnxruntime is imported once it is needed."""

from __future__ import annotations

import importlib.util
import io
import math
import os
import resource
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from generator.picture.filter.model import OPEN_NSFW_PACKAGE, FilterModel, Order

_WEIGHTS = "open-nsfw.onnx"


class Unusable(Exception):
    """The model cannot be asked; the text says why."""


class Classifier:
    """A loaded model. Raises Unusable when it cannot be loaded, or takes or returns something else than scores."""

    def __init__(self, model: FilterModel) -> None:
        self._model = model
        self._session = _load(_path_of(model))
        taken, *others = self._session.get_inputs()
        sides = [side for side in taken.shape[1:] if isinstance(side, int)]
        self._input = taken.name
        self._channels_first = bool(sides) and sides[0] == 3
        if others or sorted(sides)[:1] != [3] or len(sides) != 3 or len(set(sides)) != 2:
            raise Unusable(f"it takes {taken.shape} and not one square picture of three colours")
        self._side = max(sides)

    def score(self, picture: Image.Image) -> float:
        """Return how sure the model is that the picture is unsafe, from 0 to 1."""
        prepared = self._prepare(picture)[np.newaxis]
        scores = np.asarray(self._session.run(None, {self._input: prepared})[0], np.float64).ravel()
        if self._model.logits:
            scores = np.exp(scores - scores.max())
            scores /= scores.sum()
        score = float(scores[self._model.unsafe]) if self._model.unsafe < len(scores) else math.nan
        if not -0.001 <= score <= 1.001:
            raise Unusable(f"its scores are {[round(float(value), 3) for value in scores[:4]]}")
        return min(1.0, max(0.0, score))

    def _prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        """Return the picture as the model takes it: the middle of a square, float32."""
        model, side = self._model, max(self._model.resize, self._side)
        square = picture.convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
        edge = (side - self._side) // 2
        square = square.crop((edge, edge, edge + self._side, edge + self._side))
        colours = np.asarray(_through_jpeg(square) if model.as_jpeg else square, np.float32)
        ordered = colours[:, :, ::-1] if model.order is Order.BGR else colours
        scaled = ((ordered - np.array(model.mean)) / np.array(model.scale)).astype(np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1) if self._channels_first else scaled)


def judge(sheet: Path, count: int, model: FilterModel) -> tuple[str, dict[str, Any]]:
    """Return the child's answer about the `count` pictures of the same height that a PNG of ours holds."""
    try:
        classifier = _loaded(model)
        return "judged", {"scores": [classifier.score(picture) for picture in _pictures(sheet, count)]}
    except Unusable as error:
        return "unusable", {"why": str(error)}


@cache
def _loaded(model: FilterModel) -> Classifier:
    """Load the model once, with room for it beside what decoding may take."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return Classifier(model)


def _pictures(sheet: Path, count: int) -> list[Image.Image]:
    with Image.open(sheet, formats=("PNG",)) as image:
        whole = image.convert("RGB")
    height = whole.height // count
    return [whole.crop((0, at * height, whole.width, (at + 1) * height)) for at in range(count)]


def _through_jpeg(picture: Image.Image) -> Image.Image:
    held = io.BytesIO()
    picture.save(held, "JPEG")
    return Image.open(held, formats=("JPEG",))


def _path_of(model: FilterModel) -> Path:
    if model.path is not None:
        return model.path
    found = importlib.util.find_spec(OPEN_NSFW_PACKAGE)  # not imported: only its weights are wanted
    if found is None or not found.origin:
        raise Unusable(f"{OPEN_NSFW_PACKAGE} is not installed")
    return Path(found.origin).with_name(_WEIGHTS)


def _load(path: Path) -> Any:
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise Unusable("onnxruntime is not installed") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # the child has few threads, and others wait too
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class of their own
        raise Unusable(f"{path.name} cannot be loaded ({type(error).__name__})") from error
