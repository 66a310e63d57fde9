"""A variant's own defaults: what is used when the person names nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from generator.clip import DEFAULT_STEPS, ClipSettings, Loop, Quality
from generator.errors import SettingsError
from generator.variants import BUILT_IN, DEMO_MODEL_FOLDER, Variant, variant_of_folder


def test_a_variant_survives_the_wire_whole() -> None:
    for variant in BUILT_IN.values():
        again = Variant.from_json(json.loads(json.dumps(dataclasses.asdict(variant))))
        assert again == variant
        assert again.quality is None or isinstance(again.quality, Quality)


def test_a_checkpoint_folder_is_described_by_its_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    config = tmp_path / "mine" / "unet" / "config.json"
    config.write_text('{"num_frames": 14}')
    variant = variant_of_folder(tmp_path / "mine")
    assert (variant.name, variant.source, variant.frames) == ("mine", str(tmp_path / "mine"), 14)
    assert variant.is_local
    for broken in ("not json", None):
        config.unlink() if broken is None else config.write_text(broken)
        with pytest.raises(SettingsError, match="no Stable Video Diffusion checkpoint"):
            variant_of_folder(tmp_path / "mine")


def test_a_checkpoint_folder_says_which_sizes_and_settings_suit_it(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text('{"num_frames": 14}')
    own = {"landscape": [384, 224], "quality": "fast", "steps": 1, "loop": "boomerang", "is_demo": True, "name": "x"}
    (tmp_path / "variant.json").write_text(json.dumps(own))
    variant = variant_of_folder(tmp_path)
    assert (variant.landscape, variant.quality, variant.loop) == ((384, 224), Quality.FAST, Loop.BOOMERANG)
    assert (variant.is_demo, variant.name) == (False, tmp_path.name), "a folder says nothing of its name and label"
    for broken in ("[]", "no json", '{"landscape": 7}', '{"quality": "best"}'):
        (tmp_path / "variant.json").write_text(broken)
        with pytest.raises(SettingsError, match=r"variant\.json cannot be used"):
            variant_of_folder(tmp_path)


def test_a_variants_own_number_of_steps_is_that_of_its_own_quality() -> None:
    variant = dataclasses.replace(BUILT_IN["svd"], quality=Quality.FAST, steps=1)
    assert variant.usual_steps(Quality.FAST) == 1
    assert variant.usual_steps(Quality.BALANCED) == DEFAULT_STEPS[Quality.BALANCED]
    assert BUILT_IN["svd"].usual_steps(Quality.FAST) == DEFAULT_STEPS[Quality.FAST]


def test_a_variant_that_more_steps_would_mislead_never_has_more() -> None:
    one = dataclasses.replace(BUILT_IN["svd"], max_steps=1)
    assert {one.usual_steps(quality) for quality in Quality} == {1}
    assert one.limited(ClipSettings(steps=10)) == ClipSettings(steps=1)
    assert BUILT_IN["svd"].limited(ClipSettings(steps=10)) == ClipSettings(steps=10)
    one.check_steps(1)
    BUILT_IN["svd"].check_steps(100)
    with pytest.raises(SettingsError, match="at most 1 denoising step, not 2"):
        one.check_steps(2)


def test_the_demo_models_frames_are_such_as_its_checkpoint_says() -> None:
    own = json.loads((DEMO_MODEL_FOLDER / "variant.json").read_text())
    demo = BUILT_IN["demo"]
    assert [list(size) for size in (demo.landscape, demo.portrait, demo.square)] == [
        own[shape] for shape in ("landscape", "portrait", "square")
    ]
    assert demo.is_demo
