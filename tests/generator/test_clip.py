"""A clip's settings: the bounds of every number, and the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from generator.clip import (
    BOUNDS,
    DEFAULT_STEPS,
    DRAFTS,
    ClipSettings,
    Format,
    Loop,
    Quality,
    cut,
    draft_size,
    shortened,
    total_frames,
)
from generator.errors import SettingsError
from generator.variants import BUILT_IN


@pytest.mark.parametrize("name", BOUNDS)
def test_every_number_is_held_to_its_bounds(name: str) -> None:
    low, high = BOUNDS[name]
    plain = ClipSettings(min_guidance=1.0, max_guidance=10.0)

    def with_value(value: Any) -> ClipSettings:
        changes = {name: value}
        return dataclasses.replace(plain, **changes)

    for value in (low, high):
        with_value(value)
    for value in (low - 1, high + 1):
        with pytest.raises(SettingsError) as caught:
            with_value(value)
        assert caught.value.data == {"setting": name, "value": value, "low": low, "high": high}


def test_the_guidance_does_not_fall_over_the_clip() -> None:
    with pytest.raises(SettingsError, match="min_guidance"):
        ClipSettings(min_guidance=3.0, max_guidance=2.0)


def test_settings_come_back_from_json() -> None:
    settings = ClipSettings(format=Format.GIF, loop=Loop.SEAM, quality=Quality.FAST, seed=2**32 - 1, decode_chunk=8)
    assert ClipSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


def test_a_key_of_a_newer_version_is_ignored_and_a_missing_one_is_the_default() -> None:
    assert ClipSettings.from_json({"from_the_future": 1}) == ClipSettings()


def test_a_value_that_is_none_of_a_kind_is_named_with_the_allowed_ones() -> None:
    with pytest.raises(SettingsError, match="boomerang") as caught:
        ClipSettings.from_json({"loop": "backwards"})
    assert caught.value.data == {"setting": "loop", "value": "backwards"}


def test_every_quality_has_its_steps() -> None:
    assert set(DEFAULT_STEPS) == set(Quality)


@pytest.mark.parametrize("name", BUILT_IN)
def test_all_drafts_together_have_no_more_pixels_than_the_clip_and_each_fills_its_tile(name: str) -> None:
    variant, cell = BUILT_IN[name], 32 if name == "demo" else 64
    for size in (variant.landscape, variant.portrait, variant.square):
        small = draft_size(size, cell)
        assert [side % cell for side in small] == [0, 0]
        assert DRAFTS * small[0] * small[1] <= size[0] * size[1]
        assert all(0.4 * side <= smaller <= 0.5 * side for side, smaller in zip(size, small, strict=True))


@pytest.mark.parametrize(
    ("frames", "seams", "last"),
    [
        pytest.param(45, (25, 37), 9, id="within the last segment"),
        pytest.param(37, (25,), 13, id="at the last seam, which goes"),
        pytest.param(30, (25,), 6, id="within an earlier segment"),
        pytest.param(25, (), 25, id="at the first seam"),
        pytest.param(2, (), 2, id="to the fewest"),
    ],
)
def test_a_clip_that_is_cut_keeps_the_seams_before_and_ends_there(
    frames: int, seams: tuple[int, ...], last: int
) -> None:
    whole = ClipSettings(seams=(25, 37), frames=25, seed=3)
    left = cut(whole, frames)
    assert left == dataclasses.replace(whole, seams=seams, frames=last)
    assert total_frames(left) == frames


def test_segments_are_taken_back_one_by_one_down_to_the_first() -> None:
    whole = ClipSettings(seams=(25, 37), frames=25)
    assert shortened(whole) == ClipSettings(seams=(25,), frames=13)
    assert shortened(shortened(whole)) == shortened(ClipSettings(frames=25)) == ClipSettings(frames=25)
