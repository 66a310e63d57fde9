"""Previews show what the latents are of, are small, and cost next to nothing."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from generator.backend.local_backend import LocalBackend
from generator.executor.previews import COST_SHARE, SECONDS, Previews, draw
from generator.protocol import Progress
from generator.variants import BUILT_IN, Variant
from scripts.fit_preview_colours import encode, fit
from tests.support.fakes import FAKE_EXECUTOR, a_request
from tests.support.local_backend import CONFIG, PATIENT


def shown(preview: str) -> NDArray[np.float32]:
    image = Image.open(io.BytesIO(base64.b64decode(preview))).convert("RGB")
    return np.asarray(image, np.float32) / 127.5 - 1


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_a_preview_of_the_demo_models_latents_looks_like_the_picture(name: str) -> None:
    latents, cells = encode(BUILT_IN["demo"], Image.fromarray(getattr(data, name)()))
    colours = BUILT_IN["demo"].colours
    assert colours is not None
    preview = draw(latents, colours)
    assert np.corrcoef(shown(preview).ravel(), cells.ravel())[0, 1] > 0.9
    mixed = draw(latents, (*colours[1:-1], colours[0], colours[-1]))
    assert np.corrcoef(shown(mixed).ravel(), cells.ravel())[0, 1] < 0.9, "the negative control: another map"


def test_the_fit_finds_the_map_that_made_the_colours() -> None:
    rng = np.random.default_rng(1)
    latents = rng.normal(size=(20, 30, 4)).astype(np.float32)
    made = rng.normal(size=(5, 3)).astype(np.float32)
    assert fit([(latents, latents @ made[:-1] + made[-1])]) == pytest.approx(made, abs=1e-5)


def test_a_preview_of_the_full_size_is_a_few_kilobytes_also_of_noise_and_of_what_is_not_finite() -> None:
    colours = BUILT_IN["svd-xt"].colours
    assert colours is not None and BUILT_IN["svd"].colours == colours
    noise = np.random.default_rng(1).normal(size=(72, 128, 4)).astype(np.float32)
    assert len(base64.b64decode(draw(noise, colours))) < 12_000
    noise[:] = np.nan
    assert shown(draw(noise, colours)).max() == -1


def test_previews_are_rare_and_rarer_where_they_are_dear() -> None:
    now = 0.0
    taken: list[float] = []
    colours = BUILT_IN["svd-xt"].colours
    assert colours is not None

    def take() -> NDArray[np.float32]:
        nonlocal now
        taken.append(now)
        now += 0.5
        return np.zeros((9, 16, 4), np.float32)

    previews = Previews(colours, lambda: now)
    made: list[str] = []
    while now < 1000:
        made.append(previews.look(take))
        now += 1.0
    assert not made[0], "the first step"
    assert 0 < len(taken) * 0.5 <= 1000 * 0.01
    assert min(np.diff(taken)) >= 0.5 / COST_SHARE > SECONDS


def test_a_variants_colours_cross_the_pipe_and_another_one_has_none() -> None:
    for variant in BUILT_IN.values():
        wire = json.loads(json.dumps(dataclasses.asdict(variant)))
        assert Variant.from_json(wire) == variant
    assert Variant(name="own", source="x", frames=25).colours is None


@pytest.mark.parametrize("is_on", [True, False])
async def test_the_executor_sends_previews_only_where_the_operator_wants_them(tmp_path: Path, is_on: bool) -> None:
    config = dataclasses.replace(CONFIG, device="cpu", previews=is_on)
    backend = LocalBackend(config, command=FAKE_EXECUTOR, limits=PATIENT)
    seen: list[Progress] = []
    await backend.start()
    try:
        await backend.render(a_request(tmp_path), seen.append)
    finally:
        await backend.close()
    previews = [item.preview for item in seen if item.preview]
    assert len(previews) == is_on, "one, for the render is short"
    assert all(shown(preview).shape == (9, 16, 3) for preview in previews)
