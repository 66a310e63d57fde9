"""What can be chosen for a setting, and what a choice or a form becomes."""

from __future__ import annotations

from typing import Any

import pytest

from bot.edge.commands.settings.choices import UNSET, WrongNumber, choices_for, read_choice, read_quota
from bot.policy.quota import Quota
from bot.policy.server import ServerSettings, change_settings, read_settings

OFFERED = (
    *("age_rule", "default_motion", "most_motion", "default_format", "formats", "default_quality", "qualities"),
    *("variants", "longest_clip", "private_replies", "language", "others_pictures", "filter_action"),
)


@pytest.mark.parametrize("name", OFFERED)
def test_whatever_is_offered_can_be_chosen_and_is_shown_as_chosen_then(name: str) -> None:
    for choice in choices_for(name, ServerSettings(), ["svd", "svd-xt"]):
        kept = change_settings({}, {name: read_choice(name, [choice.value])})
        chosen = [item.value for item in choices_for(name, read_settings(kept), ["svd", "svd-xt"]) if item.is_chosen]
        assert chosen == [choice.value], (name, choice)


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"variants": ["gone"]}, "variants", "gone"),
        ({"longest_clip": 7.5}, "longest_clip", "7.5"),
        ({"language": "tlh"}, "language", "tlh"),
    ],
)
def test_what_was_chosen_otherwise_is_offered_too(settings: dict[str, Any], name: str, value: str) -> None:
    chosen = [item.value for item in choices_for(name, ServerSettings.model_validate(settings), ["svd"])]
    assert value in chosen
    assert value not in [item.value for item in choices_for(name, ServerSettings(), ["svd"])]


def test_a_variant_whose_name_discord_cannot_take_is_not_offered() -> None:
    names = [item.value for item in choices_for("variants", ServerSettings(), ["svd", "x" * 101])]
    assert names == ["svd"]


def test_nothing_chosen_is_nothing_or_everything() -> None:
    assert read_choice("channels", []) == []
    assert read_choice("formats", []) == []
    assert read_choice("log_channel", []) is None
    assert read_choice("most_motion", [UNSET]) is None


def test_a_form_becomes_a_quota() -> None:
    assert read_quota({"clips_per_day": " 5 ", "clips_at_once": "", "gpu_seconds_per_day": "0"}) == Quota(
        clips_per_day=5
    )


@pytest.mark.parametrize("text", ["five", "-1", "1.5", "²", "٣", "100001"])
def test_a_number_that_is_none_or_too_large_is_said(text: str) -> None:
    with pytest.raises(WrongNumber) as found:
        read_quota({"clips_per_day": text})
    assert "Clips in 24 hours" in found.value.text
