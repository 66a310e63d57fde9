"""The record of a server's settings: its defaults, what it takes, and what it makes of what it does not know."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.policy.motion import Motion
from bot.policy.quota import Quota
from bot.policy.server import DEFAULTS, ServerSettings, change_settings, read_settings
from generator.clip import Format

SOME: dict[str, Any] = {
    "channels": [2, 1],
    "most_motion": "gentle",
    "formats": ["gif"],
    "role_quotas": {7: {"clips_per_day": 3}},
    "language": "pt-BR",
    "longest_clip": 4,
}


def test_what_was_chosen_is_read_as_it_was_written() -> None:
    kept = change_settings({}, SOME)
    found = read_settings(kept)
    assert found == ServerSettings.model_validate(SOME)
    assert kept["channels"] == [1, 2]
    assert (found.most_motion, found.formats, found.longest_clip) == (Motion.GENTLE, frozenset({Format.GIF}), 4.0)
    assert found.role_quotas == {7: Quota(clips_per_day=3)}
    assert kept.keys() == SOME.keys(), "what nobody chose follows a later default"


def test_a_change_leaves_everything_else() -> None:
    kept = change_settings({"music": "waltz", "channels": [1]}, {"longest_clip": 5})
    assert kept == {"music": "waltz", "channels": [1], "longest_clip": 5.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {"longest_clip": 0.5},
        {"longest_clip": 61},
        {"formats": ["avi"]},
        {"channels": ["here"]},
        {"language": "English please"},
        {"member_quota": {"clips_per_day": -1}},
        {"member_quota": {"clips_a_day": 1}},
    ],
)
def test_a_wrong_value_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        change_settings({}, wrong)
    assert read_settings(wrong).member_quota == Quota(), "and a kept one is left out"


def test_reports_go_to_the_log_channel_where_no_other_is_chosen() -> None:
    assert DEFAULTS.reports_to is None
    assert read_settings({"log_channel": 3}).reports_to == 3
    assert read_settings({"log_channel": 3, "report_channel": 4}).reports_to == 4
