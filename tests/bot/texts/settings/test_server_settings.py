"""A server's settings as people read them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bot.policy.language import LANGUAGES as KNOWN
from bot.policy.quota import Quota, Scope, Used
from bot.policy.server import DEFAULTS, ServerSettings
from bot.texts.languages.spoken import speaking
from bot.texts.limits import MESSAGE_LETTERS, count_letters
from bot.texts.settings.quotas import describe_quota, describe_quotas
from bot.texts.settings.server_settings import LANGUAGES, TITLES, changed_text, describe_setting
from bot.texts.settings.settings_panel import PAGE_TITLES, choice_label

OTHERS: dict[str, list[Any]] = {
    "channels": [[1], [1, 2]],
    "roles": [[1], [1, 2]],
    "age_rule": ["restricted-only"],
    "default_motion": ["gentle", "wild"],
    "most_motion": ["gentle", "wild"],
    "default_format": ["gif", "webp"],
    "formats": [["gif"], ["gif", "mp4"]],
    "default_quality": ["fast", "balanced"],
    "qualities": [["fast"], ["fast", "balanced"]],
    "variants": [["svd"], ["svd", "svd-xt"]],
    "longest_clip": [2, 4.5],
    "private_replies": [False],
    "language": ["de", "xx"],
    "log_channel": [1, 2],
    "report_channel": [1, 2],
    "others_pictures": ["ask", "never"],
    "filter_action": ["refuse", "spoiler", "restricted-only", "moderators"],
    "member_quota": [{"clips_per_day": 1}, {"clips_at_once": 2}],
    "role_quotas": [{1: {"clips_per_day": 1}}, {2: {"clips_per_day": 1}}],
    "server_quota": [{"gpu_seconds_per_day": 1}, {"gpu_seconds_at_once": 2}],
}


@pytest.mark.parametrize("code", KNOWN)
@pytest.mark.parametrize("name", list(ServerSettings.model_fields))
def test_each_value_of_a_setting_has_a_sentence_of_its_own(name: str, code: str) -> None:
    values = [DEFAULTS, *(ServerSettings.model_validate({name: value}) for value in OTHERS[name])]
    with speaking(code):
        told = [describe_setting(name, settings) for settings in values]
    assert len(set(told)) == len(told)
    assert all(text.endswith((".", "`", "。")) for text in told)


def test_the_longest_clip_is_told_in_seconds() -> None:
    told = [describe_setting("longest_clip", ServerSettings(longest_clip=seconds)) for seconds in (1, 4.5)]
    assert told == ["A clip plays 1 second at most.", "A clip plays 4.5 seconds at most."]


def test_a_choice_is_called_in_a_sentence_as_in_its_menu() -> None:
    settings = ServerSettings.model_validate({"most_motion": "wild", "qualities": ["fast", "quality"]})
    with speaking("fr"):
        assert choice_label("most_motion", "wild") in describe_setting("most_motion", settings)
        assert choice_label("qualities", "fast") in describe_setting("qualities", settings)


def test_a_change_is_told_with_what_it_was_and_what_it_is() -> None:
    after = ServerSettings.model_validate({"channels": [7]})
    text = changed_text(5, "channels", DEFAULTS, after)
    assert text.startswith("<@5> changed")
    assert "Before: I make clips in every channel" in text
    assert "Now: I make clips only in <#7>" in text


@pytest.mark.parametrize("code", KNOWN)
@pytest.mark.parametrize("name", list(ServerSettings.model_fields))
def test_the_longest_settings_fit_into_a_message(name: str, code: str) -> None:
    full = ServerSettings.model_validate(
        {
            "channels": list(range(10**18, 10**18 + 500)),
            "roles": list(range(10**18, 10**18 + 500)),
            "role_quotas": {number: {"clips_per_day": 99999} for number in range(10**18, 10**18 + 100)},
            "variants": [f"{'Ẅ🎞' * 50}{number}" for number in range(100)],
        }
    )
    with speaking(code):
        assert count_letters(changed_text(2**62, name, full, full)) <= MESSAGE_LETTERS


def test_a_quota_is_told_with_each_limit() -> None:
    assert describe_quota(Quota()) == "No limit of this server's own."
    told = describe_quota(Quota(clips_per_day=1000, gpu_seconds_per_day=2, clips_at_once=3, gpu_seconds_at_once=4))
    positions = [told.index(part) for part in ("1,000 clips", "2 seconds", "3 clips at once", "4 seconds")]
    assert all(first < second for first, second in pairwise(positions))


def test_what_is_used_is_never_rounded_down() -> None:
    used = {Scope.MEMBER: Used(clips=1, cost_ms=1_001)}
    told = describe_quotas([(Scope.MEMBER, Quota(gpu_seconds_per_day=5))], used, 20_000)
    assert "2 of 5 seconds of the GPU in 24 hours" in told
    assert "A usual clip counts 20 seconds" in told
    assert "**You, in this server**" in told


def test_every_language_and_page_has_a_name() -> None:
    assert len(LANGUAGES) == len(set(LANGUAGES.values()))
    assert len(PAGE_TITLES) == 5
    assert len(TITLES) == len(set(TITLES.values()))
    assert choice_label("formats", "gif") == "GIF"
