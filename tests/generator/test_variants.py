"""A variant's own defaults: what is used when the person names nothing."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from generator.clip import Quality
from generator.errors import SettingsError
from generator.variants import BUILT_IN, Variant, variant_of_folder


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
