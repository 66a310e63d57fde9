"""The operator's own variants: what the folder of the weights says of itself, and what the operator says instead."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config, load_config
from bot.config.file import ConfigError
from generator.clip import Loop, Quality
from generator.variants import BUILT_IN, DEMO_MODEL_FOLDER, Variant


def mine(source: Path | str, **said: Any) -> Variant:
    return Config.model_validate({"variants": {"mine": {"source": str(source)} | said}}).all_variants()["mine"]


def folder_with(folder: Path, **own: Any) -> Path:
    (folder / "variant.json").write_text(json.dumps(own))
    return folder


def test_an_entry_of_the_demo_model_is_as_its_folder_says() -> None:
    demo = BUILT_IN["demo"]
    as_own = replace(demo, name="mine", source=str(DEMO_MODEL_FOLDER), is_demo=False, licence="", colours=None)
    assert mine(DEMO_MODEL_FOLDER) == as_own


def test_what_the_operator_says_counts_more_than_the_folder(tmp_path: Path) -> None:
    own = {"frames": 14, "quality": "fast", "steps": 1, "max_steps": 1, "loop": "boomerang", "landscape": [384, 224]}
    folder = folder_with(tmp_path, **own, max_guidance=1.0, motion_bucket=90)
    said = {"frames": 20, "quality": "quality", "steps": 30, "max_steps": 40, "loop": "none", "landscape": [512, 288]}
    variant = mine(folder, **said, max_guidance=3, motion_bucket=127)
    assert (variant.frames, variant.landscape, variant.max_guidance, variant.motion_bucket) == (20, (512, 288), 3, 127)
    assert (variant.usual_steps(Quality.QUALITY), variant.most_steps, variant.loop) == (30, 40, Loop.NONE)


@pytest.mark.parametrize("name", ["mine", "svd"])
def test_a_folder_that_says_nothing_leaves_the_usual(tmp_path: Path, name: str) -> None:
    changed = Config.model_validate({"variants": {name: {"source": str(tmp_path)}}}).all_variants()[name]
    usual = BUILT_IN.get(name, Variant(name=name, source="", frames=25))
    assert changed == replace(usual, source=str(tmp_path), revision=None)


def test_a_built_in_variant_from_another_folder_is_as_that_folder_says(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, max_steps=4)
    svd = Config.model_validate({"variants": {"svd": {"source": str(folder)}}}).all_variants()["svd"]
    assert (svd.most_steps, svd.frames, svd.colours) == (4, 14, BUILT_IN["svd"].colours)


def test_a_distilled_unet_wants_few_calls_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert (mine("a/b", turbo=True).quality, mine("a/b", turbo=True).max_guidance) == (Quality.FAST, 1.0)
    assert mine("a/b", turbo=True, quality="balanced").quality is Quality.BALANCED
    assert mine(folder_with(tmp_path, max_guidance=1.5), turbo=True).max_guidance == 1.5


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", "no JSON object"),
        ("{", "cannot be used"),
        ('{"quality": "best"}', "quality"),
        ('{"landscape": 7}', "landscape"),
        ('{"landscape": [0, 64]}', "landscape.0"),
        ('{"portrait": [-64, 64]}', "portrait.0"),
        ('{"square": [65, 64]}', "square.0"),
        ('{"landscape": [64, 1000000]}', "landscape.1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"max_steps": "many"}', "max_steps"),
        ('{"steps": 0}', "steps"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_beside_the_entry(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "variant.json").write_text(text)
    path = tmp_path / "config.toml"
    path.write_text(f"[variants.mine]\nsource = {str(tmp_path)!r}\n")
    with pytest.raises(ConfigError) as told:
        load_config(path)
    [sentence] = str(told.value).splitlines()
    assert sentence.startswith(f"{path}: variants.mine: {tmp_path / 'variant.json'} cannot be used: ")
    assert says in sentence


@pytest.mark.parametrize("key", ["steps", "max_steps", "motion_bucket", "max_guidance"])
def test_a_number_that_no_clip_may_have_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        mine("a/b", **{key: 1000})
